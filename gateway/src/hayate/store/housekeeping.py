"""What the thread that writes does in its pauses, one small step after the other, each kind in its turn."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

from hayate.settings import History, Keeping
from hayate.store.ages import Ages
from hayate.store.erasing import Erasing
from hayate.store.retention import Retention
from hayate.store.search_upkeep import Upkeep

PAUSE_S: Final = 0.05
"""Between two steps, for what is said meanwhile to be kept first, and heard."""
HURRY_S: Final = 0.005
LATE_S: Final = 15.0
"""When something that was deleted has not gone by then, there is much of it, and the steps follow one another closely."""


class Housekeeping:
    """One per store."""

    def __init__(self, keeping: Keeping, history: History, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.retention = Retention(keeping.calls_days)
        self.ages = Ages(history)
        self.erasing = Erasing(clock)
        self._kinds = deque((Upkeep(clock).step, self.erasing.step, self.ages.step, self.retention.step))

    def configure(self, keeping: Keeping, history: History) -> None:
        """What a reload may change."""
        self.retention.days = keeping.calls_days
        self.ages.configure(history)

    def step(self, connection: sqlite3.Connection) -> float | None:
        """A step of the first kind that has more to do; in how many seconds the next is wanted. None: none has. Raises
        sqlite3.Error.
        """
        for _ in range(len(self._kinds)):
            step = self._kinds[0]
            self._kinds.rotate(-1)
            if step(connection):
                since = self.erasing.since
                return PAUSE_S if since is None or self._clock() - since < LATE_S else HURRY_S
        return None

    def end(self) -> None:
        """What it has begun beside the thread ends."""
        self.erasing.end()
