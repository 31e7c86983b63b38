"""Chat messages and items, both ways.

What a chat request says comes back as it was, but for this: `null` is "not set"; what is said of annotations, and what
was thought, is not said again; an assistant's audio goes back by its id; no content is an empty one, and beside calls,
a refusal or audio an empty one is `null`; an assistant that only calls goes on with the message before, if that is an
assistant's; calls without an id have an empty one, and without arguments empty ones. Contents are in `chat_parts`, and
exchanges with tools in `exchanges`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from hayate.wire.chat_calls import CALLING, CallsSaid, calls_in, output_item
from hayate.wire.chat_parts import content_of, parts_of
from hayate.wire.exchanges import ANSWERS, sendable
from hayate.wire.item_shapes import (
    CALLS,
    CHAT,
    EXTRA,
    NO_ROLE,
    ROLES,
    Item,
    Part,
    add_extra,
    extra_of,
    is_whole,
    mended,
    message_of,
    reasoning_of,
)

_PLAIN: Final = frozenset(ROLES) - {"assistant"}
_THOUGHT: Final = ("reasoning_content", "reasoning")
"""What engines call it."""
_WORDLESS: Final = CALLING | {"audio", "refusal"}
"""Beside these there may be no content."""


def items_of_messages(messages: list[dict[str, Any]]) -> list[Item]:
    """The messages of a chat request that has been checked (`validation.check_chat`), as items."""
    items: list[Item] = []
    for message in messages:
        role = message["role"]
        content = message.get("content")
        if type(content) is str and len(message) == 2:
            if role in _PLAIN:
                part: Part = {"type": "input_text", "text": content}
                items.append({"type": "message", "status": "completed", "role": role, "content": [part]})
                continue
            if role == "assistant":
                part = {"type": "output_text", "text": content, "annotations": []}
                items.append({"type": "message", "status": "completed", "role": role, "content": [part]})
                continue
        if role == "assistant":
            items += _assistant(message)
        elif role in ("tool", "function"):
            items.append(output_item(message, role))
        else:
            items.append(_message(role, parts_of(content, role), _rest(message, "role", "content")))
    return items


def messages_of(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Items as the messages of a chat request: what was thought is left out, and half an exchange with a tool."""
    messages: list[dict[str, Any]] = []
    speaking: dict[str, Any] | None = None  # the assistant's message that calls belong to
    calls = CallsSaid(messages)
    for item in sendable(items):
        kind = item["type"]
        if kind == "message":
            message = _said(item)
            messages.append(message)
            speaking = message if message["role"] == "assistant" and CALLING.isdisjoint(message) else None
        elif kind in CALLS:
            speaking = calls.call(item, speaking)
        elif kind in ANSWERS:
            calls.output(item)
            speaking = None
    return messages


def items_of_answer(answer: dict[str, Any], *, cut: bool) -> list[Item]:
    """An engine's message, whole as `Assembler` gives it; `cut` if it ended before its end: what was cut says so.

    Nothing for a cut answer that had not begun. Raises one of `faults.UNREADABLE` for what is no message.
    """
    items = _assistant(answer, answered=True)
    for item in items:
        if item["type"] == "function_call" and not is_whole(item["arguments"]):
            item["status"] = "incomplete"
    if cut:
        if items[-1]["type"] == "message" and EXTRA not in items[-1] and content_of(items[-1]["content"]) == "":
            items.pop()
        said = next((item for item in reversed(items) if item["type"] not in CALLS), None)
        if said is not None:
            said["status"] = "incomplete"
    return [mended(item) for item in items]


def _rest(message: dict[str, Any], *taken: str) -> dict[str, Any]:
    return {name: value for name, value in message.items() if value is not None and name not in taken}


def _message(role: str, parts: list[Part], rest: dict[str, Any]) -> Item:
    if role not in ROLES:
        rest["role"] = role
        role = NO_ROLE
    item = message_of(role, parts)
    add_extra(item, CHAT, rest)
    return item


def _assistant(message: dict[str, Any], *, answered: bool = False) -> list[Item]:
    """What was thought, what was said, what was called. `answered`: it comes from an engine."""
    rest = _rest(message, "role", "content")
    thoughts = dict.fromkeys(rest.pop(name) for name in _THOUGHT if type(rest.get(name)) is str)
    items = [reasoning_of(thought) for thought in thoughts if thought]
    parts = parts_of(message.get("content"), "assistant")
    calls = calls_in(rest, lenient=answered)
    if calls and len(parts) == 1 and parts[0].get("text") == "" and EXTRA not in parts[0]:
        parts = []
    if type(rest.get("refusal")) is str:
        parts.append({"type": "refusal", "refusal": rest.pop("refusal")})
    if type(audio := rest.get("audio")) is dict and type(audio.get("id")) is str:
        parts.append({**rest.pop("audio"), "type": "output_audio"})
    if parts or rest or not calls:
        items.append(_message("assistant", parts, rest))
    return items + calls


def _said(item: Item) -> dict[str, Any]:
    """A message as chats have it."""
    parts = item["content"]
    role = item["role"]
    if EXTRA not in item and len(parts) == 1:
        part = parts[0]
        if len(part) == (3 if role == "assistant" else 2) and "text" in part:
            return {"role": role, "content": part["text"]}
    left = dict(extra_of(item, CHAT))
    own = left.pop("role", role)
    message: dict[str, Any] = {**left, "role": own if role == NO_ROLE else role, "content": ""}
    last = parts[-1] if parts else {}
    if last.get("type") == "output_audio":
        parts = parts[:-1]
        message["audio"] = {"id": last.get("id")}
        if not parts and last.get("transcript"):
            message["content"] = last["transcript"]
        last = parts[-1] if parts else {}
    if last.get("type") == "refusal" and EXTRA not in last and len(parts) <= 2:
        before = content_of(parts[:-1])
        if type(before) is str:
            message["refusal"] = last["refusal"]
            message["content"] = before
            parts = []
    if parts:
        message["content"] = content_of(parts)
    if message["content"] == "" and message["role"] == "assistant" and not _WORDLESS.isdisjoint(message):
        message["content"] = None
    return message
