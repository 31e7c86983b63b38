"""The short way for plain text: an HTTP chunk that holds one event which differs from the last in nothing but its text.

Most of a stream is such events. What stands before and after the text, the shape, is remembered, so the next chunk is known by
a few comparisons, and goes to the client as it is, framing and all, unparsed. Whatever does not fit, down to a
single quote in the text, is looked at longer, and read by the decoder if it is not plain.

Which way an event goes depends on how it was cut into packets; what becomes of it must not. So whether an event is plain is told
from its shape alone, never from its text (of the shape of the one before it may even be empty), and the decoder treats an event
of a plain shape alike wherever it meets one.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, Protocol

_USUAL_TEXT: Final = b'"content":"'
_TEXT: Final = re.compile(rb'"(?:content|text|reasoning_content|reasoning|arguments)":"(?!")')
_MAX_CHUNK_BYTES: Final = 2048
BACKSLASH: Final = 0x5C
"""What stands before a quote that is a part of a text."""
_NO_CHUNK: Final = b"no chunk is this long"
_LAST: Final = b"\n\n\r\n"
"""The ends of an event and of its chunk."""
_LAST_BYTES: Final = len(_LAST)
_NOWHERE: Final = 1 << 62
"""Nothing stands so far before the end."""


def _size_line(length: int) -> bytes:
    """The first line of a chunk that is `length` bytes long, framing included."""
    for digits in range(1, 4):
        size = length - digits - 4
        if size > 0 and len(b"%x" % size) == digits:
            return b"%x\r\n" % size
    return _NO_CHUNK


_SIZE_LINES: Final = tuple(_size_line(length) for length in range(_MAX_CHUNK_BYTES))


class Shape:
    """What stands before and after an event's text, its line ends included. `lasts`: the next events may be of it too, which they
    can't where it ends with a part of the text.
    """

    __slots__ = ("after", "before", "joint", "lasts")

    def __init__(self, before: bytes, after: bytes, *, lasts: bool) -> None:
        self.before = before
        self.after = after
        self.lasts = lasts
        self.joint = after + before
        """What stands between the texts of two of them."""

    def holds(self, event: bytes) -> bool:
        """Whether `event` is of this shape, its text without quotes and line ends: what a lane asks of a chunk."""
        return (
            event.startswith(self.before)
            and event.endswith(self.after)
            and event.find(b'"', len(self.before)) == len(event) - len(self.after)
            and event.find(b"\n", len(self.before)) == len(event) - 2
        )


def _nowhere(_: bytes) -> None:
    raise RuntimeError("a lane that nobody has opened")


NO_SHAPE: Final = Shape(b"\0", b"\0", lasts=False)
"""What no event begins or ends with."""


def text_in(event: bytes) -> tuple[int, int] | None:
    """Where the text is in an event that is one line and holds any, or None when there is none or it can't be told apart.

    A key with its colon and opening quote can't stand inside a JSON string, where quotes are escaped: what follows it is
    text. Of a text with an escaped quote, what comes after the quote is taken for a part of the shape: no harm, as it can't
    look like anything but text there.
    """
    if not event.startswith(b"data: {") or event.find(b"\n") != len(event) - 2:
        return None
    start = event.find(_USUAL_TEXT) + len(_USUAL_TEXT)
    if start < len(_USUAL_TEXT) or event.startswith(b'"', start):
        found = _TEXT.search(event)
        if found is None:
            return None
        start = found.end()
    end = event.find(b'"', start)
    return (start, end) if end > start else None


class Reader(Protocol):
    """A decoder that can tell a plain event from others."""

    @property
    def between_events(self) -> bool:
        """Whether all that came has been taken: nothing waits for the end of its event."""

    def plain_shape(self, event: bytes) -> Shape | None:
        """The shape of `event` if it is one whole event and may pass unread, as may any event of that shape."""


class Lane(ABC):
    """A connection's short way, for the connection to inherit: one call and one object per event, whose cost is in reaching them.

    It is open from `open_lane` to `close_lane`, and only while the next bytes begin a chunk (`_begins_chunk`).
    """

    __slots__ = (
        "_after",
        "_after_bytes",
        "_at_chunk",
        "_before",
        "_before_bytes",
        "_decoder",
        "_write",
        "passed",
    )

    def __init__(self) -> None:
        self.passed = 0
        """How many events went this way."""
        self._at_chunk = False
        self._decoder: Reader | None
        self._write: Callable[[bytes], None]
        self._before: bytes
        self._after: bytes
        self.close_lane()

    def open_lane(self, decoder: Reader, write: Callable[[bytes], None]) -> None:
        """From now on events that `decoder` finds plain go to `write`, framing and all."""
        self._decoder = decoder
        self._write = write

    def close_lane(self) -> None:
        """From now on everything is read."""
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
                data.find(b'"', text) == length - self._after_bytes  # no quote in the text
                and data.find(b"\n", text) == length - _LAST_BYTES  # nor a line's end
                and data.endswith(self._after)
                and data.startswith(size_line + self._before)
            )
            or (
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
        """Takes what does not pass: how the connection reads without a lane."""

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
