"""The one thread of a process that writes to the store.

Calls that have ended are put into a bounded queue and never waited for; the thread commits whatever has queued within
GATHER_S, or while its last commit ran. What can't be written (a full disk, a lock of another process, a file that is
gone) stays queued and is tried again; beyond the bound the newest are dropped, counted, and said. Changes that somebody
waits for go through the same thread, so that no two of a process ever meet.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from time import monotonic, sleep
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine

from hayate.store.attached import Attached
from hayate.store.awaited import Awaited
from hayate.store.contents import Waiting
from hayate.store.ids import Ids
from hayate.store.rows import Names, insert
from hayate.store.sqlite import in_transaction
from hayate.store.trouble import Trouble
from hayate.telemetry.histogram import Histogram
from hayate.telemetry.log import MAX_WAITING_CHARS, log_event
from hayate.telemetry.record import CallRecord

Result = TypeVar("Result")

BATCH_ROWS: Final = 500
"""In one commit: more would hold the interpreter for longer than a stream may wait."""
AGAIN_S: Final = 0.25
AGAIN_AT_MOST_S: Final = 5.0
"""How long the thread waits before it tries again, doubling."""
COMMIT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0)
GATHER_S: Final = 0.05
"""How long records wait for others before they are written: a commit costs what many rows cost."""
IDLE_S: Final = 1.0
"""How long nothing may come before the thread tidies: what was written moves from the log of the file into the file."""
REST_S: Final = 0.0002
"""What the thread leaves to others between two steps of a batch. Each statement lets go of the interpreter too, but for less than
it takes to wake up who waits for it: without rests the event loop would stand still for the whole batch.
"""
MOVE_AFTER: Final = 64
"""Commits whose pages, about a thousand, are moved in a pause of a busy time; a commit that had to would be waited for."""
OF_THE_ROW: Final = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
)
"""What a row that can't be written raises, however often it is tried: everything else is the file's."""


class Writer:
    """Writes records, changes and turns. `start` before anything is put; `close` writes what it still can. `tidy` is a small step
    of housekeeping, taken in pauses; it says in how many seconds the next is wanted, None when there is no more to do.
    """

    def __init__(
        self,
        path: Path,
        engine: Engine,
        max_rows: int,
        tidy: Callable[[sqlite3.Connection], float | None] = lambda _: None,
    ) -> None:
        self._path = path
        self._tidy = tidy
        self.max_rows = max_rows
        self.commits = Histogram(COMMIT_SECONDS)
        """How long commits took."""
        self._rows: deque[CallRecord] = deque()
        self._taken: list[CallRecord] = []
        """Out of the queue, and not committed yet."""
        self._wake = threading.Event()
        self._pressed = threading.Event()
        """Set by what is tried at once, however the last try went: a change that somebody waits for, a whole batch, the end."""
        self._rest_s = IDLE_S
        """How long the thread rests when nothing comes."""
        self._next_batch = self._next_step = 0.0
        """When records, and housekeeping, are next to have their turn, on the monotonic clock."""
        self._unmoved = 0
        """Commits since what they wrote was last moved from the log of the file into the file."""
        self._closing_until: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._names = Names()
        self._file = Attached(path, self._names.load)
        self._awaited = Awaited(engine, self._file)
        self._ids = Ids()
        self._unwritable = 0
        self.contents = Waiting()
        self._trouble = Trouble(path, self.contents)

    @property
    def awaited(self) -> Awaited:
        """What somebody waits for: how much of it there is, and was."""
        return self._awaited

    @property
    def backlog(self) -> int:
        """Records that wait."""
        return len(self._rows) + len(self._taken)

    @property
    def failing_since(self) -> float | None:
        """Since when nothing could be written, on the monotonic clock; None while all is well."""
        return self._trouble.since

    @property
    def dropped(self) -> int:
        """Records that are nowhere: they found the queue full, or no file will take them."""
        return self._trouble.overflowed + self._unwritable

    def start(self) -> None:
        """Begins to write; the file is opened at once, so that it can be put back from then on."""
        self._wake.set()
        self._thread.start()

    def put(self, records: Sequence[CallRecord]) -> None:
        """Queues records that change no more. Never waits."""
        room = self.max_rows - self.backlog
        if len(records) > room:
            self._trouble.overflowed += len(records) - max(0, room)
            records = records[: max(0, room)]
        for record in records:
            if len(record.model) > MAX_WAITING_CHARS:  # a caller's word, which might be as long as a request
                record.model = record.model[:MAX_WAITING_CHARS]
        self.contents.admit(records)
        self._rows.extend(records)
        if not self._wake.is_set():
            self._wake.set()
        if len(self._rows) >= BATCH_ROWS and self.failing_since is None:
            self._pressed.set()

    def change(self, how: Callable[[Connection], Result]) -> Future[Result]:
        """Runs `how` in a transaction of its own, in the thread. Its future has what it gives or raises."""
        future = self._awaited.change(how)
        self._press()
        return future

    def keep(self, how: Callable[[sqlite3.Connection], Result], size_bytes: int = 0) -> Future[Result]:
        """Runs `how` under a savepoint, in a transaction with what else has queued meanwhile, in the thread. Its future has what
        it gives, once that is on the disk, or raises. `size_bytes`: what waits with it. Raises TooManyWait.
        """
        future = self._awaited.keep(how, size_bytes)
        self._press()
        return future

    def close(self, within_s: float) -> None:
        """Writes what is queued, for so long, and ends; what could not be written is said."""
        if self._closing_until is not None:
            return
        self._closing_until = monotonic() + within_s
        self._pressed.set()
        self._wake.set()
        self._thread.join(within_s)
        if left := self.backlog:
            self._unwritable += left
            log_event("calls_lost", path=str(self._path), count=left, reason=self._trouble.reason or "no time was left")

    def _press(self) -> None:
        for event in (self._pressed, self._wake):
            if not event.is_set():  # else the thread has not looked yet, and will
                event.set()
        if self._ended.is_set():
            self._awaited.fail_all()

    def _run(self) -> None:
        again_s = AGAIN_S
        while True:
            if self._wake.wait(self._rest_s):
                self._pressed.wait(GATHER_S)
            self._wake.clear()
            self._pressed.clear()
            try:
                self._write_all()
            except BaseException as error:  # the thread must not end with records waiting, whatever it is
                if not isinstance(error, Exception):
                    raise
                self._trouble.failed(error, waiting=self.backlog, limit=self.max_rows)
                if self._is_over():
                    break
                self._pressed.wait(again_s if self._closing_until is None else AGAIN_S)
                self._wake.set()
                again_s = min(AGAIN_AT_MOST_S, again_s * 2)
                continue
            again_s = AGAIN_S
            if self._closing_until is not None and (self._is_over() or not (self.backlog or self._awaited)):
                break
        self._ended.set()
        self._awaited.fail_all()
        self._file.close()

    def _is_over(self) -> bool:
        return self._closing_until is not None and monotonic() > self._closing_until

    def _write_all(self) -> None:
        """What somebody waits for, then what has queued, then a step of housekeeping; what comes to be waited for meanwhile goes
        before the next batch.
        """
        self._rest_s = IDLE_S
        made = self._awaited.make_some()
        self._unmoved += made
        connection = self._file.connection()
        if (
            self._taken or self._rows
        ) and not self._are_due():  # turns are made at once, but no records with each of them
            self._rest_s = GATHER_S
        else:
            while (self._taken or self._rows) and not self._awaited and not self._is_over():
                made += 1
                connection = self._write()
            self._next_batch = monotonic() + GATHER_S
        if self._awaited:
            self._wake.set()
            return
        if self._closing_until is None:
            self._pause(connection, idle=not made)
        if not (self.backlog and self._is_over()):  # else no time was left even to try
            self._trouble.over(limit=self.max_rows)

    def _are_due(self) -> bool:
        """Whether records have waited for one another long enough."""
        is_short = len(self._rows) + len(self._taken) < BATCH_ROWS
        return not (is_short and self._closing_until is None and monotonic() < self._next_batch)

    def _pause(self, connection: sqlite3.Connection, *, idle: bool) -> None:
        """A step of housekeeping, if it is time for one; and from time to time what was written is moved into the file."""
        if monotonic() >= self._next_step:
            self._file.safely(connection, power=False)
            wanted_s = self._tidy(connection)
            self._next_step = monotonic() + (GATHER_S if wanted_s is None else wanted_s)
            self._unmoved += wanted_s is not None
            if wanted_s is not None:
                self._rest_s = min(self._rest_s, wanted_s)
        if self._unmoved >= MOVE_AFTER or (idle and self._rest_s == IDLE_S):
            self._unmoved = 0
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _write(self) -> sqlite3.Connection:
        """The next batch; the connection that it was written on."""
        if not self._taken:
            self._taken = [self._rows.popleft() for _ in range(min(BATCH_ROWS, len(self._rows)))]
        connection = self._file.connection()
        try:
            done = self._commit(connection, self._taken)
        except OF_THE_ROW:
            # The ids may be another process's, which began to count at the same number; the names may have been changed.
            self._ids = Ids()
            self._names.load(connection)
            self._write_each(connection)
        else:
            if done:
                self._taken = []
        return connection

    def _write_each(self, connection: sqlite3.Connection) -> None:
        """One record at a time: the one that can't be written, whatever becomes of the file, goes."""
        while self._taken:
            try:
                if not self._commit(connection, self._taken[:1]):
                    return
            except OF_THE_ROW as error:
                self._unwritable += 1
                reason = f"{type(error).__name__}: {error}"
                log_event("call_not_recordable", request_id=self._taken[0].request_id, reason=reason)
                self.contents.written(self._taken[:1])
            self._taken = self._taken[1:]

    def _commit(self, connection: sqlite3.Connection, records: Sequence[CallRecord]) -> bool:
        """Whether they are written; false, with nothing done, when the file has just been moved away."""
        began = monotonic()
        self._file.safely(connection, power=False)
        sleep(REST_S)
        try:
            with in_transaction(connection):
                sleep(REST_S)
                done = self._file.is_there()
                if done:
                    insert(connection, self._names, self._ids, records)
                sleep(REST_S)
        except BaseException:
            self._names.rolled_back()
            raise
        self._unmoved += 1
        self._names.committed()
        self.commits.observe(monotonic() - began)
        if done:
            self.contents.written(records)
        return done
