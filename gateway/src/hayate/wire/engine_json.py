"""JSON as engines write it: read leniently where something must be looked at, written so that any client can read it.

Engines in UTF-16 languages cut a character into two events, each with half of a surrogate pair; Python ones write NaN
and Infinity among log probabilities; a token that is part of a character may arrive as bytes that are no UTF-8. Clients
take all that, so it must not end an answer here. What is written anew is strict: halves of characters escaped, no
number that is none.

Linear in the length, whatever is in it: texts too dense to be read on the event loop are refused (`json_values`),
numbers of many digits become floats, and nesting deeper than a parser's stack is unreadable.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import orjson

from hayate.wire.json_values import MAX_WEIGHT_PER_MIB, NESTED, too_many_values

_LONGEST_INT: Final = 18
_BOM: Final = b"\xef\xbb\xbf"


class Unreadable(ValueError):
    """No parser could make sense of it."""


class TooDense(Unreadable):
    """There is too much in it to be read while everybody waits; it may well be JSON."""


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INT else float(digits)


_LENIENT: Final = json.JSONDecoder(strict=False, parse_int=_int)


def read(raw: bytes) -> Any:
    """The value of a JSON text. Raises Unreadable."""
    if len(raw) * NESTED > MAX_WEIGHT_PER_MIB and too_many_values(raw):
        raise TooDense("too many values")
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    if too_many_values(raw, MAX_WEIGHT_PER_MIB // 2):  # this parser takes twice as long
        raise TooDense("too many values")
    try:
        return _LENIENT.decode(raw.removeprefix(_BOM).decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise Unreadable("not JSON") from None


def write(value: Any) -> bytes:
    """JSON that every client can read. Raises Unreadable for what is nested too deeply to be written."""
    try:
        return orjson.dumps(value)  # writes null for what is no number
    except orjson.JSONEncodeError:
        pass
    try:
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False).encode()
    except RecursionError:
        raise Unreadable("nested too deeply") from None


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return value
