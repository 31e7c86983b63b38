"""A deployment's `options`: what its adapter can be told, as a frozen dataclass, read from plain values.

Unknown keys and wrong types are refused, with the key named. A number that was written as `${NAME}` in the
configuration arrives as text and is read as the number it spells.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Options = TypeVar("Options")


class OptionError(Exception):
    """An option can't be used; `key` names it."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


def at_least_one(key: str, value: int | None) -> None:
    """Raises OptionError for a count that is none."""
    if value is not None and value < 1:
        raise OptionError(key, f"must be at least 1, not {value}")


@dataclasses.dataclass(frozen=True, slots=True)
class NoOptions:
    """For adapters that have nothing to be told."""


def read_options(kind: type[Options], given: Mapping[str, Any]) -> Options:
    """The options in `given`, as `kind` declares them. Raises OptionError."""
    hints = get_type_hints(kind)
    for key in given:
        if key not in hints:
            there = f"there are {', '.join(hints)}" if hints else "this backend has none"
            raise OptionError(key, f"is not an option of this backend; {there}")
    return kind(**{key: _read(key, value, hints[key]) for key, value in given.items()})


def _read(key: str, value: Any, hint: Any) -> Any:
    accepted = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for each in accepted:
        if get_origin(each) is Literal:
            if value in get_args(each):
                return value
        elif type(value) is each or (value is None and each is type(None)):
            return value
    for each in accepted:
        if isinstance(value, str) and each in (int, float, bool):
            spelled = _spelled(value, each)
            if spelled is not None:
                return spelled
        if type(value) is int and each is float:
            return float(value)
    raise OptionError(key, f"must be {' or '.join(_named(each) for each in accepted)}, not {value!r}")


def _spelled(text: str, kind: type) -> int | float | bool | None:
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower())
    try:
        return int(text) if kind is int else float(text)
    except ValueError:
        return None


def _named(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(each) for each in get_args(kind))
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "nothing"}
    return names.get(kind, str(kind))
