"""GET and POST /generate_stream: a chat answer for a browser's EventSource, which can send neither headers nor a body."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hayate.access.grants import Grant
from hayate.api.gateway import Gateway
from hayate.api.leave import admit, check_model, fill
from hayate.api.operations import described
from hayate.api.pauses import LONG_BODY_BYTES, others_first
from hayate.api.remembering import recall, remember
from hayate.downstream.client import SSE_HEADERS, Client
from hayate.downstream.remembering import RememberingClient, Told
from hayate.errors import GatewayError, InvalidRequest, StreamGone
from hayate.history.dialects import GENERATES
from hayate.policy.ended_streams import MAX_COUNT, split_id
from hayate.relay.answer import Answer
from hayate.relay.call import Call
from hayate.telemetry.record import CallRecord
from hayate.wire import validation as checks
from hayate.wire.generate import GenerateStream, from_query, opening_of, to_chat
from hayate.wire.openai_stream import OpenAIStream
from hayate.wire.paths import CHAT
from hayate.wire.request_body import parse_object


async def generate_stream(gateway: Gateway, client: Client, record: CallRecord, grant: Grant) -> None:
    """GET or POST /generate_stream: the fields as a chat, the chat's stream as events that a browser can tell apart."""
    body = await client.body(gateway.settings.max_body_bytes)
    last_event_id = client.header(b"last-event-id")
    if last_event_id:
        await _not_again(gateway, client, record, last_event_id)
        return
    asked, size = _asked(gateway, client, body), len(body) or len(client.query)
    del body  # a long prompt must not stay in memory for as long as its answer takes
    if size > LONG_BODY_BYTES:
        await others_first()
    remembering = remember(GENERATES, gateway, client, record, grant, asked)
    fields = to_chat(asked, may_be_silent=remembering is not None)
    if asked.get("model"):
        fields["model"] = asked["model"]
    fill(grant.principal.terms, CHAT, fields, system=remembering is None)
    record.model = fields.get("model") or "default"
    await check_model(gateway, grant.principal.terms, fields.get("model"))
    checks.check_chat(fields, gateway.settings.caps, may_be_silent=remembering is not None)
    record.stream = True
    client.opening = opening_of(record.request_id)
    told: Told = remembering or client
    with told:
        if remembering is not None:
            size = await recall(gateway, remembering, grant, CHAT, fields, size)
        admit(gateway, client, grant, CHAT, size, fields)
        client.expect_stream()
        record.waits = replace(record.waits, tell=client.stands)
        call = Call(CHAT, fields.get("model"), fields, streams=True, record=record)
        opening = gateway.relay.open(call) if remembering is None else remembering.open(gateway.relay.open, call)
        answering = _stream(gateway, told, record, opening)
        del asked, fields, call  # nor must what was read of it
        await answering


@described("The head that a GET would have, and no generation.")
async def show_head(_: Request, __: Gateway) -> Response:
    """HEAD /generate_stream: the head that a GET would have, and no generation."""
    return StreamingResponse(iter(()), headers={name.decode(): value.decode() for name, value in SSE_HEADERS})


async def _not_again(gateway: Gateway, client: Client, record: CallRecord, last_event_id: bytes) -> None:
    """An EventSource that lost its stream asks for the rest of it. There is no rest to be had yet, and the prompt is
    not run again: 204, at which a browser stops, if the caller knows that the stream is over; else an event that tells
    it, and 204 the next time.
    """
    now = gateway.relay.now()
    event_id = last_event_id.decode("latin-1")
    if gateway.ended_streams.knows(record.key, event_id, now):
        record.status = 204
        await client.respond(204, [], b"")
        return
    stream, count = split_id(event_id) or (record.request_id, 0)
    gateway.ended_streams.add(record.key, stream, now)
    error = StreamGone(
        "The connection was lost, and this stream can't be resumed. The prompt was not run again; ask anew if you want that.",
        "接続が切れました。このストリームは再開できません。プロンプトは再実行していません。必要ならもう一度送信してください。",
    )
    error.event_id = f"{stream}-{min(count + 1, MAX_COUNT)}"
    record.stream = True
    with client:
        await client.start_stream()
        raise error


def _asked(gateway: Gateway, client: Client, body: bytes) -> dict[str, Any]:
    if client.method == "GET":
        try:
            pairs = parse_qsl(client.query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=64)
        except ValueError:
            raise InvalidRequest(
                "The query string is not valid UTF-8.", "クエリ文字列が正しいUTF-8ではありません。"
            ) from None
        return from_query(pairs)
    return parse_object(body, gateway.settings.caps.max_weight_per_mib)


async def _stream(gateway: Gateway, told: Told, record: CallRecord, opened: Awaitable[Answer]) -> None:
    """The answer's events; whatever ends them is remembered, for a browser that connects again."""
    decoder: GenerateStream | None = None
    try:
        with await opened as answer:
            model = answer.deployment.served_model or answer.deployment.name
            chunks = answer.decoder or OpenAIStream(keep_usage=False)
            more = told.told() if isinstance(told, RememberingClient) else {}
            decoder = GenerateStream(chunks, stream_id=record.request_id, model=model, more=more)
            await told.start_stream()
            await answer.pump(decoder, told, client_stall_s=gateway.settings.client_stall_s)
            await told.end_stream()
    except GatewayError as error:
        last = 1 + (0 if decoder is None else decoder.sent)
        error.event_id = f"{record.request_id}-{last}"
        gateway.ended_streams.add(record.key, record.request_id, gateway.relay.now(), last=last)
        raise
    finally:
        if decoder is not None and decoder.told:
            gateway.ended_streams.add(record.key, record.request_id, gateway.relay.now())
