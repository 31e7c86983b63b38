"""The short way for plain text: an HTTP chunk that holds one event which differs from the last in nothing but its text.

Most of a stream is such events. What stands before and after the text is remembered (`Shape`), so the next chunk is known by
two comparisons and a search through the text alone, and goes to the client as it is, framing and all, unparsed. Whatever does
not fit, down to a single quote in the text, is looked at longer, and read by the decoder if it is not plain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from hayate.wire.http1 import chunk_size

_TEXT_KEYS: Final = (b'"content":"', b'"text":"', b'"reasoning_content":"', b'"reasoning":"')
_MAX_CHUNK_BYTES: Final = 2048
_NO_CHUNK: Final = b"no chunk is this long"


def _size_line(length: int) -> bytes:
    """The first line of a chunk that is `length` bytes long, framing included."""
    for digits in range(1, 4):
        size = length - digits - 4
        if size > 0 and len(b"%x" % size) == digits:
            return b"%x\r\n" % size
    return _NO_CHUNK


_SIZE_LINES: Final = tuple(_size_line(length) for length in range(_MAX_CHUNK_BYTES))


class Shape:
    """What stands before and after the text of a plain event, the line end of the chunk included."""

    __slots__ = ("after", "after_bytes", "before", "before_bytes")

    def __init__(self, before: bytes, after: bytes) -> None:
        self.before = before
        self.before_bytes = len(before)
        self.after = after + b"\r\n"
        self.after_bytes = len(self.after)


_UNKNOWN: Final = Shape(_NO_CHUNK, _NO_CHUNK)


def _nowhere(_: bytes) -> None:
    raise RuntimeError("a lane that nobody has opened")


def shape_of(event: bytes) -> Shape | None:
    """The shape of one plain event, or None when its text can't be told apart.

    A key with its colon and opening quote can't stand inside a JSON string, where quotes are escaped: what follows it is
    text, up to the next quote that is not escaped.
    """
    for key in _TEXT_KEYS:
        at = event.find(key)
        if at < 0:
            continue
        start = at + len(key)
        end = event.find(b'"', start)
        if end > start and event[end - 1] != 0x5C:  # a backslash: the quote belongs to the text
            return Shape(event[:start], event[end:])
    return None


class Reader(Protocol):
    """A decoder that can tell a plain event from others."""

    def is_plain(self, event: bytes) -> bool:
        """Whether `event` is one whole event and may pass unread."""


class Lane:
    """Passes on plain events, each in a chunk of its own. One per stream."""

    __slots__ = ("_reader", "_shape", "_write", "otherwise", "passed")

    def __init__(self, reader: Reader, write: Callable[[bytes], None]) -> None:
        self._reader = reader
        self._shape = _UNKNOWN
        self._write = write
        self.otherwise: Callable[[bytes], None] = _nowhere
        """Who takes what does not pass: set by whoever offers the reads."""
        self.passed = 0
        """How many events went this way."""

    def take(self, chunk: bytes) -> None:
        """Sends `chunk` on if it is exactly one whole chunk with one plain event, else leaves it to `otherwise`.

        To be offered what is read between two chunks only.
        """
        shape = self._shape
        length = len(chunk)
        size_line = _SIZE_LINES[length] if length < _MAX_CHUNK_BYTES else _NO_CHUNK
        head_bytes = len(size_line)
        if (
            chunk.find(b'"', head_bytes + shape.before_bytes) == length - shape.after_bytes
            and chunk.endswith(shape.after)
            and chunk.startswith(shape.before, head_bytes)
            and chunk.startswith(size_line)
        ) or self._learns(chunk):
            self.passed += 1
            self._write(chunk)
        else:
            self.otherwise(chunk)

    def _learns(self, chunk: bytes) -> bool:
        """The longer look: is it a plain event of another shape? Then that is the shape of the next ones."""
        size = chunk_size(chunk) if chunk.endswith(b"\n\n\r\n") else 0
        if not size:
            return False
        event = chunk[-size - 2 : -2]
        if not self._reader.is_plain(event):
            return False
        self._shape = shape_of(event) or self._shape
        return True
