"""The fast path for plain text: an HTTP chunk that holds one event which differs from the last in nothing but its text.

Most of a stream is such events. What stands before and after the text is remembered (`wire.plain_event.Shape`), so the
next chunk is known by a few comparisons, and goes to the client as it is, framing and all, unparsed. Whatever does not
fit, down to a single quote in the text, is looked at longer, and read by the decoder if it is not plain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from hayate.wire.plain_event import Reader

_MAX_CHUNK_BYTES: Final = 2048
"""Longer chunks are read: the table of their first lines has an end, and they are rare."""
_NO_CHUNK: Final = b"no chunk is this long"
_LAST: Final = b"\n\n\r\n"
"""The ends of an event and of its chunk."""
_LAST_BYTES: Final = len(_LAST)
_NOWHERE: Final = 1 << 62
"""In place of the length of a shape's end where nothing may pass: nothing is ever found so far before a read's start."""


def _size_line(length: int) -> bytes:
    """The first line of a chunk that is `length` bytes long, framing included."""
    for digits in range(1, 4):
        size = length - digits - 4
        if size > 0 and len(b"%x" % size) == digits:
            return b"%x\r\n" % size
    return _NO_CHUNK


_SIZE_LINES: Final = tuple(_size_line(length) for length in range(_MAX_CHUNK_BYTES))


def _nowhere(_: bytes) -> None:
    raise RuntimeError("a fast path that nobody has opened")


class FastPath(ABC):
    """For the connection to inherit, because a call more per event would cost more than all that is done here.

    It is open from `open_fast_path` to `close_fast_path`, and only while the next bytes begin a chunk
    (`_begins_chunk`).
    """

    __slots__ = (
        "_after",
        "_after_bytes",
        "_at_chunk",
        "_before",
        "_before_bytes",
        "_decoder",
        "_over",
        "_write",
        "passed",
    )

    def __init__(self) -> None:
        self.passed = 0
        """How many events went this way."""
        self._at_chunk = False
        self._over = False
        """Whether it was closed: it is not opened again for the answer under way."""
        self._decoder: Reader | None
        self._write: Callable[[bytes], None]
        self._before: bytes
        self._after: bytes
        self.close_fast_path()
        self._over = False

    def open_fast_path(self, decoder: Reader, write: Callable[[bytes], None]) -> None:
        """From now on events that `decoder` finds plain go to `write`, framing and all; not if it was closed already."""
        if not self._over:
            self._decoder = decoder
            self._write = write

    def close_fast_path(self) -> None:
        """From now on everything is read."""
        self._over = True
        self._decoder = None
        self._write = _nowhere
        self._before = self._after = b""
        self._before_bytes = 0
        self._after_bytes = _NOWHERE

    def data_received(self, data: bytes) -> None:
        """Sends `data` on if it is exactly one whole chunk with one plain event, else has it read."""
        length = len(data)
        try:
            size_line = _SIZE_LINES[length]
        except IndexError:
            size_line = _NO_CHUNK
        text = len(size_line) + self._before_bytes
        if (
            (
                # No quote in the text, nor a line's end: the first of each is where the shape goes on. `find` says -1 where there
                # is none; that can equal the right side only in a read shorter than the shape's end, which fails at `endswith`.
                # While nothing may pass, `_NOWHERE` puts the right side far below -1.
                data.find(b'"', text) == length - self._after_bytes
                and data.find(b"\n", text) == length - _LAST_BYTES
                and data.endswith(self._after)
                and data.startswith(size_line + self._before)
            )
            or (  # another shape than the last, but a whole event in a whole chunk: the decoder is asked
                self._decoder is not None
                and self._at_chunk
                and data.startswith(size_line)
                and data.endswith(_LAST)
                and self._learns(data[len(size_line) : -2])
            )
        ):
            self.passed += 1
            write = self._write
            write(data)
        else:
            self._read(data)

    @abstractmethod
    def _read(self, data: bytes) -> None:
        """Takes what does not pass: how the connection reads otherwise."""

    def _begins_chunk(self, *, at_chunk: bool) -> None:
        """Whether the next bytes begin a chunk: to be told after each read that did not pass, when it has been taken."""
        # An event may end in another chunk than it began in: until then no chunk is an event.
        at_chunk = at_chunk and (self._decoder is None or self._decoder.between_events)
        self._at_chunk = at_chunk
        self._after_bytes = len(self._after) if at_chunk and self._after else _NOWHERE

    def _learns(self, event: bytes) -> bool:
        """The longer look: is it a plain event of another shape? Then that is the shape of the next ones."""
        shape = None if self._decoder is None else self._decoder.plain_shape(event)
        if shape is None:
            return False
        if shape.lasts:
            self._before = shape.before
            self._before_bytes = len(shape.before)
            self._after = after = shape.after + b"\r\n"
            self._after_bytes = len(after)
        return True
