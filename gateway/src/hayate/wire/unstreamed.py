"""An engine that ignores `stream`: its whole answer as the events that were asked for. One that gives no answer at all."""

from __future__ import annotations

import re
from typing import Any

from hayate.errors import UpstreamBroke
from hayate.wire import sse
from hayate.wire.engine_json import write

_TAG = re.compile(rb"<[^<>]{0,2000}>")
_SHOWN_BYTES = 4096


def completion_events(answer: dict[str, Any]) -> bytes:
    """A chat.completion or text_completion as its stream: every choice in one delta, its finish, the usage, `[DONE]`."""
    head = {name: value for name, value in answer.items() if name not in ("choices", "usage", "object")}
    choices = [each for each in answer.get("choices") or () if isinstance(each, dict)]
    chat = any("message" in each for each in choices)
    head["object"] = "chat.completion.chunk" if chat else "text_completion"
    out: list[bytes] = []
    for number, choice in enumerate(choices):
        index = choice.get("index", number)
        rest = {name: value for name, value in choice.items() if name not in ("index", "message", "finish_reason")}
        said = {"delta": _delta(choice.get("message"))} if chat else {}
        end: dict[str, Any] = {"delta": {}} if chat else {"text": ""}
        reason = choice.get("finish_reason") or "stop"
        out.append(_chunk(head, {"index": index, **rest, **said, "finish_reason": None}))
        out.append(_chunk(head, {"index": index, **end, "finish_reason": reason}))
    if answer.get("usage"):
        out.append(sse.render(write({**head, "choices": [], "usage": answer["usage"]})))
    return b"".join((*out, sse.DONE))


def relayed_events(path: str, answer: dict[str, Any]) -> bytes:
    """A whole response or message as its stream: its last event; or a message's blocks, each in one piece."""
    if path == "/v1/responses":
        status = answer.get("status")
        kind = f"response.{status if status in ('incomplete', 'failed', 'cancelled') else 'completed'}"
        return _event(kind, response=answer)
    content = [each for each in answer.get("content") or () if isinstance(each, dict)]
    start = {**answer, "content": [], "stop_reason": None, "stop_sequence": None}
    out = [_event("message_start", message=start)]
    for index, block in enumerate(content):
        begun, delta = _block(block)
        out.append(_event("content_block_start", index=index, content_block=begun))
        if delta:
            out.append(_event("content_block_delta", index=index, delta=delta))
        out.append(_event("content_block_stop", index=index))
    stopped = {name: answer.get(name) for name in ("stop_reason", "stop_sequence")}
    out.append(_event("message_delta", delta=stopped, usage=answer.get("usage") or {}))
    out.append(_event("message_stop"))
    return b"".join(out)


def no_events(content_type: bytes, raw: bytes) -> UpstreamBroke:
    """A page where an answer was expected: a proxy's, or a sign-in's."""
    kind = "HTML" if b"html" in content_type else content_type[:60].decode("latin-1") or "nothing known"
    words = b" ".join(_TAG.sub(b" ", raw[:_SHOWN_BYTES]).split())[:200].decode("utf-8", "replace")
    return UpstreamBroke(
        f"The engine answered with {kind} instead of events: {words}",
        f"エンジンがイベントではなく{kind}を返しました: {words}",
    )


def _delta(message: Any) -> dict[str, Any]:
    if not isinstance(message, dict):
        return {}
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    return {**message, "tool_calls": [{"index": n, **each} for n, each in enumerate(calls) if isinstance(each, dict)]}


def _block(block: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    kind = block.get("type")
    if kind == "text":
        return {**block, "text": ""}, {"type": "text_delta", "text": block.get("text") or ""}
    if kind == "thinking":
        return {**block, "thinking": ""}, {"type": "thinking_delta", "thinking": block.get("thinking") or ""}
    if kind == "tool_use":
        given = write(block.get("input") or {}).decode()
        return {**block, "input": {}}, {"type": "input_json_delta", "partial_json": given}
    return block, {}


def _chunk(head: dict[str, Any], choice: dict[str, Any]) -> bytes:
    return sse.render(write({**head, "choices": [choice]}))


def _event(kind: str, **fields: Any) -> bytes:
    return sse.render(write({"type": kind, **fields}), event=kind)
