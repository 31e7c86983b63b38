"""What becomes of a streamed call whose engine answers with something else: its whole answer as events, or an error, with a
status as long as nothing has been sent.
"""

from __future__ import annotations

from hayate.api.endpoint import Gateway
from hayate.api.relay_response import Client
from hayate.backends.base import StreamDecoder
from hayate.relay import Answer
from hayate.wire.engine_json import Unreadable, read
from hayate.wire.errors_in import engine_error
from hayate.wire.unstreamed import completion_events, no_events, relayed_events


def is_json(answer: Answer) -> bool:
    """Whether the engine says that its answer is JSON, where a stream was asked for and its streams are events."""
    content_type = (answer.exchange.header(b"content-type") or b"").lower()
    return content_type.startswith(b"application/json") and answer.backend.answers_in_events


async def stream_answer(gateway: Gateway, client: Client, answer: Answer, decoder: StreamDecoder) -> None:
    """The answer of a completion as server-sent events. Raises GatewayError."""
    content_type = (answer.exchange.header(b"content-type") or b"").lower()
    if content_type.startswith(b"text/html"):
        raise no_events(content_type, await answer.read())
    if is_json(answer):
        await _whole_as_events(client, answer, decoder)
        return
    await client.start_stream()
    await answer.pump(decoder, client, client_stall_s=gateway.client_stall_s)
    await client.end_stream()


async def _whole_as_events(client: Client, answer: Answer, decoder: StreamDecoder) -> None:
    """From an engine that ignores `stream`, or calls its events JSON."""
    raw = await answer.read()
    if raw.lstrip()[:1] in (b"{", b"["):
        answer.backend.whole_answer(raw)  # an error, or no answer, is told with a status
        raw = completion_events(read(raw))
    await client.start_stream()
    client.write(decoder.feed(raw) + decoder.end())
    answer.record.usage, answer.record.finish_reason = decoder.usage, decoder.finish_reason
    if decoder.failure is not None:
        raise decoder.failure
    await client.end_stream()


async def finish_begun(client: Client, path: str, raw: bytes) -> None:
    """A passed-through answer that is whole, to a client whose stream has begun with pings. Raises GatewayError."""
    try:
        whole = read(raw)
    except Unreadable:
        whole = None
    if not isinstance(whole, dict):
        raise no_events(b"application/json", raw)
    if whole.get("error"):
        raise engine_error(500, whole)
    client.write(relayed_events(path, whole))
    await client.end_stream()
