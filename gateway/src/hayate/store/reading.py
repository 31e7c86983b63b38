"""The connection on which the event loop reads little things, to whatever file is at the store's path, and those on which threads
read the rest. Neither waits for the thread that writes; what several statements read is of one moment.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Final, TypeVar

from hayate.store.quick import Quick
from hayate.store.sqlite import connect

Result = TypeVar("Result")

LOOK_S: Final = 0.02
"""After so long it is looked again, at a glance, which file is at the path: under load a system call waits for other threads."""


class Reading:
    """One per process; `on_loop` and `at_a_glance` belong to the event loop, `in_thread` to anybody."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._opened = (0, 0)
        self._looked_at = 0.0

    def on_loop(self, how: Callable[[sqlite3.Connection], Result]) -> Result:
        """What `how` gives. Raises TakesLong, sqlite3.Error, OSError, and what `how` raises."""
        return _read(self._connected(), how)

    def at_a_glance(self, how: Callable[[sqlite3.Connection], Result]) -> Result:
        """What `how` gives, whose one statement is of one moment without more, of the file that was at the path LOOK_S ago at the
        earliest. Raises as `on_loop` does.
        """
        connection = self._connection if monotonic() - self._looked_at < LOOK_S else None
        return how(connection or self._connected())

    def in_thread(self, how: Callable[[sqlite3.Connection], Result]) -> Result:
        """What `how` gives, however long it takes. Raises sqlite3.Error, OSError, and what `how` raises."""
        self._path.stat()
        with closing(connect(self._path, readonly=True)) as connection:
            return _read(connection, how)

    def close(self) -> None:
        """Gives the loop's connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        """A new one when another file is at the path. Raises OSError when there is none."""
        found = os.stat(self._path)  # noqa: PTH116 - for each call: a path's own takes half as long again
        if self._connection is None or (found.st_dev, found.st_ino) != self._opened:
            self.close()
            self._connection = connect(self._path, busy_s=0, readonly=True, factory=Quick)
            self._opened = (found.st_dev, found.st_ino)
        self._looked_at = monotonic()
        return self._connection


def _read(connection: sqlite3.Connection, how: Callable[[sqlite3.Connection], Result]) -> Result:
    connection.execute("BEGIN")
    try:
        return how(connection)
    finally:
        connection.execute("COMMIT")
