"""How a mistake in a request is told: the field's name, what it must be, and what was given, cut short."""

from __future__ import annotations

import math
from typing import Any

import orjson

from hayate.errors import InvalidRequest

_SHOWN_CHARS = 40


def wrong(name: str, wanted: str, wanted_ja: str) -> InvalidRequest:
    """The field must be something else."""
    return InvalidRequest(f"'{name}' must be {wanted}.", f"'{name}' は{wanted_ja}にしてください。", param=name)


def missing(name: str) -> InvalidRequest:
    """The field must be there."""
    return InvalidRequest(f"'{name}' is missing.", f"'{name}' がありません。", param=name)


def given_twice(name: str) -> InvalidRequest:
    """The field may be there once only."""
    return InvalidRequest(f"'{name}' is given twice.", f"'{name}' が2回指定されています。", param=name)


def wrong_value(name: str, wanted: str, wanted_ja: str, value: Any) -> InvalidRequest:
    """The same, with the value that was given."""
    return InvalidRequest(
        f"'{name}' must be {wanted}, not {shown(value)}.",
        f"'{name}' は{wanted_ja}にしてください（指定値: {shown(value)}）。",
        param=name,
    )


def over_cap(name: str, cap: int, value: Any, setting: str) -> InvalidRequest:
    """The operator allows less: named with the setting, for callers who can ask for more."""
    return InvalidRequest(
        f"'{name}' may be at most {cap} here, not {shown(value)} ({setting}).",
        f"'{name}' の上限は {cap} です（指定値: {shown(value)}、設定: {setting}）。",
        param=name,
    )


def shown(value: Any) -> str:
    """A value as a sentence names it, a long one cut short."""
    if isinstance(value, bool) or value is None:
        text = orjson.dumps(value).decode()
    elif isinstance(value, int):
        # Putting a number of many digits into decimals takes the square of their count.
        text = str(value) if value.bit_length() < 256 else "a number with many digits"
    elif isinstance(value, float):
        text = orjson.dumps(value).decode() if math.isfinite(value) else str(value)
    elif isinstance(value, str):
        text = orjson.dumps(value[: _SHOWN_CHARS + 1]).decode()
    else:
        text = named(value)
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"


def named(value: Any) -> str:
    """The kind of a value."""
    return {list: "a list", dict: "an object", str: "a string", bool: "true or false", type(None): "null"}.get(
        type(value), "a number"
    )


def no_message(field: str) -> InvalidRequest:
    """What stands among messages and is none."""
    return wrong(field, "an object with 'role' and 'content'", "'role' と 'content' を持つオブジェクト")
