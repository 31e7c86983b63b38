"""Time limits of many waits on one timer.

A timer per wait costs more than the wait itself, which nearly always ends in time; so one timer stands at the earliest
limit, and when it goes off, whoever is late is told and the timer is set anew.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

APART_S: Final = 0.05
"""Between two looks at all of them: where many limits end one after another, some are told so much later."""


class Deadlines:
    """One per pool of connections."""

    __slots__ = ("_at", "_due", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[asyncio.Future[None], tuple[float, Callable[[], Exception]]] = {}
        self._at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: asyncio.Future[None], limit_s: float, late: Callable[[], Exception]) -> None:
        """`future` gets the exception that `late` makes, unless it is done or discarded within `limit_s` seconds."""
        at = self._loop.time() + limit_s
        self._due[future] = (at, late)
        if at < self._at:
            self._set(at)

    def discard(self, future: asyncio.Future[None]) -> None:
        """Its time does not matter any more."""
        self._due.pop(future, None)

    def _set(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._at = at
        self._timer = None if at == math.inf else self._loop.call_at(at, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        for future, (at, late) in list(self._due.items()):
            if at <= now:
                del self._due[future]
                if not future.done():
                    future.set_exception(late())
        earliest = min((at for at, _ in self._due.values()), default=math.inf)
        self._set(max(earliest, now + APART_S))
