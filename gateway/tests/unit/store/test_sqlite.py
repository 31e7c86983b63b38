"""How the file is opened, and what is refused by name and left as it was."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store.migrate import open_file
from hayate.store.sqlite import StoreRefused, connect, prepare_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "hayate.db"


def refusal(path: Path) -> StoreRefused:
    with pytest.raises(StoreRefused) as error:
        open_file(path)
    assert str(path) in error.value.text("en")
    assert str(path) in error.value.text("ja")
    return error.value


def test_a_new_file_is_its_owners_alone_with_a_log_beside_it(path: Path) -> None:
    assert prepare_file(path, ("0001",)) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_file_that_is_ours_says_where_it_stands(path: Path) -> None:
    open_file(path)
    assert prepare_file(path, ("0001",)) == "0001"


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, os.urandom(8192), b"SQLite format 3\0" + b"\xff" * 4000]
)
def test_a_damaged_file_is_refused_and_left(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert "damaged" in refusal(path).text("en")
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_left(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")
        connection.commit()
    before = path.read_bytes()
    assert "another program" in refusal(path).text("en")
    assert path.read_bytes() == before


def test_a_newer_file_is_refused_with_its_version(path: Path) -> None:
    engine, _ = open_file(path)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    assert "schema 9999" in refusal(path).text("en")


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    assert "HAYATE_DATA" in refusal(tmp_path / "data" / "hayate.db").text("en")


def test_a_file_that_another_program_holds_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hayate.store.sqlite.BUSY_S", 0.05)
    open_file(path)
    with closing(sqlite3.connect(path)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute("CREATE TABLE held (x)")
        assert "Is another program holding it" in refusal(path).text("en")
