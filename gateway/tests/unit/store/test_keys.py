"""The table of keys: what is changed leaves an event, and is read by id in the driver's own way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from hayate.store import keys as table
from hayate.store.keys import KeyRow
from hayate.store.migrate import open_file
from hayate.store.sqlite import connect, writing
from tests.support.stores import new_file

ROW = KeyRow("a1b2c3d4e5f6", b"d" * 32, "game", "games", 1, 1000, None, None, None, None, "{}")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine, _ = open_file(new_file(tmp_path / "hayate.db"))
    with writing(engine) as found:
        yield found


def test_a_key_is_found_by_both_ways_and_counted(connection: Connection, tmp_path: Path) -> None:
    with connection.begin():
        table.add(connection, ROW)
        table.add(connection, replace(ROW, id="b" * 12, revoked_ms=5))
        assert table.get(connection, ROW.id) == ROW
    with closing(connect(tmp_path / "hayate.db", readonly=True)) as driver:
        assert table.find(driver, ROW.id) == ROW
        assert table.find(driver, "c" * 12) is None
        assert table.count(driver) == 1


def test_each_change_raises_the_version_and_is_told_in_order(connection: Connection, tmp_path: Path) -> None:
    other = replace(ROW, id="b" * 12)
    with connection.begin():
        table.add(connection, ROW)
        table.add(connection, other)
    with closing(connect(tmp_path / "hayate.db", readonly=True)) as driver:
        seq, changed = table.changed_since(driver, 0)
        assert changed == {ROW.id, other.id}
        assert table.changed_since(driver, seq) == (seq, set())
        with connection.begin():
            after = table.alter(connection, ROW.id, name="bot")
        assert after == replace(ROW, name="bot", version=2)
        assert table.changed_since(driver, seq) == (seq + 1, {ROW.id})


def test_a_key_that_is_not_there_is_not_changed(connection: Connection) -> None:
    with connection.begin():
        assert table.alter(connection, "c" * 12, name="x") is None


def test_they_are_listed_the_oldest_first_in_pages(connection: Connection) -> None:
    rows = [replace(ROW, id=f"{n:012x}", created_ms=1000 + n // 2, name=f"k{n}") for n in range(7)]
    with connection.begin():
        for row in reversed(rows):
            table.add(connection, row)
        first = table.listed(connection, limit=4)
        assert first == rows[:4]
        assert table.listed(connection, after=first[-1].id, limit=4) == rows[4:]
        assert table.named(connection, "k3") == [rows[3]]


def test_of_some_keys_those_are_told_that_are_good_no_more(connection: Connection, tmp_path: Path) -> None:
    with connection.begin():
        table.add(connection, ROW)
        table.add(connection, replace(ROW, id="b" * 12, revoked_ms=5))
    with closing(connect(tmp_path / "hayate.db", readonly=True)) as driver:
        assert table.revoked(driver, set()) == []
        assert table.revoked(driver, [ROW.id]) == []
        assert table.revoked(driver, [ROW.id, "b" * 12, "c" * 12]) == ["b" * 12, "c" * 12]
        strangers = [f"{n:012x}" for n in range(5000)]
        assert table.revoked(driver, strangers) == strangers


def test_the_last_event_is_that_of_the_last_change(connection: Connection, tmp_path: Path) -> None:
    with closing(connect(tmp_path / "hayate.db", readonly=True)) as driver:
        assert table.last_event(driver) == 0
        with connection.begin():
            table.add(connection, ROW)
        assert table.last_event(driver) == table.changed_since(driver, 0)[0] == 1
