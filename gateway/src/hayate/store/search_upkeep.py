"""What the thread that writes does for search in its pauses: the words of what was said are put into the index, those of what was
deleted are taken out and overwritten, and the index is merged.

The index is written as many small trees, which have to become few for a search to be quick. To take words out is to write that
they are gone: they go themselves when the tree that they are in is merged with that. So, some time after something was
deleted, all trees become one, in steps (a round); what is deleted meanwhile is for the next round. How far that is stands in the
tables: after a crash it goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

import orjson

from hayate.store.grams import grams, mark_of
from hayate.store.search_tables import MAKE, SETTINGS
from hayate.store.search_trees import flatten
from hayate.store.sqlite import in_transaction
from hayate.telemetry.log import log_event
from hayate.wire.items import text_of

CORRUPT_VTAB: Final = 267
"""SQLite's code for an index, and no more than that, which is damaged (`SQLITE_CORRUPT_VTAB`)."""
STEP_S: Final = 0.003
"""How long a step goes on to begin something: whoever wants a turn kept meanwhile waits for it."""
SOME_ITEMS: Final = 64
SOME_CHARS: Final = 16_000
"""Put in or taken out at once, in one transaction; a longer item by itself."""
NEW_S: Final = 5.0
"""How long the first items wait for SOME_ITEMS of them: one by one they would cost twice as much, and they are found as well."""
SOME_PAGES: Final = 16
"""Written at once by a merge."""
MERGES: Final = 8
"""At most, between two others: trees must not pile up, nor what was said wait for all of them."""
GATHER_S: Final = 10.0
"""How long what was deleted waits for more before a round begins: each writes the whole index."""

_Row = tuple[int, str, str, int]
"""Number, project and body of an item, and the key of the row that tells of it."""


class Upkeep:
    """One per store; its steps are taken by the thread that writes, outside of any transaction."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._may_merge = True
        """Whether there may be trees to be merged."""
        self._merges = 0
        self._index_at: float | None = None
        self._round_at: float | None = None
        """When what is new is put into the index, and when the next round begins; None while nothing is known to wait for it."""

    def step(self, connection: sqlite3.Connection) -> bool:
        """A little of it; true when there is more to do at once. Called again a second later, it finds what there is then. Raises
        sqlite3.Error.
        """
        until = self._clock() + STEP_S
        try:
            while self._do_some(connection):
                if self._clock() >= until:
                    return True
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode != CORRUPT_VTAB:
                raise
            _make_anew(connection)
            log_event("search_index_made_anew", reason=str(error))
            return True
        return False

    def _do_some(self, connection: sqlite3.Connection) -> bool:
        if self._may_merge and self._merges < MERGES:
            self._merges += 1
            self._may_merge = _merge(connection)
            if self._may_merge:
                return True
        self._merges = 0
        if _forget(connection) or (self._is_time_for_new(connection) and _index(connection)):
            self._may_merge = True
        return self._may_merge or self._overwrite(connection)

    def _is_time_for_new(self, connection: sqlite3.Connection) -> bool:
        (count,) = connection.execute(HOW_MANY_NEW, (SOME_ITEMS,)).fetchone()
        if count and self._index_at is None:
            self._index_at = self._clock() + NEW_S
        is_time = count == SOME_ITEMS or (self._index_at is not None and self._clock() >= self._index_at)
        if is_time or not count:
            self._index_at = None
        return is_time

    def _overwrite(self, connection: sqlite3.Connection) -> bool:
        """Begins and ends rounds; between, they are merges."""
        (step,) = connection.execute(STEP).fetchone()
        if step == 2:
            with in_transaction(connection):
                connection.execute(MERGE, (SOME_PAGES,))
                flatten(connection)
                connection.execute(END_ROUND)
            return True
        if step == 1 and self._round_at is None:
            self._round_at = self._clock() + GATHER_S
        if step is None or self._round_at is None or self._clock() < self._round_at:
            return False
        with in_transaction(connection):
            connection.execute(BEGIN_ROUND)
            connection.execute(MERGE, (-SOME_PAGES,))
        self._round_at, self._may_merge = None, True
        return True


def _merge(connection: sqlite3.Connection) -> bool:
    """Whether there was anything to merge."""
    with in_transaction(connection):
        before = connection.total_changes
        connection.execute(MERGE, (SOME_PAGES,))
        return connection.total_changes - before > 1  # the statement itself counts as one


def _index(connection: sqlite3.Connection) -> bool:
    """Whether there was anything to put in."""
    with in_transaction(connection):
        rows = _some(connection.execute(NEW, (SOME_ITEMS,)))
        marks = _marks(rows)
        for first in range(0, len(rows), TOGETHER):
            values: list[object] = []
            for number, project, body, _ in rows[first : first + TOGETHER]:
                values += (number, _grams(marks[project], body))
            connection.execute(PUTS_IN[len(values) // 2], values)
        if rows:
            last = (rows[-1][0],)
            connection.execute(KNOWN, last)
            connection.execute(NO_MORE_NEW, last)
    return bool(rows)


def _forget(connection: sqlite3.Connection) -> bool:
    """Whether there was anything to take out."""
    if connection.execute(ANY_FORGOTTEN).fetchone() is None:
        return False
    with in_transaction(connection):
        rows = _some(connection.execute(FORGOTTEN, (SOME_ITEMS,)))
        marks = _marks(rows)
        for number, project, body, _ in sorted(
            rows
        ):  # FTS5 begins another tree whenever a number is less than the last
            connection.execute(TAKE_OUT, (number, _grams(marks[project], body)))
        connection.executemany(NO_MORE_KNOWN, [(row_id,) for *_, row_id in rows])
        connection.execute(REMAINS)
    return True


def _make_anew(connection: sqlite3.Connection) -> None:
    """An empty index, and all that was in the old one waits to be put in."""
    with in_transaction(connection):
        connection.execute("DROP TABLE items_fts")
        for statement in (MAKE, *SETTINGS):
            connection.execute(statement)
        connection.execute("INSERT INTO unsearched (item, project) SELECT item, project FROM searched")
        connection.execute("DELETE FROM searched")
        connection.execute("DELETE FROM forgotten")


def _some(rows: Iterable[_Row]) -> list[_Row]:
    """The first few, as many as SOME_CHARS allows; one at least, if there is one."""
    found: list[_Row] = []
    left = SOME_CHARS
    for row in rows:
        left -= len(row[2])
        if found and left < 0:
            break
        found.append(row)
    return found


def _marks(rows: Iterable[_Row]) -> dict[str, str]:
    return {project: mark_of(project) for project in {row[1] for row in rows}}


def _grams(mark: str, body: str) -> str:
    return grams(text_of(orjson.loads(body)), mark)


MERGE: Final = "INSERT INTO items_fts (items_fts, rank) VALUES ('merge', ?)"
HOW_MANY_NEW: Final = "SELECT count(*) FROM (SELECT 1 FROM unsearched LIMIT ?)"
NEW: Final = "SELECT item, project, body, item FROM unsearched CROSS JOIN items ON number = item ORDER BY item LIMIT ?"
TOGETHER: Final = 16
"""Items in one statement: for each the driver lets go of the interpreter, and whoever else wants it makes it wait."""
PUT_IN: Final = "INSERT INTO items_fts (rowid, grams)"
PUTS_IN: Final = {count: f"{PUT_IN} VALUES {', '.join(['(?, ?)'] * count)}" for count in range(1, TOGETHER + 1)}
KNOWN: Final = "INSERT INTO searched (item, project) SELECT item, project FROM unsearched WHERE item <= ?"
NO_MORE_NEW: Final = "DELETE FROM unsearched WHERE item <= ?"
ANY_FORGOTTEN: Final = "SELECT 1 FROM forgotten WHERE step = 0 LIMIT 1"
FORGOTTEN: Final = "SELECT item, project, body, id FROM forgotten WHERE step = 0 ORDER BY id LIMIT ?"
TAKE_OUT: Final = "INSERT INTO items_fts (items_fts, rowid, grams) VALUES ('delete', ?, ?)"
NO_MORE_KNOWN: Final = "DELETE FROM forgotten WHERE id = ?"
REMAINS: Final = """
INSERT INTO forgotten (item, project, body, step)
SELECT 0, '', '', 1 WHERE NOT EXISTS (SELECT 1 FROM forgotten WHERE step = 1)
"""
STEP: Final = "SELECT max(step) FROM forgotten"
BEGIN_ROUND: Final = "UPDATE forgotten SET step = 2 WHERE step = 1"
END_ROUND: Final = "DELETE FROM forgotten WHERE step = 2"
