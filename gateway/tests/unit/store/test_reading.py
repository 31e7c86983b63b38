"""What is read is of one moment, and of the file that is at the path."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store import reading as module
from hayate.store.migrate import open_file
from hayate.store.quick import Quick
from hayate.store.reading import Reading
from hayate.store.sqlite import connect

COUNT = "SELECT count(*) FROM names"


@pytest.fixture
def reading(path: Path) -> Iterator[Reading]:
    found = Reading(path)
    yield found
    found.close()


def counted(connection: sqlite3.Connection) -> int:
    return int(connection.execute(COUNT).fetchone()[0])


def test_it_is_of_one_moment(path: Path, connection: sqlite3.Connection, reading: Reading) -> None:
    def twice(reader: sqlite3.Connection) -> tuple[int, int]:
        first = counted(reader)
        connection.execute("INSERT INTO names (name) VALUES ('x')")
        return first, counted(reader)

    assert reading.on_loop(twice) == (0, 0)
    assert reading.on_loop(counted) == 1


def test_a_glance_leaves_nothing_open(connection: sqlite3.Connection, reading: Reading) -> None:
    assert reading.at_a_glance(counted) == 0
    connection.execute("INSERT INTO names (name) VALUES ('x')")
    assert reading.at_a_glance(counted) == 1
    assert reading.at_a_glance(lambda found: found) is reading.on_loop(lambda found: found)
    assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, "no reader holds the log"


def test_the_loop_has_one_connection_and_a_thread_its_own(reading: Reading) -> None:
    first, again = (reading.on_loop(lambda connection: connection) for _ in range(2))
    other = reading.in_thread(lambda connection: connection)
    assert first is again
    assert isinstance(first, Quick)
    assert not isinstance(other, Quick)


def test_what_goes_wrong_leaves_nothing_open(reading: Reading) -> None:
    def fail(_: sqlite3.Connection) -> None:
        raise KeyError("x")

    for how in (reading.on_loop, reading.in_thread):
        with pytest.raises(KeyError):
            how(fail)
    assert not reading.on_loop(lambda connection: connection).in_transaction


def test_nothing_can_be_written(reading: Reading) -> None:
    for how in (reading.on_loop, reading.in_thread):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            how(lambda connection: connection.execute("DELETE FROM names"))


def test_another_file_at_the_path_is_read_from_then_on(
    path: Path, connection: sqlite3.Connection, reading: Reading, tmp_path: Path
) -> None:
    connection.execute("INSERT INTO names (name) VALUES ('x')")
    assert reading.on_loop(counted) == 1
    connection.close()
    other = tmp_path / "other" / "hayate.db"
    open_file(other)[0].dispose()
    with closing(connect(other)) as another:
        another.execute("INSERT INTO names (name) VALUES ('y'), ('z')")
    for each in path.parent.glob("hayate.db-*"):
        each.unlink()
    other.replace(path)
    assert reading.on_loop(counted) == 2
    assert reading.in_thread(counted) == 2


def test_at_a_glance_it_is_seen_a_moment_later(
    path: Path, connection: sqlite3.Connection, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 60)
    assert reading.at_a_glance(counted) == 0
    connection.close()
    path.unlink()
    assert reading.at_a_glance(counted) == 0
    monkeypatch.setattr(module, "LOOK_S", 0)
    with pytest.raises(OSError, match="No such file"):
        reading.at_a_glance(counted)


def test_a_file_that_is_gone_is_said(path: Path, reading: Reading) -> None:
    reading.on_loop(counted)
    path.unlink()
    for how in (reading.on_loop, reading.in_thread):
        with pytest.raises(OSError, match="No such file"):
            how(counted)
