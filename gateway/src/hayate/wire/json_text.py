"""JSON's texts in pieces, as engines cut and miswrite them: what is left unfinished at a piece's end, what no parser takes,
what is no text at all once it is parsed.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

_LONGEST_UNFINISHED_BYTES: Final = 11
"""Half of a pair in six bytes, and five of the other's."""
_UNFINISHED_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?|u[0-9a-fA-F]{0,3}|)\Z"
)
_ESCAPE: Final = re.compile(rb'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|)')
_HALF: Final = re.compile("[\ud800-\udfff]")


def unfinished_bytes(text: bytes | bytearray) -> int:
    """How many bytes at the end of a text, as it stands between its quotes, are a part of a character or of an escape that
    has not come whole.
    """
    tail = bytes(text[-_LONGEST_UNFINISHED_BYTES:])
    for begun in _UNFINISHED_ESCAPE.finditer(tail):
        before = len(text) - len(tail) + begun.start()
        at = before
        while at and text[at - 1] == 0x5C:
            at -= 1
        if (before - at) % 2 == 0:  # else that backslash is itself escaped, and ends something
            return len(tail) - begun.start()
    for count in range(1, min(4, len(tail) + 1)):
        byte = tail[-count]
        if byte >= 0xC0:
            return count if count < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4) else 0
        if byte < 0x80:
            return 0
    return 0


def mended(raw: bytes) -> bytes:
    """JSON with every backslash that escapes nothing as one that is meant."""
    return _ESCAPE.sub(lambda found: found[0] if found[1] else rb"\\", raw)


def well_formed(value: Any) -> Any:
    """A value whose texts can be written anywhere: halves of characters joined where both are there, and else replaced."""
    if isinstance(value, str):
        if _HALF.search(value) is None:
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {well_formed(key): well_formed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [well_formed(each) for each in value]
    return value


def is_json(text: str) -> bool:
    """Whether it is a JSON text, and nothing beside it."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
