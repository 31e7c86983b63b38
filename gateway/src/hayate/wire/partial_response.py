"""A response from its events, as far as they came: what there is of it where its last event, which holds all of it, is missing."""

from __future__ import annotations

from typing import Any, Final

ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_BEGINS: Final = frozenset({"response.created", "response.queued", "response.in_progress"})
_ITEMS: Final = frozenset({"response.output_item.added", "response.output_item.done"})
_PARTS: Final = {
    "response.output_text.delta": ("message", "content", "output_text", "text"),
    "response.refusal.delta": ("message", "content", "refusal", "refusal"),
    "response.reasoning_text.delta": ("reasoning", "content", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary", "summary_text", "text"),
}
"""What a delta of a part belongs to: the type of its item, the list in that, the type of the part, its field."""
_FIELDS: Final = {
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
}
"""The same of deltas that continue a field of the item itself."""


class PartialResponse:
    """Parsed events in, the response out. One per call. `add` raises one of `faults.UNREADABLE` for what is no event of a
    response.
    """

    __slots__ = ("_begun", "_items", "_whole")

    def __init__(self) -> None:
        self._whole: dict[str, Any] = {}
        self._begun: dict[str, Any] = {}
        self._items: dict[Any, _Item] = {}
        """In the order in which they began, by their ids, or places where an engine names none."""

    def add(self, event: dict[str, Any]) -> None:
        """Takes one event of the response's, parsed."""
        kind = event.get("type")
        if kind in ENDS:
            self._whole = self._whole or event["response"]
            self._items = {}
        elif kind in _BEGINS:
            self._begun = event["response"]
        elif kind in _ITEMS:  # its end says all of it again
            self._items[_key(event, event["item"].get("id"))] = _Item(event["item"])
        elif kind in _PARTS:
            item_type, into, part_type, field = _PARTS[kind]
            at = event.get("summary_index" if into == "summary" else "content_index", 0)
            self._item(event, item_type).say((into, int(at), part_type, field), event["delta"])
        elif kind in _FIELDS:
            item_type, field = _FIELDS[kind]
            self._item(event, item_type).say(("", 0, "", field), event["delta"])

    def answer(self) -> dict[str, Any]:
        """The whole response; what there is of it, if its end has not come. Raises ValueError when there was none."""
        if self._whole:
            return self._whole
        if not self._begun and not self._items:
            raise ValueError("a stream without a response")
        return {**self._begun, "status": "incomplete", "output": [each.whole() for each in self._items.values()]}

    def _item(self, event: dict[str, Any], item_type: str) -> _Item:
        """Whose delta this is; an engine may have forgotten to begin the item."""
        key = _key(event, event.get("item_id"))
        item = self._items.get(key)
        if item is None:
            item = self._items[key] = _Item({"type": item_type, "id": event.get("item_id")})
        return item


def _key(event: dict[str, Any], item_id: Any) -> Any:
    return item_id if isinstance(item_id, str) else event.get("output_index", 0)


class _Item:
    """One item on its way."""

    __slots__ = ("_begun", "_pieces")

    def __init__(self, begun: dict[str, Any]) -> None:
        self._begun = begun
        self._pieces: dict[tuple[str, int, str, str], list[str]] = {}
        """By the list that the part is in ("": the item itself), its place there, its type, the field that is continued."""

    def say(self, where: tuple[str, int, str, str], piece: str) -> None:
        """A piece of a text. Raises TypeError for what is none."""
        if not isinstance(piece, str):
            raise TypeError("a delta that is no text")
        self._pieces.setdefault(where, []).append(piece)

    def whole(self) -> dict[str, Any]:
        """The item as far as it came."""
        item = dict(self._begun)
        for (into, _, part_type, field), pieces in sorted(self._pieces.items(), key=lambda each: each[0]):
            text = "".join(pieces)
            if into:
                item[into] = [*(item.get(into) or ()), {"type": part_type, field: text}]
            else:
                item[field] = (item.get(field) or "") + text
        if item.get("status") != "completed":
            item["status"] = "incomplete"
        if item.get("type") == "message":
            item.setdefault("role", "assistant")
        return item
