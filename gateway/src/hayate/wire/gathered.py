"""An answer gathered while it passes, so that it can be kept: from the bytes that its client is sent, none parsed twice.

Nearly all of a stream is events that differ in nothing but their text. Of those only the text is kept, as the JSON that it
is, joined: a run of them is one event in the end, and parsed as one. Which bytes of a chunk on the fast path are its text is
known from the shape (`plain_event`) that was found for it, so there a token costs a slice. Whatever else comes is kept as it
is. What has come together is parsed and handed to the dialect's assembler a little at a time, so that an answer of any length
holds up nobody, and takes the memory of its text.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol

import orjson

from hayate.errors import GatewayError
from hayate.wire import engine_json, sse
from hayate.wire.faults import UNREADABLE
from hayate.wire.json_text import mended, unfinished_bytes, well_formed
from hayate.wire.plain_event import NO_SHAPE, Overheard, Reader, Shape

FOLD_BYTES: Final = 16 * 1024
"""So much is parsed at once: well under half a millisecond's work."""
FOLD_TEXT_BYTES: Final = 64 * 1024
"""Of joined text, which is parsed many times as fast."""
_SIZE_LINE_BYTES: Final = 4
_LONGER_FROM_BYTES: Final = 0x100 + 7
"""A chunk's first line is so long, and a byte longer from here on: on the fast path it has two digits or three."""
_UNSURE_BYTES: Final = 15_000
"""Longer events are weighed before they are parsed (`engine_json`)."""
_TEXT_END: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class Around(Protocol):
    """What stands around a text, in events that are alike but for it."""

    before: bytes
    after: bytes

    def said_in(self, whole: bytes) -> bytes | None:
        """The text, as it stands there, if this is such an event; of several, joined. None if it is anything else."""


class Gathered(ABC):
    """One per call. `limit`: bytes beyond which no more is gathered (`over`)."""

    __slots__ = (
        "_fast",
        "_kept",
        "_kept_bytes",
        "_last",
        "_limit",
        "_mended",
        "_odd",
        "_pending",
        "_run",
        "_start",
        "_stop",
        "_text",
        "over",
        "size",
    )

    def __init__(self, limit: int) -> None:
        self.over = False
        """Whether the answer is longer than may be kept."""
        self._limit = limit
        self.size = 0
        """Of what was gathered, in bytes: the texts, in JSON, and what else came."""
        self._mended = False
        """Whether something was no JSON as it should be: then texts may hold what can't be written."""
        self._kept: list[bytes] = []
        """Events that wait to be parsed."""
        self._kept_bytes = 0
        self._last: tuple[bytes, bytes] | None = None
        """What stood around the text of the last of them, if there is one."""
        self._odd: tuple[bytes, bytes] | None = None
        """What stands around texts of which no run may be made."""
        self._run: Around | None = None
        """Of the run that the next event may continue; what came before it has been parsed."""
        self._text = bytearray()
        """That run's."""
        self._pending: Shape | None = NO_SHAPE
        """None while the next chunk on the fast path is known to continue the run."""
        self._fast = NO_SHAPE
        """What such chunks are like, where none is heard of that is not."""
        self._start = self._stop = 0
        """Where the text of one begins, were its first line as short as can be, and where it ends, from its end."""

    # What passes unread.

    def listening(self, reader: Reader) -> Reader:
        """`reader`, whose findings are heard here."""
        return Overheard(reader, self.heard)

    def heard(self, shape: Shape) -> None:
        """The next chunk on the fast path is one event of this shape, and so are those after it, if it lasts."""
        self._pending = shape
        if shape.lasts:
            self._fast = shape

    def raw_writer(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """`write`, for chunks on the fast path, each of which is gathered once it is written."""

        def passed(chunk: bytes) -> None:
            write(chunk)
            if self._pending is None:
                text = self._text
                text += chunk[self._start + (len(chunk) >= _LONGER_FROM_BYTES) : self._stop]
                if len(text) > FOLD_TEXT_BYTES:
                    self._fold_text(ends=False)
            else:
                self._look_at(chunk)

        return passed

    def _look_at(self, chunk: bytes) -> None:
        """The longer way, and whether the next chunks may take the short one."""
        self._add_event(chunk[_SIZE_LINE_BYTES + (len(chunk) >= _LONGER_FROM_BYTES) : -2])
        run, fast = self._run, self._fast
        if run is not None and run.before == fast.before and run.after == fast.after:
            self._pending = None
            self._start = _SIZE_LINE_BYTES + len(fast.before)
            self._stop = -len(fast.after) - 2
        else:
            self._pending = fast

    # What was read.

    def add(self, events: bytes) -> None:
        """Whole events, as the client gets them."""
        run = self._run
        said = None if run is None else run.said_in(events)
        if said is not None:
            self._continue(said)
            return
        for event in sse.frames(events):
            self._add_event(event)

    def answer(self) -> dict[str, Any]:
        """What came until now, as one answer of its dialect; after that nothing more is gathered. Raises one of `UNREADABLE`
        when it is none.
        """
        self._end_run()
        self._fold()
        self.over = True
        return well_formed(self._whole()) if self._mended else self._whole()

    # The dialect's.

    @abstractmethod
    def _text_in(self, event: bytes) -> int | None:
        """Where the text begins in an event that may be one of a run; None in any other."""

    @abstractmethod
    def _take(self, event: dict[str, Any]) -> None:
        """Hands an event to what joins them. May raise GatewayError or one of `UNREADABLE`: then it says nothing."""

    @abstractmethod
    def _whole(self) -> dict[str, Any]:
        """The answer, of all that was handed over."""

    def _around(self, before: bytes, after: bytes) -> Around:
        """What stands around the texts of a run that begins so."""
        return Shape(before, after, lasts=True)

    def _alike(self, before: bytes, after: bytes) -> tuple[bytes, bytes]:
        """What stands around a text, without what is another in each event."""
        return before, after

    def _joins(self, blank: dict[str, Any]) -> bool:
        """Whether events that are this one but for a text say as much as one with all their texts."""
        return True

    # How it is kept.

    def _add_event(self, event: bytes) -> None:
        if self.over:
            return
        run = self._run
        said = None if run is None else run.said_in(event)
        if said is not None:
            self._continue(said)
            return
        start = self._text_in(event)
        end = None if start is None else _TEXT_END.match(event, start)
        if start is None or end is None:
            if not event.startswith(b":") or b"\ndata:" in event:  # a comment ends no run
                self._end_run()
                self._keep(event, None)
            return
        stop = end.end() - 1
        around = self._alike(event[:start], event[stop:])
        goes_on = run is not None and around == (run.before, run.after)  # with an escaped quote in its text
        if goes_on or (around == self._last and around != self._odd and self._begins_run(*around)):
            self._continue(event[start:stop])
        else:
            self._end_run()
            self._keep(event, around)

    def _keep(self, event: bytes, around: tuple[bytes, bytes] | None) -> None:
        self._last = around
        self._kept.append(event)
        self._kept_bytes += len(event)
        self._count(len(event) if around is None else len(event) - len(around[0]) - len(around[1]))
        if self._kept_bytes > FOLD_BYTES:
            self._fold()

    def _begins_run(self, before: bytes, after: bytes) -> bool:
        """Whether what is like the last event may be joined: looked at when one comes again, for most never do."""
        blank = self._read(before + after)
        if not isinstance(blank, dict) or not self._joins(blank):
            self._odd = before, after
            return False
        self._fold()
        self._run = self._around(before, after)
        return True

    def _continue(self, said: bytes) -> None:
        self._text += said
        if len(self._text) > FOLD_TEXT_BYTES:
            self._fold_text(ends=False)

    def _end_run(self) -> None:
        self._last = None
        self._pending = self._fast
        if self._run is not None:
            self._fold_text(ends=True)
            self._run = None

    def _count(self, size: int) -> None:
        self.size += size
        if self.size > self._limit and not self.over:
            self._end_run()
            self._fold()
            self.over = True

    # How it is parsed.

    def _fold(self) -> None:
        """Parses what is kept, and hands it over."""
        kept, self._kept, self._kept_bytes = self._kept, [], 0
        for event in kept:
            self._hand_over(self._read(event))

    def _fold_text(self, *, ends: bool) -> None:
        """Parses the run until now; while it may go on, what is not whole at its end waits."""
        run, text = self._run, self._text
        if run is None:
            return
        end = len(text) - unfinished_bytes(text)
        said = bytes(text[:end])
        if ends:
            text.clear()
        else:
            del text[:end]
        self._hand_over(self._read(run.before + said + run.after, joined=True))
        if ends:
            self.size += end
        else:
            self._count(end)

    def _hand_over(self, event: Any) -> None:
        if not isinstance(event, dict):
            return
        try:
            self._take(event)
        except (GatewayError, *UNREADABLE):  # an engine may say anything; its failure is told by others
            return

    def _read(self, event: bytes, *, joined: bool = False) -> Any:
        """What an event says, None where nothing can be read."""
        try:
            data = sse.data_of(event)
        except GatewayError:
            return None
        if data is None:
            return None
        if joined or len(data) < _UNSURE_BYTES:
            try:
                return orjson.loads(data)
            except orjson.JSONDecodeError:
                pass
        self._mended = True
        try:
            return engine_json.read(mended(data))
        except engine_json.Unreadable:
            return None
