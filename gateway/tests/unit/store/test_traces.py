"""Whether something of what was deleted may be left is known, whatever happens."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from hayate.store import traces
from hayate.store.sqlite import beside, connect


def test_the_number_goes_up_with_what_is_deleted_and_back_with_it(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    traces.leave(connection)
    connection.execute("COMMIT")
    connection.execute("BEGIN")
    traces.leave(connection)
    assert traces.left(connection) == 2
    connection.execute("ROLLBACK")
    assert traces.left(connection) == 1


def test_it_is_never_0_but_when_nothing_is_left(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA user_version = {traces.MOST}")
    traces.leave(connection)
    assert traces.left(connection) == 1


def test_what_was_deleted_since_is_not_forgotten(connection: sqlite3.Connection) -> None:
    traces.leave(connection)
    since = traces.left(connection)
    traces.leave(connection)
    traces.clear(connection, since)
    assert traces.left(connection) == 2
    traces.clear(connection, 2)
    assert traces.left(connection) == 0
    assert not connection.in_transaction


def test_the_log_is_emptied_unless_somebody_reads(path: Path, connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO names (name) VALUES ('x')")
    with closing(connect(path, readonly=True)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM names").fetchall()
        connection.execute("INSERT INTO names (name) VALUES ('y')")
        assert not traces.truncated(connection)  # and does not wait for it
        reader.execute("COMMIT")
    assert traces.truncated(connection)
    assert beside(path)[0].stat().st_size == 0
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (2000,)
