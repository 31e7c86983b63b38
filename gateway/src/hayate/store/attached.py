"""The connection that writes, to whatever file is at the store's path.

A file that was removed is put back whole, from the one that this process still has open, or made anew where it has none;
one that another has taken the place of is left for that. Several processes may find the same at once: a lock on the
folder lets one of them act, and nothing is written to a file any more that is not at its path.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from hayate.store.alone import alone_in
from hayate.store.copies import copy_to
from hayate.store.migrate import open_file
from hayate.store.sqlite import StoreRefused, beside, connect
from hayate.telemetry.log import log_event

LOG_BYTES: Final = 16 * 1024 * 1024
"""How much of the log of what was written last stays on the disk when it has been longer."""


MOVED_PAGES: Final = 4000
"""From so many pages in that log on, a commit moves them into the file itself; before, that is done in pauses (`writer`)."""


class _Id(NamedTuple):
    device: int
    inode: int


class Attached:
    """Belongs to the thread that writes. `opened` is told of every connection to another file than before."""

    def __init__(self, path: Path, opened: Callable[[sqlite3.Connection], None]) -> None:
        self._path = path
        self._opened = opened
        self._connection: sqlite3.Connection | None = None
        self._file: _Id | None = None
        self._log: _Id | None = None
        self._is_safe = False

    def connection(self) -> sqlite3.Connection:
        """The connection to the file at the path. Raises sqlite3.Error, OSError."""
        if self._connection is not None:
            if self.is_there():
                return self._connection
            self._leave(self._connection)
        if _id(self._path) is None and self._path.parent.is_dir():
            self._make_anew()
        found = _id(self._path)
        connection = connect(self._path)
        try:
            connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {MOVED_PAGES}")
            self._opened(connection)
            self._log = _id(beside(self._path)[0])
            self._connection, self._file, self._is_safe = connection, found, False
            self.check_there()
        except BaseException:
            self._connection, self._file = None, None
            connection.close()
            raise
        return connection

    def safely(self, connection: sqlite3.Connection, *, power: bool) -> None:
        """How safe the commits on it are from now on: from a killed process always, and with `power` from a power cut too, which
        costs each a wait for the disk.
        """
        if power != self._is_safe:
            connection.execute("PRAGMA synchronous = FULL" if power else "PRAGMA synchronous = NORMAL")
            self._is_safe = power

    def is_there(self) -> bool:
        """Whether the file is still the one at the path. Asked within a transaction, for what is written to be found again:
        whoever puts a file back waits for the transactions that began before it was removed.
        """
        return self._file is not None and _id(self._path) == self._file

    def check_there(self) -> None:
        """Raises sqlite3.OperationalError unless it is."""
        if not self.is_there():
            raise sqlite3.OperationalError("the file was moved away")

    def close(self) -> None:
        """Gives the file up, wherever it is by now."""
        connection, self._connection, self._file = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _leave(self, connection: sqlite3.Connection) -> None:
        """The file is not at its path any more."""
        with alone_in(self._path.parent):
            if _id(self._path) is None:
                connection.execute("BEGIN IMMEDIATE")  # others' last transactions end before
                connection.execute("ROLLBACK")
                self._clear_log()
                copy_to(connection, self._path)
                log_event("store_restored", path=str(self._path))
            elif not self.is_there():
                self._clear_log()
        self.close()

    def _make_anew(self) -> None:
        """Nobody here has the file open that was removed: what waits is kept at least, in a new one."""
        try:
            open_file(self._path)
        except StoreRefused as error:
            raise sqlite3.OperationalError(str(error)) from None
        log_event("store_made_anew", path=str(self._path))

    def _clear_log(self) -> None:
        """The log of the old file must not be taken for that of the new one."""
        if self._log is not None and _id(beside(self._path)[0]) == self._log:
            for each in beside(self._path):
                each.unlink(missing_ok=True)


def _id(path: Path) -> _Id | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - twice a commit, and a path's own takes half as long again
    except FileNotFoundError:
        return None
    return _Id(found.st_dev, found.st_ino)
