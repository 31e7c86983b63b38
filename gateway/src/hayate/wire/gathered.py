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
from typing import Any, Final

import orjson

from hayate.errors import GatewayError
from hayate.wire import engine_json, sse
from hayate.wire.faults import UNREADABLE
from hayate.wire.gathered_run import FOLD_TEXT_BYTES, Around, Run
from hayate.wire.json_text import mended, well_formed
from hayate.wire.plain_event import NO_SHAPE, Overheard, Reader, Shape

FOLD_BYTES: Final = 16 * 1024
"""So much is parsed at once: well under half a millisecond's work."""
SETTLED_AT_ONCE: Final = 4
"""Pieces of joined text, which is parsed many times as fast, in one look."""
_LOOKS: Final = 6
"""So many events of a read are taken from its front one by one before all are: behind any of them a run may begin."""
_SIZE_LINE_BYTES: Final = 4
_LONGER_FROM_BYTES: Final = 0x100 + 7
"""A chunk's first line is so long, and a byte longer from here on: on the fast path it has two digits or three."""
_UNSURE_BYTES: Final = 15_000
"""Longer events are weighed before they are parsed (`engine_json`)."""
_TEXT_END: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


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
        "_quick",
        "_run",
        "_where",
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
        self._run: Run | None = None
        """The run that the next event may continue; what came before it has been parsed."""
        self._pending: Shape | None = NO_SHAPE
        """None while the next chunk on the fast path is known to continue the run."""
        self._fast = NO_SHAPE
        """What such chunks are like, where none is heard of that is not."""
        self._where = slice(0)
        """Where the text of one is, were its first line as short as can be."""
        self._quick = bytearray()
        """Texts of such chunks, which go on with the run; a longer first line leaves a quote before one, which itself has none."""

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
        quick = self._quick

        def passed(chunk: bytes) -> None:
            nonlocal quick
            write(chunk)
            if self._pending is None:
                quick += chunk[self._where]
            else:
                self._look_at(chunk)

        return passed

    def settle(self) -> bool:
        """Parses some of what came on the fast path, where nobody else does; whether there is more. To be called now and then."""
        self._take_quick()
        run = self._run
        for _ in range(SETTLED_AT_ONCE):
            if run is None or len(run.text) <= FOLD_TEXT_BYTES:
                return False
            self._fold_run(run, ends=False)
        return True

    def _look_at(self, chunk: bytes) -> None:
        """The longer way, and whether the next chunks may take the short one."""
        self._add_event(chunk[_SIZE_LINE_BYTES + (len(chunk) >= _LONGER_FROM_BYTES) : -2])
        run, fast = self._run, self._fast
        if run is not None and run.around.before == fast.before and run.around.after == fast.after:
            self._pending = None
            self._where = slice(_SIZE_LINE_BYTES + len(fast.before), -len(fast.after) - 2)
        else:
            self._pending = fast

    def _take_quick(self) -> None:
        quick = self._quick
        if quick and self._run is not None:
            self._run.text += quick.replace(b'"', b"")
        quick.clear()

    # What was read.

    def add(self, events: bytes) -> None:
        """Whole events, as the client gets them; those of a run are taken in one go."""
        if self._goes_on(events):
            return
        at = 0
        for _ in range(_LOOKS if b"\r" not in events else 0):
            run, end = self._run, events.find(b"\n\n", at) + 2
            if end <= at:
                break
            if run is not None and (found := run.around.first_said_in(events[at:]))[1]:
                self._continue(run, found[0])
                at += found[1]
            else:
                self._add_event(events[at:end])
                at = end
        for event in sse.frames(events[at:]) if at < len(events) else ():
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
        if self.over or self._goes_on(event):
            return
        run, start = self._run, self._text_in(event)
        end = None if start is None else _TEXT_END.match(event, start)
        if start is None or end is None:
            if not event.startswith(b":") or b"\ndata:" in event:  # a comment ends no run
                self._end_run()
                self._keep(event, None)
            return
        stop = end.end() - 1
        around = self._alike(event[:start], event[stop:])
        if run is None or around != (run.around.before, run.around.after):  # else there is an escaped quote in its text
            run = self._begun(*around) if around == self._last and around != self._odd else None
        if run is not None:
            self._continue(run, event[start:stop])
        else:
            self._end_run()
            self._keep(event, around)

    def _goes_on(self, event: bytes) -> bool:
        """Whether it was one event more of the run."""
        run = self._run
        if run is None or (said := run.around.said_in(event)) is None:
            return False
        self._continue(run, said)
        return True

    def _keep(self, event: bytes, around: tuple[bytes, bytes] | None) -> None:
        self._last = around
        self._kept.append(event)
        self._kept_bytes += len(event)
        self.size += len(event) if around is None else len(event) - len(around[0]) - len(around[1])
        self.over = self.size > self._limit
        if self._kept_bytes > FOLD_BYTES or self.over:
            self._fold()

    def _begun(self, before: bytes, after: bytes) -> Run | None:
        """A run of what is like the last event, if that may be joined: looked at when one comes again, for most never do."""
        blank = self._read(before + after)
        if not isinstance(blank, dict) or not self._joins(blank):
            self._odd = before, after
            return None
        self._fold()
        self._run = Run(self._around(before, after))
        return self._run

    def _continue(self, run: Run, said: bytes) -> None:
        self._take_quick()
        run.text += said
        if len(run.text) > FOLD_TEXT_BYTES:
            self._fold_run(run, ends=False)

    def _end_run(self) -> None:
        self._take_quick()
        self._last = None
        self._pending = self._fast
        run, self._run = self._run, None
        while run is not None and run.text:
            self._fold_run(run, ends=True)

    # How it is parsed.

    def _fold(self) -> None:
        """Parses what is kept, and hands it over."""
        kept, self._kept, self._kept_bytes = self._kept, [], 0
        for event in kept:
            self._hand_over(self._read(event))

    def _fold_run(self, run: Run, *, ends: bool) -> None:
        """Parses the first of the run's texts; those beyond the limit go nowhere."""
        event, size = run.take(ends=ends)
        self._hand_over(self._read(event, joined=True))
        self.size += size
        if self.size > self._limit:
            self.over = True
            self._run = None
            self._pending = self._fast
            run.text.clear()

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
