"""A deployment's `options`: what its adapter can be told, as a frozen dataclass, read from plain values.

Unknown keys and wrong types are refused, with the key named. A number that was written as `${NAME}` in the
configuration arrives as text and is read as the number it spells.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hayate.language import BilingualError, Text

Options = TypeVar("Options")


class OptionError(BilingualError):
    """An option can't be used; `key` names it."""

    def __init__(self, key: str, english: str, japanese: str) -> None:
        super().__init__(english, japanese)
        self.key = key


def at_least_one(key: str, value: int | None) -> None:
    """Raises OptionError for a count that is none."""
    if value is not None and value < 1:
        raise OptionError(key, f"must be at least 1, not {value}", f"1以上にしてください（指定値: {value}）")


@dataclasses.dataclass(frozen=True, slots=True)
class NoOptions:
    """For adapters that have nothing to be told."""


def read_options(kind: type[Options], given: Mapping[str, Any]) -> Options:
    """The options in `given`, as `kind` declares them. Raises OptionError for the first that can't be used."""
    for mistake in option_mistakes(kind, given):
        raise mistake
    hints = get_type_hints(kind)
    return kind(**{key: _read(key, value, hints[key]) for key, value in given.items()})


def option_mistakes(kind: type[Any], given: Mapping[str, Any]) -> list[OptionError]:
    """Everything in `given` that `kind` does not take, each by its name; what is good is no help to what isn't."""
    hints, found = get_type_hints(kind), []
    for key, value in given.items():
        if key not in hints:
            found.append(_unknown(key, list(hints)))
            continue
        try:
            kind(**{key: _read(key, value, hints[key])})
        except OptionError as error:
            found.append(error)
    return found


def _unknown(key: str, there: list[str]) -> OptionError:
    if not there:
        return OptionError(
            key,
            "is not an option of this backend; this backend has none, remove it",
            "このバックエンドに固有の設定はありません。取り除いてください",
        )
    listed = ", ".join(there)
    return OptionError(
        key,
        f"is not an option of this backend; {'there are' if len(there) > 1 else 'the only one is'} {listed}",
        f"このバックエンドにそのような設定はありません。使えるのは{listed}です",
    )


def _read(key: str, value: Any, hint: Any) -> Any:
    accepted = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for each in accepted:
        if get_origin(each) is Literal:
            for one in get_args(each):
                if value == str(one) or (type(value) is type(one) and value == one):
                    return one
        elif type(value) is each or (value is None and each is type(None)):
            return value
    for each in accepted:
        if isinstance(value, str) and each in (int, float, bool):
            spelled = _spelled(value, each)
            if spelled is not None:
                return spelled
        if type(value) is int and each is float:
            return float(value)
    names = [_named(each) for each in accepted]
    shown = "" if isinstance(value, list | dict) else repr(value)[:60]
    raise OptionError(
        key,
        f"must be {' or '.join(each.en for each in names)}" + (f", not {shown}" if shown else ""),
        f"{'か'.join(each.ja for each in names)}にしてください" + (f"（指定値: {shown}）" if shown else ""),
    )


def _spelled(text: str, kind: type) -> int | float | bool | None:
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower())
    try:
        return int(text) if kind is int else float(text)
    except ValueError:
        return None


def _named(kind: Any) -> Text:
    if get_origin(kind) is Literal:
        listed = ", ".join(str(each) for each in get_args(kind))
        return Text(f"one of {listed}", f"次のいずれか（{listed}）")
    names = {
        int: Text("a whole number", "整数"),
        float: Text("a number", "数値"),
        bool: Text("true or false", "trueかfalse"),
        str: Text("text", "文字列"),
        type(None): Text("nothing", "null"),
    }
    return names.get(kind, Text(str(kind), str(kind)))
