"""What goes into a response and comes out of it (/v1/responses), and items: they are the same but for what is ours to
give (ids, statuses) and what may be written shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from hayate.errors import InvalidRequest
from hayate.wire.exchanges import ANSWERS, sendable
from hayate.wire.item_checks import checked_item
from hayate.wire.item_shapes import (
    CALLS,
    EXTRA,
    NO_ROLE,
    OTHER,
    Item,
    Part,
    is_whole,
    mended,
    message,
    sound,
    text_part,
)
from hayate.wire.refusals import wrong

_OURS: Final = frozenset({"id", "status", "created_by", EXTRA})
_TEXTS: Final = frozenset({"output_text", "input_text", "text", "summary_text", "refusal", "output_audio"})
"""What an assistant says in words; llama.cpp knows no refusals, and nobody audio of answers."""
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
    says so. What is no item is left out.
    """
    items = [item for each in output if (item := _item_of(each)) is not None]
    if cut and items and items[-1]["type"] not in CALLS:
        items[-1]["status"] = "incomplete"
    return items


def _item_of(said: Any) -> Item | None:
    """What an engine said, with all that its kind needs; None for what is no item."""
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        return None
    item: Item = {name: value for name, value in said.items() if value is not None and name != EXTRA}
    kind = item["type"]
    if kind == "message":
        item |= {"status": "completed", "role": "assistant", "content": sound(item.get("content"))}
    elif kind in CALLS:
        lost = [name for name in ("call_id", "name", CALLS[kind]) if not isinstance(item.get(name), str)]
        item |= dict.fromkeys(lost, "")
        if not isinstance(item.get("namespace", ""), str):
            del item["namespace"]
        half = lost or (kind == "function_call" and not is_whole(item["arguments"]))
        item["status"] = "incomplete" if half else "completed"
    elif kind in ANSWERS:
        if not isinstance(item.get("call_id"), str):
            return None
        if not isinstance(item.get("output"), str):
            item["output"] = sound(item.get("output"))
    return mended(item)


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
    if said["type"] == "message":
        said["content"] = _parts_said(said["content"])
        if said["role"] == "assistant":
            said["content"] = _in_one(said["content"])
        elif said["role"] == NO_ROLE:
            said["role"] = "user"
    elif said["type"] in ANSWERS and type(said["output"]) is list:
        said["output"] = _parts_said(said["output"])
    return said


def _in_one(parts: list[Part]) -> list[Part]:
    """What an assistant said, in one text: vLLM reads the first part alone, and fails where there is none."""
    if len(parts) == 1 and parts[0]["type"] == "output_text":
        return parts
    text = "".join(_words(part) for part in parts)
    return [text_part("assistant", text), *(part for part in parts if not _words(part) and part["type"] not in _TEXTS)]


def _words(part: Part) -> str:
    found = next((part[name] for name in ("text", "refusal", "transcript") if type(part.get(name)) is str), "")
    return str(found)


def _parts_said(parts: list[Part]) -> list[Part]:
    return [
        {name: value for name, value in part.items() if name != EXTRA} if EXTRA in part else part
        for part in parts
        if part["type"] not in _NOT_SAID
    ]
