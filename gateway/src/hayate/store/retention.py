"""How long the record of a call is kept: the oldest go, a few at a time, when nothing else is to be written; and before
them the content whose own time is over.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Final

from hayate.store import contents
from hayate.store.ids import first_id
from hayate.store.traces import truncated

STEP_ROWS: Final = 500
"""In one transaction: about a millisecond."""
DAY_S: Final = 86_400
DELETE: Final = "DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE id < ? ORDER BY id LIMIT ?)"
LOOK_S: Final = 60.0
"""How often it is looked whether anything is old enough."""


class Retention:
    """One per store; its steps are taken by the thread that writes."""

    def __init__(self, days: int, wall_clock: Callable[[], float] = time.time) -> None:
        self.days = days
        self._wall_clock = wall_clock
        self._next_at = 0.0
        self._traces = False
        """Whether content that was deleted may still stand in the log of the file (its WAL)."""

    def step(self, connection: sqlite3.Connection) -> bool:
        """Deletes a few; true when there are more."""
        now = self._wall_clock()
        if now < self._next_at:
            return False
        oldest = first_id(now - self.days * DAY_S)
        gone = contents.step(connection, now, oldest)
        self._traces = self._traces or gone > 0
        if gone == contents.STEP_ROWS:
            return True
        if self._traces:
            self._traces = not truncated(connection)
        deleted = connection.execute(DELETE, (oldest, STEP_ROWS)).rowcount
        more = deleted == STEP_ROWS
        if not more:
            self._next_at = now + LOOK_S
        return more
