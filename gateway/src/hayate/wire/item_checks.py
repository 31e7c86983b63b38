"""What callers send as items: looked at before it is kept, and put as it is kept, or refused with the place named.

What is not known of an item is kept as it is: OpenAI's items grow fields. `null` is "not set", and ids are ours to give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from hayate.errors import InvalidRequest
from hayate.wire.caps import Caps
from hayate.wire.engine_json import Unreadable, write
from hayate.wire.item_shapes import EXTRA, KEPT, MADE, NO_ROLE, OTHER, ROLES, Item, Part, text_part
from hayate.wire.media import check_sources
from hayate.wire.refusals import missing, wrong, wrong_value
from hayate.wire.request_body import too_deep

MOST_ITEMS: Final = 20
"""In one request, as at OpenAI."""
_TEXTS: Final = frozenset({"input_text", "output_text", "text"})
_MEDIA: Final = {
    "input_image": ("image_url", "file_id"),
    "computer_screenshot": ("image_url", "file_id"),
    "input_file": ("file_data", "file_id", "file_url"),
}
"""Of each one must be there, all are strings."""
_PARTS: Final = ("input_text", "output_text", "refusal", "input_image", "input_file", "input_audio", "output_audio")
_INSIDE: Final = ("summary_text", "reasoning_text")
_FILES: Final = ("image_url", "file_data", "data")
"""Fields that hold a file, in base64."""
_STATUSES: Final = ("completed", "incomplete", "in_progress")


def check_items(
    value: Any,
    field: str,
    *,
    most: int = MOST_ITEMS,
    max_item_bytes: int,
    kept: bool = False,
    caps: Caps | None = None,
) -> list[Item]:
    """The items that a caller wants kept, as they are kept. Raises InvalidRequest, which names what is wrong and where.

    `max_item_bytes` is of an item's JSON but its pictures and other files. With `kept` the kinds that only engines say
    are taken, too: the items were ours before. With `caps` no item may name a file that an engine would have to fetch.
    """
    if not isinstance(value, list):
        raise wrong(field, "a list of items", "アイテムのリスト")
    if len(value) > most:
        raise InvalidRequest(
            f"'{field}' holds {len(value)} items; send at most {most} in one request.",
            f"'{field}' のアイテムが{len(value)}個あります。1回のリクエストでは{most}個までにしてください。",
            param=field,
        )
    if caps is not None:
        check_sources(field, value, caps)
    return [checked_item(each, f"{field}[{n}]", max_bytes=max_item_bytes, kept=kept) for n, each in enumerate(value)]


def checked_item(value: Any, where: str, *, max_bytes: int | None = None, kept: bool = False) -> Item:
    """One item, whose place is `where`; see `check_items`."""
    if not isinstance(value, dict):
        raise wrong(where, "an object", "オブジェクト")
    item: Item = {name: each for name, each in value.items() if each is not None and name != "id"}
    kind = item.get("type", "message" if "role" in item else None)
    if kind is None:
        raise missing(f"{where}.type")
    if not isinstance(kind, str):
        raise wrong(f"{where}.type", "a string such as 'message'", "'message' などの文字列")
    item = {"type": kind, **item}
    check = _CHECKS.get(kind)
    if check is not None:
        _check_status(item, where)
        check(item, where)
    elif kind not in KEPT:
        raise _unknown_kind(kind, where)
    elif not kept:
        raise InvalidRequest(
            f"'{where}.type' is '{kind}', which only an engine can add. Send one of: {', '.join(MADE)}.",
            f"'{where}.type' の '{kind}' はエンジンだけが追加できます。次のいずれかを送ってください: {', '.join(MADE)}",
            param=f"{where}.type",
        )
    _check_extra(item, where)
    if max_bytes is not None:
        _check_size(item, where, max_bytes)
    return item


def _unknown_kind(kind: str, where: str) -> InvalidRequest:
    if kind == "item_reference":
        return InvalidRequest(
            f"'{where}' is an item_reference, which can't be resolved here: send the item itself.",
            f"'{where}' の item_reference はここでは解決できません。アイテムそのものを送ってください。",
            param=where,
        )
    return wrong_value(f"{where}.type", f"one of {', '.join(MADE)}", f"{', '.join(MADE)} のいずれか", kind)


def _check_status(item: Item, where: str) -> None:
    status = item.get("status", "completed")
    if status not in _STATUSES:
        raise wrong_value(f"{where}.status", "'completed' or 'incomplete'", "'completed' か 'incomplete'", status)
    if item["type"] != "reasoning" or "status" in item:
        item["status"] = "completed" if status == "completed" else "incomplete"


def _message(item: Item, where: str) -> None:
    if "role" not in item:
        raise missing(f"{where}.role")
    role = item["role"]
    if role not in ROLES and not (role == NO_ROLE and EXTRA in item):
        raise wrong_value(f"{where}.role", f"one of {', '.join(ROLES)}", f"{', '.join(ROLES)} のいずれか", role)
    if "content" not in item:
        raise missing(f"{where}.content")
    item["content"] = _content(item["content"], f"{where}.content", role)


def _call(item: Item, where: str) -> None:
    for name in ("call_id", "name"):
        _check_text(item, name, where)
    _check_text(item, "arguments" if item["type"] == "function_call" else "input", where, empty=True)
    if "namespace" in item:
        _check_text(item, "namespace", where)


def _output(item: Item, where: str) -> None:
    _check_text(item, "call_id", where)
    if "output" not in item:
        raise missing(f"{where}.output")
    if not isinstance(item["output"], str):
        item["output"] = _content(item["output"], f"{where}.output", "tool")


def _reasoning(item: Item, where: str) -> None:
    item.setdefault("summary", [])
    for name in ("summary", "content"):
        parts = item.get(name, [])
        if not isinstance(parts, list):
            raise wrong(f"{where}.{name}", "a list of parts", "パーツのリスト")
        for n, part in enumerate(parts):
            if not isinstance(part, dict) or part.get("type") not in _INSIDE:
                raise wrong(
                    f"{where}.{name}[{n}]", "an object with 'type' and 'text'", "'type' と 'text' を持つオブジェクト"
                )
            _check_text(part, "text", f"{where}.{name}[{n}]", empty=True)
    if "encrypted_content" in item:
        _check_text(item, "encrypted_content", where, empty=True)


_CHECKS: Final[dict[str, Callable[[Item, str], None]]] = {
    "message": _message,
    "function_call": _call,
    "custom_tool_call": _call,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "reasoning": _reasoning,
}


def _content(content: Any, where: str, role: str) -> list[Part]:
    if isinstance(content, str):
        return [text_part(role, content)]
    if not isinstance(content, list):
        raise wrong(where, "a string or a list of parts", "文字列またはパーツのリスト")
    return [_part(part, f"{where}[{n}]", role) for n, part in enumerate(content)]


def _part(value: Any, where: str, role: str) -> Part:
    if not isinstance(value, dict):
        raise wrong(where, "an object with 'type'", "'type' を持つオブジェクト")
    part: Part = {name: each for name, each in value.items() if each is not None}
    if "type" not in part:
        raise missing(f"{where}.type")
    kind = part["type"]
    if not isinstance(kind, str):
        raise wrong(f"{where}.type", "a string such as 'input_text'", "'input_text' などの文字列")
    if kind in _TEXTS:
        _check_text(part, "text", where, empty=True)
        part = {**text_part(role, ""), **part, "type": "output_text" if role == "assistant" else "input_text"}
    elif kind == "refusal":
        _check_text(part, "refusal", where, empty=True)
    elif kind in _MEDIA:
        _check_medium(part, where)
    elif kind == "input_audio":
        _check_audio(part, where)
    elif kind in _INSIDE:
        _check_text(part, "text", where, empty=True)
    elif kind != "output_audio" and not (kind == OTHER and EXTRA in part):
        raise wrong_value(f"{where}.type", f"one of {', '.join(_PARTS)}", f"{', '.join(_PARTS)} のいずれか", kind)
    _check_extra(part, where)
    return part


def _check_medium(part: Part, where: str) -> None:
    named = [name for name in _MEDIA[part["type"]] if name in part]
    if not named:
        raise missing(f"{where}.{_MEDIA[part['type']][0]}")
    for name in named:
        _check_text(part, name, where)


def _check_audio(part: Part, where: str) -> None:
    audio = part.get("input_audio")
    if not isinstance(audio, dict):
        raise wrong(
            f"{where}.input_audio", "an object with 'data' and 'format'", "'data' と 'format' を持つオブジェクト"
        )
    for name in ("data", "format"):
        _check_text(audio, name, f"{where}.input_audio")


def _check_text(fields: dict[str, Any], name: str, where: str, *, empty: bool = False) -> None:
    if name not in fields:
        raise missing(f"{where}.{name}")
    if not isinstance(fields[name], str) or not (fields[name] or empty):
        raise wrong(
            f"{where}.{name}",
            "a string" if empty else "a string with something in it",
            "文字列" if empty else "空でない文字列",
        )


def _check_extra(holder: dict[str, Any], where: str) -> None:
    """What is ours comes from an export of ours; anything else there would be taken for it."""
    extra = holder.get(EXTRA, {})
    if not isinstance(extra, dict) or not all(isinstance(left, dict) for left in extra.values()):
        raise wrong(f"{where}.{EXTRA}", "an object of objects, or left out", "オブジェクトのオブジェクトにするか省略")


def _check_size(item: Item, where: str, max_bytes: int) -> None:
    """Files don't count; whoever sends too much text is told which."""
    try:
        size = len(write(item))
    except Unreadable:
        raise too_deep() from None
    if size <= max_bytes or size - _file_chars(item) <= max_bytes:
        return
    name, longest = max(_texts(item, where), key=lambda found: len(found[1]), default=(where, ""))
    if len(longest.encode("utf-8", "replace")) > max_bytes:
        where = name
    raise InvalidRequest(
        f"'{where}' is over {max_bytes} bytes (history.max_item_bytes). Send a shorter text.",
        f"'{where}' が上限（{max_bytes}バイト、history.max_item_bytes）を超えています。テキストを短くしてください。",
        param=where,
    )


def _parts_of(item: Item, where: str) -> Iterator[tuple[str, Part]]:
    for name in ("content", "output", "summary"):
        if isinstance(parts := item.get(name), list):
            yield from ((f"{where}.{name}[{n}]", part) for n, part in enumerate(parts) if isinstance(part, dict))


def _file_chars(item: Item) -> int:
    chars = 0
    for _, part in _parts_of(item, ""):
        held = part.get("input_audio")
        fields = {**part, **held} if isinstance(held, dict) else part
        chars += sum(len(fields[name]) for name in _FILES if isinstance(fields.get(name), str))
    return chars


def _texts(item: Item, where: str) -> Iterator[tuple[str, str]]:
    for place, holder in ((where, item), *_parts_of(item, where)):
        for name, value in holder.items():
            if isinstance(value, str) and name not in _FILES:
                yield f"{place}.{name}", value
