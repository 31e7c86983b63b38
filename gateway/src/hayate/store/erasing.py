"""What becomes of deleted conversations: a few rows at a time they go from their tables, the index of search forgets their words
(`search_upkeep`), and then the log of the file is emptied. What a row leaves in the file is overwritten, where it stood last
(`secure_delete`) and where it had been before (`gaps`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final

from hayate.store import traces
from hayate.store.clearing import Clearing
from hayate.store.hidden import DELETED, UNFINISHED
from hayate.store.images import let_go
from hayate.store.sqlite import in_transaction
from hayate.telemetry.log import log_event

STEP_S: Final = 0.003
"""How long a step may take: whoever wants a turn kept meanwhile waits for it."""
TOGETHER: Final = 20
"""Rows between two looks at the clock."""
SETTLE_S: Final = 2.0
"""How long the log is left to grow by what else is deleted."""
AGAIN_S: Final = 1.0
"""How long a log waits that could not be emptied, because somebody read."""
REST_TIMES: Final = 4
"""For so many times as long as the file was last overwritten, it then is not: that takes a fifth of a core at most."""
NO_PROCESS_S: Final = 30.0
"""How long it is not tried again, where no process can be started."""


class Erasing:
    """One per store; its steps are taken by the thread that writes, outside of any transaction."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.since: float | None = None
        """When it was first seen that there is something to erase; None while there is nothing."""
        self._again_at = 0.0
        self._clearing = Clearing()
        self._clears: int | None = None
        """The number of the traces that it is overwriting; None while it is not at work."""
        self._began_at = 0.0

    def step(self, connection: sqlite3.Connection) -> bool:
        """A few rows, or the log; true when there is more to do. Raises sqlite3.Error."""
        number = traces.left(connection)
        if not number:
            self.since = self._clears = None
            return False
        now = self._clock()
        if self.since is None:
            self.since = now
        if self._erase_some(connection, now + STEP_S):
            return True
        if now < max(self._again_at, self.since + SETTLE_S) or connection.execute(FORGETTING).fetchone() is not None:
            return False
        if self._clears is None:
            self._begin(connection, number, now)
        elif (done := self._clearing.is_done) is not None:
            if done:  # it has emptied the log, too
                traces.clear(connection, self._clears)
                self.since = None
            self._clears, self._again_at = None, now + max(AGAIN_S, REST_TIMES * (now - self._began_at))
        return False

    def end(self) -> None:
        """Nothing is overwritten any more; whoever opens the file next goes on."""
        self._clearing.end()

    def _begin(self, connection: sqlite3.Connection, number: int, now: float) -> None:
        try:
            self._clearing.begin(_path_of(connection))
        except OSError as error:
            log_event("traces_not_overwritten", reason=str(error))
            self._again_at = now + NO_PROCESS_S
        else:
            self._clears, self._began_at = number, now

    def _erase_some(self, connection: sqlite3.Connection, until: float) -> bool:
        """Whether there may be more."""
        if connection.execute(FIRST, (DELETED, UNFINISHED)).fetchone() is None:
            return False
        with in_transaction(connection):
            while (found := connection.execute(FIRST, (DELETED, UNFINISHED)).fetchone()) is not None:
                _erase(connection, *found)
                if self._clock() >= until:
                    break
        return True


def _path_of(connection: sqlite3.Connection) -> Path:
    """Where the file is that it has open."""
    (_, _, path) = connection.execute("PRAGMA database_list").fetchone()
    return Path(path)


def _erase(connection: sqlite3.Connection, number: int, name: str) -> None:
    """A few rows of one conversation; when there are none, its own."""
    items = connection.execute(ITEMS, (number, TOGETHER)).fetchall()
    for (item,) in items:
        let_go(connection, name.removeprefix(DELETED), item)
        connection.execute(DELETE_ITEM, (item,))
    if not items and not connection.execute(DELETE_RESPONSES, (number, TOGETHER)).rowcount:
        connection.execute(DELETE, (number, name))


FIRST: Final = "SELECT number, project FROM conversations WHERE project >= ? AND project < ? LIMIT 1"
ITEMS: Final = "SELECT number FROM items WHERE conversation = ? LIMIT ?"
DELETE_ITEM: Final = "DELETE FROM items WHERE number = ?"
DELETE_RESPONSES: Final = "DELETE FROM responses WHERE id IN (SELECT id FROM responses WHERE conversation = ? LIMIT ?)"
DELETE: Final = "DELETE FROM conversations WHERE number = ? AND project = ?"
FORGETTING: Final = "SELECT 1 FROM forgotten LIMIT 1"
