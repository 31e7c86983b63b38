"""What somebody waits for: changes, each in a transaction of its own, and turns of conversations, of which those that queued while
the last commit ran are committed together.

Turns that are plain are kept in a few statements for all of them (`turns_together`); any other is kept by itself, and one that
fails is undone alone, under a savepoint where others stand before it. What the file is to blame for undoes all
that were to be committed with it, and each who waits is told. What was committed is on the disk (`synchronous` is FULL for
it): records of calls are not waited for, and don't pay for that.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import groupby
from time import monotonic, time
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine

from hayate.store.attached import Attached
from hayate.store.sqlite import writing
from hayate.store.turns_together import Keeping, keep_together
from hayate.telemetry.histogram import Histogram

Result = TypeVar("Result")

MAX_TURNS: Final = 10_000
MAX_TURN_BYTES: Final = 64 * 1024 * 1024
"""Of what waits: more than that is not waited for, but refused. As many streams as there may be may end in one moment."""
TOGETHER: Final = 50
"""Turns in one commit: the last of more would wait longer for the others than for a commit."""


AT_ONCE: Final = 50
"""Commits that others wait for before what nobody waits for has its turn."""


TURN_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0)


class TooManyWait(Exception):
    """So many turns wait to be kept that another would not be in time."""


class _Turn(NamedTuple):
    how: Callable[[sqlite3.Connection], Any]
    future: Future[Any]
    size_bytes: int


class Awaited:
    """Two queues. Anybody may put into them; the thread that writes takes out."""

    def __init__(self, engine: Engine, file: Attached) -> None:
        self._engine = engine
        self._file = file
        self._changes: deque[tuple[Callable[[Connection], Any], Future[Any]]] = deque()
        self._turns: deque[_Turn] = deque()
        self._came_bytes = 0  # counted by who puts, the next by the thread
        self._went_bytes = 0
        self.kept = 0
        """Turns, and other changes of conversations, that have been committed."""
        self.commits = Histogram(TURN_SECONDS)
        """How long their commits took."""

    @property
    def waiting(self) -> int:
        """How many of them wait."""
        return len(self._turns)

    def __bool__(self) -> bool:
        return bool(self._changes or self._turns)

    def change(self, how: Callable[[Connection], Result]) -> Future[Result]:
        """Queues what is to run in a transaction of its own."""
        future: Future[Result] = Future()
        self._changes.append((how, future))
        return future

    def keep(self, how: Callable[[sqlite3.Connection], Result], size_bytes: int) -> Future[Result]:
        """Queues what is to run, and is undone alone when it fails. Raises TooManyWait."""
        waiting_bytes = self._came_bytes - self._went_bytes
        if len(self._turns) >= MAX_TURNS or (waiting_bytes and waiting_bytes + size_bytes > MAX_TURN_BYTES):
            raise TooManyWait("too many answers wait to be written")
        future: Future[Result] = Future()
        self._came_bytes += size_bytes
        self._turns.append(_Turn(how, future, size_bytes))
        return future

    def make_some(self) -> int:
        """Makes what has queued and what queues meanwhile, unless that never ends; how many commits it took."""
        made = 0
        while self and made < AT_ONCE:
            if self._turns:
                made += 1
                self._make_turns([self._turns.popleft() for _ in range(min(TOGETHER, len(self._turns)))])
            if self._changes:
                made += 1
                self._make_change(*self._changes.popleft())
        return made

    def fail_all(self) -> None:
        """After the end. Both the thread and who wants something may get here."""
        closed = sqlite3.OperationalError("the store is closed")
        for queue in (self._changes, self._turns):
            while True:
                try:
                    future = queue.popleft()[1]
                except IndexError:
                    break
                if future.set_running_or_notify_cancel():
                    future.set_exception(closed)

    def _make_change(self, how: Callable[[Connection], Any], future: Future[Any]) -> None:
        if not future.set_running_or_notify_cancel():  # nobody waits for it any more: it is not made
            return
        try:
            self._file.connection()  # what was removed is put back before it is changed
            with writing(self._engine) as connection, connection.begin():
                result = how(connection)
                self._file.check_there()
        except BaseException as error:  # it is the one who waits that must know
            future.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            future.set_result(result)

    def _make_turns(self, turns: list[_Turn]) -> None:
        self._went_bytes += sum(turn.size_bytes for turn in turns)
        wanted = [turn for turn in turns if turn.future.set_running_or_notify_cancel()]
        if not wanted:
            return
        try:
            told = self._committed(wanted)
        except BaseException as error:  # those who wait must know
            for turn in wanted:
                turn.future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for turn, (result, failed) in zip(wanted, told, strict=True):
            if failed is None:
                turn.future.set_result(result)
            else:
                turn.future.set_exception(failed)

    def _committed(self, turns: list[_Turn]) -> list[tuple[Any, Exception | None]]:
        """What each gave or raised. Raises what the file is to blame for, with nothing kept."""
        connection, began = self._file.connection(), monotonic()
        self._file.safely(connection, power=True)
        told: list[tuple[Any, Exception | None]] = []
        try:
            for is_plain, some in groupby(turns, key=_is_plain):
                told += (_made_together if is_plain else _made_each)(connection, list(some))
            if connection.in_transaction:
                self._file.check_there()
                connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.commits.observe(monotonic() - began)
        self.kept += sum(failed is None for _, failed in told)
        return told


def _is_plain(turn: _Turn) -> bool:
    return isinstance(turn.how, Keeping) and turn.how.is_plain


def _made_together(connection: sqlite3.Connection, turns: Sequence[_Turn]) -> list[tuple[Any, Exception | None]]:
    """What is plain, in a few statements; where that can't be, one by one."""
    begins = not connection.in_transaction
    connection.execute("BEGIN IMMEDIATE" if begins else "SAVEPOINT turns")
    try:
        kept = keep_together(connection, [turn.how.turn for turn in turns if isinstance(turn.how, Keeping)], time())
    except Exception as error:
        if _is_the_files(error) or not connection.in_transaction:
            raise
        kept = None  # whose it is shows when each is kept by itself
    if kept is None:
        connection.execute("ROLLBACK" if begins else "ROLLBACK TO turns")
    if not begins:
        connection.execute("RELEASE turns")
    return _made_each(connection, turns) if kept is None else [(each, None) for each in kept]


def _made_each(connection: sqlite3.Connection, turns: Sequence[_Turn]) -> list[tuple[Any, Exception | None]]:
    return [(_made if connection.in_transaction else _begun)(connection, turn.how) for turn in turns]


def _begun(connection: sqlite3.Connection, how: Callable[[sqlite3.Connection], Any]) -> tuple[Any, Exception | None]:
    """The first of a transaction: when it fails, there is none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        return how(connection), None
    except Exception as error:
        if _is_the_files(error) or not connection.in_transaction:
            raise
        connection.execute("ROLLBACK")
        return None, error


def _made(connection: sqlite3.Connection, how: Callable[[sqlite3.Connection], Any]) -> tuple[Any, Exception | None]:
    connection.execute("SAVEPOINT turn")
    try:
        result = how(connection)
    except Exception as error:
        if _is_the_files(error) or not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO turn")
        connection.execute("RELEASE turn")
        return None, error
    connection.execute("RELEASE turn")
    return result, None


def _is_the_files(error: Exception) -> bool:
    """Whether it would be the same for any turn: a lock, a full disk, a damaged file."""
    return isinstance(error, OSError) or (
        isinstance(error, sqlite3.DatabaseError)
        and not isinstance(error, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.ProgrammingError)
    )
