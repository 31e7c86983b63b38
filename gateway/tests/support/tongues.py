"""The four dialects that go on with a conversation, as simply as can be: how something is asked in each, how an engine answers it
piece by piece, and what of that a client has heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.support.engine_script import SSE, Chat, Request, Script, Step, answer, body, end, frame, head
from tests.support.gateway import KEY
from tests.support.http import Frame, connection, request_bytes
from tests.support.remembered import TELLS
from tests.support.scene import CHAT_PATH

CHAT: Final = CHAT_PATH
MESSAGES: Final = "/v1/messages"
RESPONSES: Final = "/v1/responses"
GENERATE: Final = "/generate_stream"
ALL: Final = (CHAT, MESSAGES, RESPONSES, GENERATE)


def asked(path: str, text: str | None, **more: Any) -> dict[str, Any]:
    """A request that says this, None: nothing new."""
    if path == RESPONSES:
        return {"input": [] if text is None else text, **more}
    if path == GENERATE:
        return {"prompt": text, **{name: value for name, value in more.items() if name != "stream"}}
    said = [] if text is None else [{"role": "user", "content": text}]
    fields = {"model": "scripted", "max_tokens": 99} if path == MESSAGES else {}
    return {**fields, "messages": said, **more}


def answered(request: Request, pieces: Sequence[str], gap_s: float = 0.0, last: Sequence[Step] | None = None) -> Script:
    """What an engine answers, whole or as a stream of the pieces, in whatever dialect it was asked. `last`: what it does when it
    has said them, in place of the end.
    """
    if not request.asks_for_stream:
        if last is not None:
            return [gap_s, *last]
        return [gap_s, *answer(_whole(request.path, "".join(pieces)))]
    frames = _frames(request, pieces)
    if last is not None:
        frames = frames[: next(n for n, each in enumerate(frames) if pieces[-1].encode() in each) + 1]
    steps: list[Step] = [head(headers=SSE)]
    for each in frames:
        steps += [body(each), gap_s]
    return [*steps, *((end,) if last is None else last)]


def called(request: Request, call_id: str, arguments: str) -> Script:
    """A tool that an engine calls in answer to a chat."""
    call = {"id": call_id, "type": "function", "function": {"name": "look", "arguments": ""}}
    parts = [{"tool_calls": [{"index": 0, **call}]}]
    parts += [
        {"tool_calls": [{"index": 0, "function": {"arguments": each}}]} for each in (arguments[:5], arguments[5:])
    ]
    if request.asks_for_stream:
        return Chat(parts, finish_reason="tool_calls")(request)
    whole = {**call, "function": {"name": "look", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [whole]}
    return answer({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})


def _whole(path: str, text: str) -> dict[str, Any]:
    if path == MESSAGES:
        return {"id": "m", "type": "message", "role": "assistant", "model": "scripted", "stop_reason": "end_turn",
                "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 7, "output_tokens": 3}}  # fmt: skip
    if path == RESPONSES:
        return {**_response("completed"), "output": [_output(text)], "usage": {"input_tokens": 7, "output_tokens": 3}}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "model": "scripted", "choices": [choice]}


def _frames(request: Request, pieces: Sequence[str]) -> list[bytes]:
    if request.path == MESSAGES:
        return [frame({"type": kind, **more}, event=kind) for kind, more in _message_events(pieces)]
    if request.path == RESPONSES:
        events = _response_events(pieces)
        return [frame({"type": f"response.{kind}", **more}, event=f"response.{kind}") for kind, more in events]
    return Chat(pieces).frames(request)


def _message_events(pieces: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    begun = {**_whole(MESSAGES, ""), "content": [], "stop_reason": None}
    return [
        ("message_start", {"message": begun}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        *(("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": each}}) for each in pieces),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
        ("message_stop", {}),
    ]


def _response_events(pieces: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    item, begun = _output("".join(pieces)), {**_response("in_progress"), "output": []}
    of = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    return [
        ("created", {"response": begun}),
        ("in_progress", {"response": begun}),
        ("output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress", "content": []}}),
        *(("output_text.delta", {**of, "delta": each}) for each in pieces),
        ("output_item.done", {"output_index": 0, "item": item}),
        ("completed", {"response": _whole(RESPONSES, "".join(pieces))}),
    ]


def _response(status: str) -> dict[str, Any]:
    return {"id": "resp_engine", "object": "response", "model": "scripted", "status": status}


def _output(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_engine", "role": "assistant", "status": "completed", "content": content}


def text_of_answer(path: str, whole: Any) -> str:
    """What a whole answer says."""
    if path == MESSAGES:
        return "".join(each["text"] for each in whole["content"])
    if path == RESPONSES:
        return "".join(part["text"] for each in whole["output"] for part in each["content"])
    return whole["choices"][0]["message"]["content"] or ""


def text_of_event(event: Frame) -> str:
    """What an event of a stream says."""
    if not event.data.startswith("{"):
        return ""
    told = event.json
    if "choices" in told:
        return "".join(each["delta"].get("content") or "" for each in told["choices"])
    delta = told.get("delta", "")
    return str(delta.get("text", "") if isinstance(delta, dict) else delta)


def is_end(event: Frame) -> bool:
    """Whether an event tells that the answer is whole."""
    return event.data == "[DONE]" or event.event in ("message_stop", "done", "response.completed")


def is_error(event: Frame) -> bool:
    """Whether it tells that it will not be."""
    return event.event in ("error", "response.failed") or event.data.startswith('{"error"')


def said_before(request: Request) -> list[str]:
    """The words of all messages that an engine was sent, in their order; nothing of tools."""
    sent = request.json.get("messages", request.json.get("input"))
    if isinstance(sent, str):
        return [sent]
    spoken = [each for each in sent if each.get("role") in ("user", "assistant")]
    return [text for each in spoken for text in _words(each.get("content"))]


def _words(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or () if "text" in part]


@dataclass
class Told:
    """What a client was told until now: of a call that is cut off too."""

    status: int = 0
    conversation: str = ""
    response: str = ""
    """A response's id, once it is whole."""
    stored: bool | None = None
    """Whether it says that it is kept."""
    text: str = ""
    ended: bool = False
    """Whether it was told that this was all."""
    failure: str = ""
    """What it was told instead, whole or in the stream."""


async def call(url: str, path: str, asked: object, told: Told, *, leaves_after: int = 0, key: str = KEY) -> None:
    """One call. The client leaves after so many pieces, if it is to."""
    async with connection(url) as client:
        await client.send(request_bytes("POST", path, asked, key))
        reply = await client.read_head()
        told.status, told.conversation = reply.status, reply.headers.get(TELLS, "")
        if not reply.headers["content-type"].startswith("text/event-stream"):
            await client.read_body()
            if reply.status == 200:
                whole = reply.json
                told.text, told.ended = text_of_answer(path, whole), True
                told.response, told.stored = whole.get("id", ""), whole.get("store")
            else:
                told.failure = reply.text
            return
        pieces = 0
        async for event in client.frames():
            if text := text_of_event(event):
                told.text, pieces = told.text + text, pieces + 1
            if is_end(event):
                assert not told.ended, "two ends"
                told.ended = True
                if path == RESPONSES:
                    response = event.json["response"]
                    told.response, told.stored = response["id"], response["store"]
            if is_error(event):
                told.failure = event.data
            if leaves_after and pieces >= leaves_after:
                client.leave()
                return
