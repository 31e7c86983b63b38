"""Copies are whole, of one moment, private, and in their place in one step or not at all."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store.copies import back_up, copy_to
from hayate.store.migrate import open_file
from hayate.store.sqlite import connect

LAST_RESORT_S = 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "hayate.db"
    open_file(found)
    return found


def names_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return int(connection.execute("SELECT count(*) FROM names").fetchone()[0])


def test_a_copy_is_whole_and_its_owners_alone(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    for _ in range(2):
        back_up(path, copy)
    assert names_in(copy) == 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [each for each in tmp_path.iterdir() if each.name.endswith(".part")] == []
    assert open_file(copy)[1] is None


def test_a_copy_ends_however_much_is_written_meanwhile_and_is_of_one_moment(path: Path, tmp_path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO names (name) VALUES (?)", [(f"{n:0200}",) for n in range(20_000)])
        connection.execute("COMMIT")
    ended, written = threading.Event(), threading.Event()

    def write() -> None:
        with closing(connect(path)) as connection:
            number = 0
            while not ended.is_set():
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT INTO names (name) VALUES (?)", [(f"a{number}",), (f"b{number}",)])
                connection.execute("COMMIT")
                number += 1
                written.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert written.wait(LAST_RESORT_S)
        back_up(path, tmp_path / "copy.db")
    finally:
        ended.set()
        thread.join()
    found = names_in(tmp_path / "copy.db")
    assert found > 20_000
    assert found % 2 == 0  # no transaction is in it by half


def test_a_copy_that_fails_leaves_the_one_before_it_and_nothing_beside(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    back_up(path, copy)
    before = copy.read_bytes()
    with closing(connect(path)) as source:
        source.execute("CREATE TABLE more (x)")
    with pytest.raises(sqlite3.Error):
        copy_to(source, copy)
    with closing(connect(path)) as source, pytest.raises(IsADirectoryError):
        copy_to(source, tmp_path)
    assert copy.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir() if "hayate" not in each.name) == ["copy.db"]
    assert [each for each in tmp_path.parent.iterdir() if each.name.endswith(".part")] == []


def test_what_a_copy_left_when_it_was_killed_is_in_nobodys_way(path: Path, tmp_path: Path) -> None:
    (tmp_path / f".copy.db.{os.getpid()}.part").write_bytes(b"half")
    back_up(path, tmp_path / "copy.db")
    assert names_in(tmp_path / "copy.db") == 0


def test_a_folder_that_is_not_there_is_an_error(path: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        back_up(path, tmp_path / "nowhere" / "copy.db")
