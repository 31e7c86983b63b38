"""Calls of tools in chat messages, what came of them, and items, both ways.

Before calls had ids a message could make one, `function_call`, answered by the role `function`: its id is made of its name.
"""

from __future__ import annotations

from typing import Any, Final

from hayate.wire.chat_parts import content_of, parts_of
from hayate.wire.engine_json import write
from hayate.wire.item_shapes import CALLS, CHAT, EXTRA, Item, add_extra, extra_of, rest_of
from hayate.wire.tool_names import flat_name

CALLING: Final = frozenset({"tool_calls", "function_call"})
"""The fields of a message that hold calls."""
_LEGACY: Final = "function:"
_CALL: Final = {"id", "type", "function"}
_FUNCTION: Final = {"name", "arguments"}
_OUTPUT: Final = {"role", "tool_call_id", "content"}


def calls_in(rest: dict[str, Any], *, lenient: bool) -> list[Item]:
    """The calls in what is left of a message, taken out of it. When one of them has another shape all of them stay there,
    or, `lenient`, that one is left out: nobody could call it, and it would come back again and again.
    """
    calls = rest.get("tool_calls")
    if type(calls) is list:
        made = [item for call in calls if (item := _call(call)) is not None]
        if lenient or len(made) == len(calls):
            del rest["tool_calls"]
        else:
            made = []
        if made or "tool_calls" in rest:
            return made
    old = rest.get("function_call")
    if type(old) is dict and type(old.get("name")) is str and type(old.get("arguments", "")) is str:
        item = _called("function_call", _LEGACY + old["name"], old["name"], old.get("arguments", ""))
        item[EXTRA] = {CHAT: {"function_call": rest_of(old, "name", "arguments")}}
        del rest["function_call"]
        return [item]
    return []


def _called(kind: str, call_id: str, name: str, text: str) -> Item:
    return {"type": kind, "status": "completed", "call_id": call_id, "name": name, CALLS[kind]: text}


def _call(call: Any) -> Item | None:
    """One of a message's calls; None for what has another shape."""
    if type(call) is not dict:
        return None
    if call.keys() == _CALL and type(inner := call["function"]) is dict and inner.keys() == _FUNCTION:
        call_id, name, text = call["id"], inner["name"], inner["arguments"]
        if type(call_id) is type(name) is type(text) is str and call["type"] == "function":
            return _called("function_call", call_id, name, text)
    kind = call.get("type") or "function"
    inner = call.get(kind) if kind in ("function", "custom") else None
    if type(inner) is not dict or type(inner.get("name")) is not str:
        return None
    left = rest_of(call, "id", "type", kind)
    made = "function_call" if kind == "function" else "custom_tool_call"
    inner_left = rest_of(inner, "name", CALLS[made])
    text = inner.get(CALLS[made])
    if text is None:
        text = ""
    elif type(text) is not str:
        inner_left[CALLS[made]] = text
        text = write(text).decode()
    call_id = call.get("id")
    if type(call_id) is not str:
        if call_id is not None:
            left["id"] = call_id
        call_id = ""
    if inner_left:
        left[kind] = inner_left
    item = _called(made, call_id, inner["name"], text)
    add_extra(item, CHAT, left)
    return item


def output_item(message: dict[str, Any], role: str) -> Item:
    """What a tool returned, in a message of the role `tool` or `function`."""
    content = message.get("content")
    if message.keys() == _OUTPUT and type(content) is type(call_id := message["tool_call_id"]) is str:
        return {"type": "function_call_output", "status": "completed", "call_id": call_id, "output": content}
    rest = {name: value for name, value in message.items() if value is not None and name not in ("role", "content")}
    if role == "function":
        name = rest.pop("name", "")
        call_id = _LEGACY + name if type(name) is str else _LEGACY
    else:
        call_id = rest.pop("tool_call_id", "")
        if type(call_id) is not str:
            rest["tool_call_id"] = call_id
            call_id = ""
    item: Item = {
        "type": "function_call_output",
        "status": "completed",
        "call_id": call_id,
        "output": parts_of(content, role) if type(content) is list else content or "",
    }
    add_extra(item, CHAT, rest)
    return item


class CallsSaid:
    """Puts calls and outputs into messages, in the order in which they come. One for each conversation."""

    __slots__ = ("_legacy", "_messages")

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self._messages = messages
        self._legacy: set[str] = set()

    def call(self, item: Item, speaking: dict[str, Any] | None) -> dict[str, Any]:
        """Adds a call to the assistant's message `speaking`, or to a new one: to the one that is returned."""
        left = extra_of(item, CHAT) if EXTRA in item else {}
        legacy = "function_call" in left
        if speaking is None or "function_call" in speaking or (legacy and "tool_calls" in speaking):
            speaking = {"role": "assistant", "content": None}
            self._messages.append(speaking)
        elif speaking["content"] == "":
            speaking["content"] = None
        call_id, field = item["call_id"], CALLS[item["type"]]
        called = {"name": flat_name(item["name"], item.get("namespace")), field: item[field]}
        if legacy:
            self._legacy.add(call_id)
            speaking["function_call"] = {**_dict(left["function_call"]), **called}
            return speaking
        self._legacy.discard(call_id)
        kind = "function" if field == "arguments" else "custom"
        said = {"id": call_id, "type": kind, kind: called}
        if left:
            said = {**said, **left, kind: {**called, **_dict(left.get(kind))}}
        calls = speaking.get("tool_calls")
        if calls is None:
            speaking["tool_calls"] = [said]
        else:
            calls.append(said)
        return speaking

    def output(self, item: Item) -> None:
        """Adds what a tool returned."""
        output, call_id = item["output"], item["call_id"]
        content = output if type(output) is str else content_of(output)
        if call_id in self._legacy:
            said = {"role": "function", "name": call_id.removeprefix(_LEGACY), "content": content}
        else:
            said = {"role": "tool", "tool_call_id": call_id, "content": content}
        if EXTRA in item:
            said = {**said, **rest_of(extra_of(item, CHAT), "role", "content")}
        self._messages.append(said)


def _dict(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else {}
