"""The one thread of a process that writes to the store.

Calls that have ended are put into a bounded queue and never waited for; the thread commits whatever has queued while
its last commit ran. What can't be written (a full disk, a lock of another process, a file that is gone) stays queued
and is tried again; beyond the bound the newest are dropped, counted, and said. Changes that somebody waits for go
through the same thread, so that no two of a process ever meet.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine

from hayate.store.contents import Waiting
from hayate.store.ids import Ids
from hayate.store.migrate import restore
from hayate.store.rows import Names, insert
from hayate.store.sqlite import connect, writing
from hayate.telemetry.histogram import Histogram
from hayate.telemetry.log import log_event
from hayate.telemetry.record import CallRecord

Result = TypeVar("Result")

BATCH_ROWS: Final = 500
"""In one commit: more would hold the interpreter for longer than a stream may wait."""
AGAIN_S: Final = 0.25
AGAIN_AT_MOST_S: Final = 5.0
"""How long the thread waits before it tries again, doubling."""
COMMIT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0)
TIDY_S: Final = 10.0
"""How long it goes untidied at most, however much there is to write."""
IDLE_S: Final = 1.0
"""How long nothing may come before the thread tidies: what was written moves from the log of the file into the file."""


class Writer:
    """Writes records and changes. `start` before anything is put; `close` writes what it still can. `tidy` is a small step of
    housekeeping, taken when nothing is queued; it says whether there is more to do.
    """

    def __init__(
        self,
        path: Path,
        engine: Engine,
        max_rows: int,
        tidy: Callable[[sqlite3.Connection], bool] = lambda _: False,
    ) -> None:
        self._path = path
        self._tidy = tidy
        self._engine = engine
        self.max_rows = max_rows
        self.dropped = 0
        """Records that found the queue full."""
        self.commits = Histogram(COMMIT_SECONDS)
        """How long commits took."""
        self.failing_since: float | None = None
        """On the monotonic clock; None while all is well."""
        self._rows: deque[CallRecord] = deque()
        self._changes: deque[tuple[Callable[[Connection], Any], Future[Any]]] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] = (0, 0)
        self._names = Names()
        self._ids = Ids()
        self._dropped_told = 0
        self.contents = Waiting()
        self._contents_told = 0
        self._tidied_at = monotonic()

    @property
    def backlog(self) -> int:
        """Records that wait."""
        return len(self._rows)

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def put(self, records: Sequence[CallRecord]) -> None:
        """Queues records that change no more. Never waits."""
        room = self.max_rows - len(self._rows)
        if len(records) > room:
            self.dropped += len(records) - max(0, room)
            records = records[: max(0, room)]
        self.contents.admit(records)
        self._rows.extend(records)
        self._wake.set()

    def change(self, how: Callable[[Connection], Result]) -> Future[Result]:
        """Runs `how` in a transaction of its own, in the thread. Its future has what it gives or raises."""
        future: Future[Result] = Future()
        self._changes.append((how, future))
        self._wake.set()
        if not self._thread.is_alive():
            self._fail_changes()
        return future

    def close(self, within_s: float) -> None:
        """Writes what is queued, for so long, and ends."""
        self._closing = True
        self._wake.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        again_s = AGAIN_S
        while True:
            self._wake.wait(IDLE_S)
            self._wake.clear()
            try:
                self._write_all()
            except (sqlite3.Error, OSError) as error:
                self._failed(error)
                if self._closing:
                    break
                self._wake.wait(again_s)  # a change that somebody waits for is tried at once
                again_s = min(AGAIN_AT_MOST_S, again_s * 2)
                continue
            again_s = AGAIN_S
            if self._closing and not self._rows and not self._changes:
                break
        self._fail_changes()
        self._disconnect()

    def _write_all(self) -> None:
        idle = True
        while self._changes:
            how, future = self._changes.popleft()
            self._make(how, future)
            idle = False
        connection = self._connected()
        while self._rows:
            self._write(connection, list(islice(self._rows, BATCH_ROWS)))
            idle = False
            if self._changes:
                self._wake.set()
                return
        self._recovered()
        if not self._closing and (idle or monotonic() - self._tidied_at > TIDY_S):
            self._tidied_at = monotonic()
            if self._tidy(connection):
                self._wake.set()
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _write(self, connection: sqlite3.Connection, records: list[CallRecord]) -> None:
        began = monotonic()
        try:
            connection.execute("BEGIN IMMEDIATE")
            insert(connection, self._names, self._ids, records)
            connection.execute("COMMIT")
        except BaseException:
            self._names.rolled_back()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._names.committed()
        self.commits.observe(monotonic() - began)
        self.contents.written(records)
        for _ in records:
            self._rows.popleft()

    def _make(self, how: Callable[[Connection], Any], future: Future[Any]) -> None:
        if not future.set_running_or_notify_cancel():  # nobody waits for it any more: it is not made
            return
        try:
            with writing(self._engine) as connection, connection.begin():
                result = how(connection)
        except BaseException as error:  # it is the one who waits that must know
            future.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            future.set_result(result)

    def _connected(self) -> sqlite3.Connection:
        """The connection; a new one when the file at the path is another than that it was opened on."""
        if self._connection is not None:
            try:
                found = self._path.stat()
            except FileNotFoundError:
                restore(self._connection, self._path)
                log_event("store_restored", path=str(self._path))
            else:
                if (found.st_dev, found.st_ino) == self._opened:
                    return self._connection
            self._disconnect()
        connection = connect(self._path)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._names.load(connection)
        found = self._path.stat()
        self._connection, self._opened = connection, (found.st_dev, found.st_ino)
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _failed(self, error: Exception) -> None:
        if self.failing_since is None:
            self.failing_since = monotonic()
            log_event("store_failing", path=str(self._path), reason=str(error), waiting=self.backlog)
        self._tell_dropped()

    def _recovered(self) -> None:
        if self.failing_since is not None:
            log_event("store_back", path=str(self._path), after_s=round(monotonic() - self.failing_since, 1))
            self.failing_since = None
        self._tell_dropped()

    def _tell_dropped(self) -> None:
        if self.dropped > self._dropped_told:
            log_event("calls_not_recorded", count=self.dropped - self._dropped_told, limit=self.max_rows)
            self._dropped_told = self.dropped
        if self.contents.dropped > self._contents_told:
            count, self._contents_told = self.contents.dropped - self._contents_told, self.contents.dropped
            log_event("contents_not_kept", count=count, limit_bytes=self.contents.max_bytes)

    def _fail_changes(self) -> None:
        while self._changes:
            _, future = self._changes.popleft()
            future.set_exception(sqlite3.OperationalError("the store is closed"))
