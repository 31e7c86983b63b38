"""What goes into a response and comes out of it (/v1/responses), and items: they are the same but for what is ours to
give (ids, statuses) and what may be written shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from hayate.errors import InvalidRequest
from hayate.wire.exchanges import sendable
from hayate.wire.item_checks import checked_item
from hayate.wire.item_shapes import CALLS, EXTRA, NO_ROLE, OTHER, Item, Part, is_whole, mended, message
from hayate.wire.refusals import wrong

_OURS: Final = frozenset({"id", "status", "created_by", EXTRA})
_NOT_SAID: Final = frozenset({OTHER, "reasoning_text"})


def items_of_input(
    said: Any,
    *,
    field: str = "input",
    max_item_bytes: int | None = None,
    resolve: Callable[[str], Item | None] | None = None,
) -> list[Item]:
    """A request's `input` as items. `resolve` finds the item that an `item_reference` names, None when there is none.

    Raises InvalidRequest, which names what is wrong and where.
    """
    if isinstance(said, str):
        return [message("user", said)]
    if not isinstance(said, list):
        raise wrong(field, "a string or a list of items", "文字列またはアイテムのリスト")
    items = []
    for n, each in enumerate(said):
        where = f"{field}[{n}]"
        if resolve is not None and _is_reference(each):
            items.append(_resolved(each, where, resolve))
        else:
            items.append(checked_item(each, where, max_bytes=max_item_bytes, kept=True))
    return items


def input_of(items: Iterable[Item]) -> list[Item]:
    """Items as the `input` of an engine that keeps nothing: no ids, no statuses, nothing that was thought."""
    return [_said(item) for item in sendable(items)]


def items_of_output(output: list[Any], *, cut: bool) -> list[Item]:
    """An engine's `output` as items, one for each, with the ids that it gave. `cut`: it ended before its end, and the last
    says so.
    """
    items = []
    for each in output:
        if not isinstance(each, dict) or not isinstance(each.get("type"), str):
            continue
        item: Item = {name: value for name, value in each.items() if value is not None}
        if item["type"] == "message":
            item = {"role": "assistant", "content": [], **item}
        if item["type"] in CALLS or item["type"] == "message":
            item["status"] = "completed"
        if item["type"] == "function_call" and not is_whole(item.get("arguments")):
            item["status"] = "incomplete"
        items.append(mended(item))
    if cut and items and items[-1]["type"] not in CALLS:
        items[-1]["status"] = "incomplete"
    return items


def _is_reference(value: Any) -> bool:
    """An item that only names one may leave its type out."""
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        return False
    kind = value.get("type")
    return kind == "item_reference" or (kind is None and "role" not in value)


def _resolved(reference: dict[str, Any], where: str, resolve: Callable[[str], Item | None]) -> Item:
    item = resolve(reference["id"])
    if item is None:
        raise InvalidRequest(
            f"'{where}' refers to an item that is not kept here: send the item itself.",
            f"'{where}' が参照するアイテムは保存されていません。アイテムそのものを送ってください。",
            param=where,
        )
    return item


def _said(item: Item) -> Item:
    said = {name: value for name, value in item.items() if name not in _OURS}
    if said.get("role") == NO_ROLE:
        said["role"] = "user"
    for name in ("content", "output"):
        if type(parts := said.get(name)) is list:
            said[name] = [_part_said(part) for part in parts if part.get("type") not in _NOT_SAID]
    return said


def _part_said(part: Part) -> Part:
    if part.get("type") == "output_audio":
        return {"type": "output_text", "text": part.get("transcript") or "", "annotations": []}
    return {name: value for name, value in part.items() if name != EXTRA} if EXTRA in part else part
