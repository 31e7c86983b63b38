"""What follows a call: every observer is told of those that have ended, a few at a time. Nothing here runs per chunk."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from hayate.telemetry.record import CallRecord

LATE_S = 0.1
MAX_TOGETHER = 16
"""How long a call that has ended may wait to be told of, and with how many others.

One at a time, each would find the processor's caches cold; together they cost a third. More of them would hold up a
stream.
"""


class CallObserver(Protocol):
    """Who wants to know of calls that have ended: metrics, the log. Must not wait and must not raise."""

    def calls_ended(self, batch: Sequence[CallRecord]) -> None:
        """Some calls, in the order in which they ended; their records change no more."""


class EndedCalls:
    """Gathers ended calls and tells the observers. One per gateway.

    `later` runs a function after so many seconds. With it, calls are told of together (`LATE_S`, `MAX_TOGETHER`);
    without it, each at once.
    """

    def __init__(
        self,
        observers: Sequence[CallObserver],
        *,
        wall_clock: Callable[[], float] = time.time,
        later: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        self._observers = observers
        self._wall_clock = wall_clock
        self._later = later
        self._waits = False
        self._ended: list[CallRecord] = []

    def add(self, record: CallRecord, now: float) -> None:
        """The call has ended. It is told of within LATE_S, or when MAX_TOGETHER have ended."""
        record.ended, record.ended_at = now, self._wall_clock()
        self._ended.append(record)
        if self._later is None or len(self._ended) >= MAX_TOGETHER:
            self.flush()
        elif not self._waits:
            self._waits = True
            self._later(LATE_S, self._waited)

    def flush(self) -> None:
        """Tells of the calls that wait."""
        if not self._ended:
            return
        ended, self._ended = self._ended, []
        for observer in self._observers:
            observer.calls_ended(ended)

    def _waited(self) -> None:
        self._waits = False
        self.flush()
