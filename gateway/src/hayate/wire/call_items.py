"""A call of a tool on its way, written as the events by which OpenAI tells of it: a function's with its arguments, a custom
tool's with its text.

It is told of once its name is known, which says what it is; some engines say the name with every piece, or late.
"""

from __future__ import annotations

from typing import Any

from hayate.wire.freeform import Freeform
from hayate.wire.json_text import is_json
from hayate.wire.output_items import Events, Status
from hayate.wire.tool_names import Called, ToolNames


class CallItem:
    """One per call of a tool; `names` says what the model's names stand for."""

    __slots__ = ("_called", "_events", "_names", "_pieces", "_place", "_text", "call_id", "item_id", "status")

    def __init__(self, events: Events, item_id: str, index: int, *, call_id: str, names: ToolNames) -> None:
        self._events = events
        self._place = {"item_id": item_id, "output_index": index}
        self._names = names
        self._called: Called | None = None
        """Known once it has been told of."""
        self._pieces: list[str] = []
        """Of the arguments, as the engine says them."""
        self._text: tuple[Freeform, list[str]] | None = None
        """Of a custom tool: what reads the text, and what it has read."""
        self.call_id = call_id
        self.item_id = item_id
        self.status: Status = "in_progress"

    def add(self, name: str, arguments: str) -> bytes:
        """More of its arguments, and its name where the engine says it."""
        if arguments:
            self._pieces.append(arguments)
        if self._called is None:
            return self._open(name) if name else b""
        if name:
            called = self._names.called(name)
            self._called = called if called.custom is self._called.custom else self._called
        return self._said(arguments) if arguments else b""

    @property
    def is_whole(self) -> bool:
        """Whether it needs no more: arguments that are JSON can't go on."""
        return is_json("".join(self._pieces))

    def close(self, status: Status) -> bytes:
        """Says what it came to."""
        out = self._open("") if self._called is None else b""
        if self._text is not None:
            out += self._delta(self._text[0].end())
        self.status = status
        item = self.whole()
        if self._text is None:
            kind, said = "response.function_call_arguments.done", {"name": item["name"], "arguments": item["arguments"]}
        else:
            kind, said = "response.custom_tool_call_input.done", {"input": item["input"]}
        out += self._events.event(kind, {**self._place, **said})
        return out + self._events.event("response.output_item.done", self._in_response(item))

    def whole(self) -> dict[str, Any]:
        """The item as the response has it."""
        called = self._called or Called("")
        said = "".join(self._pieces) if self._text is None else "".join(self._text[1])
        return {
            "id": self.item_id,
            "type": "custom_tool_call" if called.custom else "function_call",
            "call_id": self.call_id,
            **called.said(),
            "input" if called.custom else "arguments": said,
            "status": self.status,
        }

    def _open(self, name: str) -> bytes:
        """Tells of the call, and of what of it came before its name."""
        self._called = self._names.called(name)
        arguments, self._pieces = "".join(self._pieces), []
        if self._called.custom:
            self._text = Freeform(), []
        out = self._events.event("response.output_item.added", self._in_response(self.whole()))
        if not arguments:
            return out
        self._pieces.append(arguments)
        return out + self._said(arguments)

    def _said(self, arguments: str) -> bytes:
        if self._text is not None:
            return self._delta(self._text[0].feed(arguments))
        return self._events.event("response.function_call_arguments.delta", {**self._place, "delta": arguments})

    def _delta(self, text: str) -> bytes:
        """More of a custom tool's text."""
        if self._text is None or not text:
            return b""
        self._text[1].append(text)
        return self._events.event("response.custom_tool_call_input.delta", {**self._place, "delta": text})

    def _in_response(self, item: dict[str, Any]) -> dict[str, Any]:
        return {"output_index": self._place["output_index"], "item": item}
