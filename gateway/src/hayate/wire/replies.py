"""What an engine answered with, where events were asked for: events, or something else that must be told before our own
answer has begun.

A redirect, a page, JSON: each has words of its own, which reach the caller with a status that fits. A whole answer in
place of a stream is put into the events that were asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from hayate.errors import GatewayError
from hayate.upstream_errors import UpstreamBroke, UpstreamRedirected
from hayate.wire.engine_errors import MAX_MESSAGE_CHARS, engine_error, text_of_page
from hayate.wire.engine_json import Unreadable, read, write
from hayate.wire.paths import CHAT, MESSAGES, RESPONSES, TEXT
from hayate.wire.sse import DONE, render

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_EVENTS = (b"text/event-stream", b"application/x-ndjson")
USUAL_EVENTS = frozenset({*_EVENTS, b"text/event-stream; charset=utf-8"})
"""The types of nearly all streams, as they are written."""
EMPTY = frozenset({204, 205, 304})
"""Statuses of answers that have no body."""
ToEvents = Callable[[dict[str, Any]], bytes | None]
"""A whole answer as the events of its dialect; None when it is no such answer."""


def may_be_events(content_type: bytes | None) -> bool:
    """Whether a body of this type needs no look."""
    return (content_type or b"").partition(b";")[0].strip().lower() in _EVENTS


def begins_document(start: bytes) -> bool:
    """Whether a body that starts so is JSON or a page: no event does."""
    return start.lstrip()[:1] in (b"{", b"[", b"<", b"")


def redirected(status: int, location: bytes | None) -> GatewayError:
    """For a redirect, which is never followed: requests go only where the configuration says, and a key with them."""
    return UpstreamRedirected(
        f"The engine answered with a redirect ({status}), which is not followed: set BACKEND_URL to its final address.",
        f"エンジンがリダイレクト（{status}）を返しました。リダイレクトはたどらないため、"
        "BACKEND_URL に最終的なアドレスを設定してください。",
        location=_shown((location or b"").decode("latin-1")) or None,
    )


def _shown(location: str) -> str:
    """A URL without what it asks for, which may be a secret."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    shown = f"{parts.scheme}://{host}{parts.path}" if host else parts.path
    return shown[:200] if shown.isascii() and shown.isprintable() else ""


def as_events(raw: bytes, to_events: ToEvents) -> bytes:
    """The events in place of a document that came instead of them. Raises GatewayError with the engine's own words."""
    answer = _told(raw)
    events = to_events(answer)
    if events is None:
        raise engine_error(500, answer)
    return events


def checked(raw: bytes) -> bytes:
    """A document that came instead of events, and is welcome, unless it is an error. Raises GatewayError."""
    _told(raw)
    return raw


def _told(raw: bytes) -> dict[str, Any]:
    try:
        answer = read(raw)
    except Unreadable:
        raise no_events(raw) from None
    if not isinstance(answer, dict):
        raise no_events(raw)
    if answer.get("error"):
        raise engine_error(500, answer)
    return answer


def no_events(raw: bytes) -> GatewayError:
    """For a body that is neither events nor JSON."""
    said = text_of_page(raw)
    if not said:
        return UpstreamBroke(
            "The engine answered with nothing. Is BACKEND_URL the engine's own address?",
            "エンジンの応答が空です。BACKEND_URLがエンジンのアドレスか確認してください。",
        )
    return UpstreamBroke(
        f"The engine answered with a page instead of an answer: {said[:MAX_MESSAGE_CHARS]}",
        f"エンジンが回答ではなくページを返しました: {said[:MAX_MESSAGE_CHARS]}",
    )


def completion_events(answer: dict[str, Any]) -> bytes | None:
    """A chat.completion or text_completion as one chunk for each choice, the usage, and the end."""
    choices = answer.get("choices")
    if not isinstance(choices, list):
        return None
    shared = {name: value for name, value in answer.items() if name not in ("choices", "usage", "object")}
    frames = []
    for choice in choices:
        if not isinstance(choice, dict):
            continue
        message = choice.get("message")
        part = {name: value for name, value in choice.items() if name != "message"}
        if isinstance(message, dict):
            part["delta"] = _with_indices(message)
        kind = "chat.completion.chunk" if isinstance(message, dict) else "text_completion"
        frames.append(render(write({**shared, "object": kind, "choices": [part]})))
    if isinstance(answer.get("usage"), dict):
        kind = "text_completion" if answer.get("object") == "text_completion" else "chat.completion.chunk"
        frames.append(render(write({**shared, "object": kind, "choices": [], "usage": answer["usage"]})))
    return b"".join((*frames, DONE))


def response_events(answer: dict[str, Any]) -> bytes | None:
    """A response as its last event, which holds all of it."""
    status = answer.get("status")
    if answer.get("object") != "response" or not isinstance(answer.get("output"), list):
        return None
    name = f"response.{status if status in ('completed', 'incomplete', 'failed', 'cancelled') else 'completed'}"
    return render(write({"type": name, "sequence_number": 0, "response": answer}), event=name)


def message_events(answer: dict[str, Any]) -> bytes | None:
    """A message as its start, each block, and its end."""
    content = answer.get("content")
    if answer.get("type") != "message" or not isinstance(content, list):
        return None
    start = {**answer, "content": [], "stop_reason": None, "stop_sequence": None}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(block for block in content if isinstance(block, dict)):
        empty, deltas = _opened(block)
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": answer.get("stop_reason"), "stop_sequence": answer.get("stop_sequence")}
    events.append({"type": "message_delta", "delta": end, "usage": answer.get("usage") or {}})
    events.append({"type": "message_stop"})
    return b"".join(render(write(event), event=event["type"]) for event in events)


def _opened(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A content block as it begins, and the deltas that fill it."""
    kind = block.get("type")
    if kind == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": block.get("text") or ""}]
    if kind == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": block.get("thinking") or ""}]
        if block.get("signature"):
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {**block, "thinking": ""} | ({"signature": ""} if block.get("signature") else {}), deltas
    if kind == "tool_use":
        arguments = write(block.get("input") or {}).decode()
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": arguments}]
    return block, []


def _with_indices(message: dict[str, Any]) -> dict[str, Any]:
    """A message as a delta: its tool calls are numbered there."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    numbered = [{"index": n, **call} for n, call in enumerate(calls) if isinstance(call, dict)]
    return {**message, "tool_calls": numbered}


TO_EVENTS: Final[Mapping[str, ToEvents]] = {
    CHAT: completion_events,
    TEXT: completion_events,
    RESPONSES: response_events,
    MESSAGES: message_events,
}
"""The paths that are answered with streams of events, and what puts a whole answer of theirs into such."""
