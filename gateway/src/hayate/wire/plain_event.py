"""Plain events: those of a stream that differ from the one before in nothing but their text, and what is the same in
them.

Which way an event goes, unread (`upstream.fast_path`) or through the decoder, depends on how it was cut into packets;
what becomes of it must not. So whether an event is plain is told from its shape alone, never from its text (of the
shape of the one before it may even be empty), and the decoder treats an event of a plain shape alike wherever it meets
one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import repeat
from typing import Final, Protocol

_USUAL_TEXT: Final = b'"content":"'
_TEXT: Final = re.compile(rb'"(?:content|text|reasoning_content|reasoning|arguments)":"(?!")')
PLAIN: Final = b'"finish_reason":null'
"""What every plain event has."""
_FINISH: Final = b'"finish_reason":'
_CHOICE: Final = b'"choices":[{'
_USAGE: Final = b'"usage":'
_NO_USAGE: Final = b'"usage":null'
_MARK_BYTES: Final = 16
"""Longer ones take CPython's search longer, by far from 100 bytes on."""
_MOST_BEHIND: Final = 5
"""So many places may be where a run of plain events ends: before the finish, the usage and `[DONE]`, say."""
BACKSLASH: Final = 0x5C
"""What stands before a quote that is a part of a text."""


class Shape:
    """What stands before and after an event's text, its line ends included. `lasts`: the next events may be of it too,
    which they can't where it ends with a part of the text.
    """

    __slots__ = ("after", "before", "joint", "lasts")

    def __init__(self, before: bytes, after: bytes, *, lasts: bool) -> None:
        self.before = before
        self.after = after
        self.lasts = lasts
        self.joint = after + before
        """What stands between the texts of two of them."""

    def holds(self, event: bytes) -> bool:
        """Whether `event` is of this shape, its text without quotes and line ends: what the fast path asks of a chunk."""
        return (
            event.startswith(self.before)
            and event.endswith(self.after)
            and event.find(b'"', len(self.before)) == len(event) - len(self.after)
            and event.find(b"\n", len(self.before)) == len(event) - 2
        )

    def events_in(self, whole: bytes) -> int:
        """How many events these are, which begin and end as one of this shape does, if each is of it and without quotes
        and line ends in its text; else 0.
        """
        return self._taken_apart(whole)[1]

    def said_in(self, event: bytes) -> bytes | None:
        """The text of this event, if it is of this shape and has no quotes and line ends in its text."""
        return event[len(self.before) : len(event) - len(self.after)] if self.holds(event) else None

    def first_said_in(self, whole: bytes) -> tuple[bytes, int]:
        """The texts of the events that `run_in` finds, joined, and where the last of them ends."""
        end = self._end_in(whole)
        said, count = self._taken_apart(whole[:end]) if end else (b"", 0)
        return said, end if count else 0

    def run_in(self, whole: bytes) -> tuple[int, int]:
        """Where the last event of this shape ends, and how many there are up to it, if all of `whole` up to there is
        such events; else nothing, (0, 0).
        """
        end = self._end_in(whole)
        plain = self.events_in(whole[:end]) if end else 0
        return (end, plain) if plain else (0, 0)

    def _end_in(self, whole: bytes) -> int:
        """Where a run of these events ends that begins `whole`, if there is one; 0 where there is none."""
        if not whole.startswith(self.before):
            return 0
        end = len(whole)
        for _ in range(_MOST_BEHIND):  # event by event: to search for so long an end takes more than linear time
            if whole.endswith(self.after, 0, end):
                return end
            end = whole.rfind(b"\n\n", 0, end - 2) + 2
        return 0

    def _taken_apart(self, whole: bytes) -> tuple[bytes, int]:
        """The texts of these events, joined, and how many there are; nothing unless each is as `events_in` wants it."""
        mark = self.before[-_MARK_BYTES:]  # of the joint, as much as can be searched for quickly
        inner = whole[len(self.before) : -len(self.after)]
        pieces = inner.split(mark)
        joints = len(pieces) - 1
        unmarked = self.joint[: -len(mark)]
        said = b"".join(map(bytes.removesuffix, pieces, repeat(unmarked, joints))) + pieces[joints]
        if (
            len(whole) < len(self.joint)
            or len(inner) - len(said) != joints * len(self.joint)  # something else than joints stands before a mark
            or b'"' in said
            or b"\n" in said
        ):
            return b"", 0
        return said, joints + 1


NO_SHAPE: Final = Shape(b"\0", b"\0", lasts=False)
"""What no event begins or ends with."""


def text_in(event: bytes) -> tuple[int, int] | None:
    """Where the text is in an event that is one line and holds any, or None when there is none or it can't be told
    apart.

    A key with its colon and opening quote can't stand inside a JSON string, where quotes are escaped: what follows it
    is text. Of a text with an escaped quote, what comes after the quote is taken for a part of the shape: no harm, as
    it can't look like anything but text there.
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


def is_plain(around: bytes, read_if: tuple[bytes, ...]) -> bool:
    """Whether events with this around their text hold nothing but the text of one choice. `read_if`: what no such event has."""
    return (
        around.count(PLAIN) == around.count(_FINISH) == around.count(_CHOICE) == 1
        and (_USAGE not in around or around.count(_USAGE) == around.count(_NO_USAGE))
        and not any(map(around.count, read_if))
    )


class Reader(Protocol):
    """A decoder that can tell a plain event from others."""

    @property
    def between_events(self) -> bool:
        """Whether all that came has been taken: nothing waits for the end of its event."""

    def plain_shape(self, event: bytes) -> Shape | None:
        """The shape of `event` if it is one whole event and may pass unread, as may any event of that shape."""


class Overheard:
    """A reader whose findings somebody else hears of."""

    __slots__ = ("_hears", "_reader")

    def __init__(self, reader: Reader, hears: Callable[[Shape], None]) -> None:
        self._reader = reader
        self._hears = hears

    @property
    def between_events(self) -> bool:
        """What the reader says."""
        return self._reader.between_events

    def plain_shape(self, event: bytes) -> Shape | None:
        """What the reader says; somebody else hears of it."""
        shape = self._reader.plain_shape(event)
        if shape is not None:
            self._hears(shape)
        return shape
