"""Custom tools take a text, functions take arguments: a text is the one argument `input`, and is read out of it while it comes."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from hayate.wire.engine_json import Unreadable, read, write
from hayate.wire.json_text import mended, unfinished_bytes, well_formed

FIELD: Final = "input"
_BEGINS: Final = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_MOST_BEFORE: Final = 64
"""In how many characters the text must have begun; where it has not, all is read at the end."""
_TEXT: Final = re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL)


def arguments_of(text: str) -> str:
    """The arguments that say this text."""
    return write({FIELD: text}).decode()


class Freeform:
    """The text of one call: pieces of its arguments in, pieces of it out. What a model says otherwise is a text as it is."""

    __slots__ = ("_before", "_ended", "_held", "_inside", "_size")

    def __init__(self) -> None:
        self._before: list[str] = []
        """What came before the text began."""
        self._size = 0
        self._held = ""
        """An escape that has begun."""
        self._inside = False
        self._ended = False

    def feed(self, piece: str) -> str:
        """What of the text has come with this piece."""
        if self._ended:
            return ""
        if self._inside:
            return self._taken(self._held + piece)
        self._before.append(piece)
        if self._size >= _MOST_BEFORE:
            return ""
        self._size += len(piece)
        before = "".join(self._before)
        began = _BEGINS.match(before, 0, _MOST_BEFORE)
        if began is None:
            return ""
        self._inside, self._before = True, []
        return self._taken(before[began.end() :])

    def end(self) -> str:
        """What has not been told yet: nothing comes any more."""
        if self._inside:
            return ""
        before, self._before, self._inside, self._ended = "".join(self._before), [], True, True
        return _text_in(before)

    def _taken(self, raw: str) -> str:
        found = _TEXT.match(raw)
        end = 0 if found is None else found.end()
        self._ended = raw.startswith('"', end)
        if not self._ended:
            end = len(raw) - unfinished_bytes(raw.encode("utf-8", "surrogatepass"))
            self._held = raw[end:]
        return _meant(raw[:end])


def _text_in(arguments: str) -> str:
    """The text that whole arguments say in some other way."""
    try:
        said: Any = read(arguments.encode("utf-8", "replace"))
    except Unreadable:
        return arguments
    if isinstance(said, str):
        return said
    if isinstance(said, dict):
        text = said.get(FIELD, next(iter(said.values())) if len(said) == 1 else None)
        if isinstance(text, str):
            return text
    return arguments


def _meant(raw: str) -> str:
    """What stands between the quotes of a JSON text; a backslash that escapes nothing is one."""
    if "\\" not in raw:
        return raw
    text = mended(raw.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
    meant: str = well_formed(json.loads(f'"{text}"', strict=False))
    return meant
