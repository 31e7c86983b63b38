"""The connection that writes, when the file at its path is moved away, replaced, or gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store.attached import Attached
from hayate.store.migrate import open_file
from hayate.store.sqlite import beside


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "data" / "hayate.db"
    open_file(found)
    return found


class Two:
    """Two processes on one file."""

    def __init__(self, path: Path) -> None:
        self.opened = 0
        self.first, self.second = (Attached(path, self._opened) for _ in range(2))

    def _opened(self, _: sqlite3.Connection) -> None:
        self.opened += 1


@pytest.fixture
def two(path: Path) -> Iterator[Two]:
    found = Two(path)
    yield found
    found.first.close()
    found.second.close()


def add(attached: Attached, name: str) -> None:
    attached.connection().execute("INSERT INTO names (name) VALUES (?)", (name,))


def names(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {name for (name,) in connection.execute("SELECT name FROM names")}


def test_a_connection_is_kept(two: Two) -> None:
    assert two.first.connection() is two.first.connection()
    assert two.opened == 1
    assert two.first.is_there()


@pytest.mark.parametrize("whole", [False, True], ids=["the file alone", "and what is beside it"])
def test_a_file_that_is_gone_is_put_back_once_with_what_both_have_written(path: Path, two: Two, whole: bool) -> None:
    add(two.first, "a")
    add(two.second, "b")
    for each in (path, *(beside(path) if whole else ())):
        each.unlink()
    assert not two.first.is_there()
    add(two.first, "c")
    put_back = path.stat().st_ino
    add(two.second, "d")
    add(two.first, "e")
    assert path.stat().st_ino == put_back
    assert names(path) == {"a", "b", "c", "d", "e"}
    two.first.close()
    add(two.second, "f")  # that one has closed its old file takes nothing from the other's new one
    two.second.close()
    assert names(path) == {"a", "b", "c", "d", "e", "f"}


def test_another_file_in_its_place_is_not_given_the_log_of_the_first(path: Path, two: Two, tmp_path: Path) -> None:
    add(two.first, "a")
    add(two.second, "b")
    other = tmp_path / "other.db"
    open_file(other)
    other.replace(path)
    add(two.first, "c")
    add(two.second, "d")
    two.first.close()
    two.second.close()
    assert names(path) == {"c", "d"}


def test_while_the_folder_is_gone_nothing_is_written_and_all_is_there_when_it_is_back(path: Path, two: Two) -> None:
    add(two.first, "a")
    away = path.parent.rename(path.parent.with_name("away"))
    for _ in range(2):
        with pytest.raises(OSError, match="No such file"):
            two.first.connection()
    away.rename(path.parent)
    add(two.first, "b")
    assert two.opened == 1
    assert names(path) == {"a", "b"}


def test_one_that_nobody_has_open_is_made_anew(path: Path, two: Two) -> None:
    for each in path.parent.iterdir():
        each.unlink()
    add(two.first, "a")
    add(two.second, "b")
    assert names(path) == {"a", "b"}
    assert open_file(path)[1] is None


def test_but_not_a_folder(path: Path, two: Two) -> None:
    path.parent.rename(path.parent.with_name("away"))
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        two.first.connection()
    assert not path.parent.exists()


def test_a_file_that_can_not_be_read_is_closed_again(path: Path) -> None:
    def opened(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("no such table: names")

    attached = Attached(path, opened)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        attached.connection()
    assert not attached.is_there()


def test_it_is_safe_from_power_cuts_where_somebody_waits_for_it(path: Path, two: Two) -> None:
    def level() -> int:
        return int(two.first.connection().execute("PRAGMA synchronous").fetchone()[0])

    assert level() == 1
    for power in (True, True, False):
        two.first.safely(two.first.connection(), power=power)
        assert level() == 1 + power
    two.first.safely(two.first.connection(), power=True)
    path.unlink()  # and is put back, on another connection
    assert level() == 1
    two.first.safely(two.first.connection(), power=True)
    assert level() == 2
