"""JSON that is read on the event loop: how much it may hold, told from its bytes before anything is made of them.

A parser makes an object of every value, and a megabyte can hold 400,000 empty lists: parsing, walking and freeing those
takes a hundred times as long as a megabyte of text, and nothing else runs meanwhile (a thread would not help, the
parser keeps the interpreter's lock). So a text is weighed first: its commas, colons, quotes and brackets outside
strings, each as dear as what it stands for. Text, images and sounds inside strings weigh nothing, whatever is written
in them.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from hayate.settings import Listening

MAX_WEIGHT_PER_MIB: Final = Listening.max_json_weight_per_mib
"""How much a text may weigh for every MiB of its length, and a shorter one in all: about what is read in 10 ms."""

_MIB: Final = 1 << 20
NESTED: Final = 12
_FIELD: Final = 4
_TEXT: Final = 2
"""An object or list, a field's colon, a quote: in commas, each about one number. No byte weighs more than NESTED."""
_UNWEIGHED: Final = bytes(set(range(256)) - set(b'[{:,.eE"'))


class TooManyValues(orjson.JSONDecodeError):
    """The text holds more values than may be read at once."""


def loads(raw: bytes, max_weight_per_mib: int = MAX_WEIGHT_PER_MIB) -> Any:
    """The value of a JSON text. Raises JSONDecodeError, and TooManyValues, which is one."""
    if too_many_values(raw, max_weight_per_mib):
        raise TooManyValues("too many values", "", 0)
    return orjson.loads(raw)


def too_many_values(raw: bytes, max_weight_per_mib: int = MAX_WEIGHT_PER_MIB) -> bool:
    """Whether a text is denser than it may be. Linear, and free for short texts.

    >>> too_many_values(b'{"text":"' + b"[,[,[," * 100_000 + b'"}')
    False
    >>> too_many_values(b"[" + b"[]," * 100_000 + b"0]")
    True
    """
    size = len(raw)
    if size * NESTED <= max_weight_per_mib:
        return False
    allowed = max_weight_per_mib * size // _MIB if size > _MIB else max_weight_per_mib
    marks = raw.translate(None, _UNWEIGHED)
    if NESTED * len(marks) <= allowed or _TEXT * marks.count(b'"') + _weight(marks) <= allowed:
        return False  # even if all of it stood outside strings
    plain = raw
    if b"\\" in raw:
        # A backslash escapes the next character, itself first of all: without both, every quote left begins or ends a string.
        plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    quotes = _TEXT * plain.count(b'"')
    return quotes > allowed or quotes + _weight(b"".join(plain.split(b'"')[::2])) > allowed


def _weight(text: bytes) -> int:
    """Of what is not quoted; a decimal point or an exponent makes a number dearer."""
    nested = text.count(b"[") + text.count(b"{")
    dearer = text.count(b".") + text.count(b"e") + text.count(b"E")
    return NESTED * nested + _FIELD * text.count(b":") + text.count(b",") + dearer
