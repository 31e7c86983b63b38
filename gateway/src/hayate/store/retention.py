"""How long the record of a call is kept: the oldest go, a few at a time, when nothing else is to be written; and before
them the content whose own time is over.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Final

from hayate.store import contents, traces
from hayate.store.ids import first_id
from hayate.store.sqlite import in_transaction

STEP_ROWS: Final = 500
"""In one transaction: about a millisecond."""
DAY_S: Final = 86_400
DELETE: Final = "DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE id < ? ORDER BY id LIMIT ?)"
LOOK_S: Final = 60.0
"""How often it is looked whether anything is old enough."""


class Retention:
    """One per store; its steps are taken by the thread that writes, outside of any transaction."""

    def __init__(self, days: int, wall_clock: Callable[[], float] = time.time) -> None:
        self.days = days
        self._wall_clock = wall_clock
        self._next_at = 0.0

    def step(self, connection: sqlite3.Connection) -> bool:
        """Deletes a few; true when there are more. Raises sqlite3.Error."""
        now = self._wall_clock()
        if now < self._next_at:
            return False
        oldest = first_id(now - self.days * DAY_S)
        with in_transaction(connection):
            gone = contents.step(connection, now, oldest)
            if gone:
                traces.leave(connection)
        if gone == contents.STEP_ROWS:
            return True
        deleted = connection.execute(DELETE, (oldest, STEP_ROWS)).rowcount
        more = deleted == STEP_ROWS
        if not more:
            self._next_at = now + LOOK_S
        return more
