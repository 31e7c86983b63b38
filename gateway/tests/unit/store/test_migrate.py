"""The file comes to this release's tables: at once where it is new, step by step with a copy first where it is old."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from hayate.store.migrate import MIGRATIONS, _bring_up, open_file
from hayate.store.schema import HEAD, VERSIONS, metadata
from hayate.store.search_tables import INDEX, SHADOWS
from hayate.store.sqlite import StoreRefused, engine_of, prepare_file, writing

NEXT = '''"""One column more."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("keys", sa.Column("colour", sa.String(8)))
    {more}
'''


LATER = (*VERSIONS, "9999")


def next_release(folder: Path, more: str = "pass") -> Path:
    """Migrations of a release after this one."""
    copytree(MIGRATIONS, folder)
    (folder / "versions" / "9999_colour.py").write_text(NEXT.format(head=HEAD, more=more), encoding="utf-8")
    return folder


def columns(path: Path, table: str) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def differences(connection: Connection) -> Any:
    """What the file has otherwise than the program knows it; the index of search is none of SQLAlchemy's tables."""
    return compare_metadata(MigrationContext.configure(connection, opts={"include_name": is_known}), metadata)


def is_known(name: str | None, kind: str, _: Any) -> bool:
    return kind != "table" or name not in (INDEX, *SHADOWS)


def test_the_migrations_make_the_tables_that_the_program_knows(tmp_path: Path) -> None:
    path = tmp_path / "hayate.db"
    prepare_file(path, (HEAD,))
    engine = engine_of(path)
    with writing(engine) as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        _bring_up(connection, MIGRATIONS, HEAD)
    with engine.connect() as connection:
        assert differences(connection) == []


def test_a_new_file_has_them_at_once(tmp_path: Path) -> None:
    engine, copy = open_file(tmp_path / "hayate.db")
    assert copy is None
    with engine.connect() as connection:
        assert differences(connection) == []
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").all() == [(HEAD,)]


def test_an_older_file_is_copied_and_led_on(tmp_path: Path) -> None:
    path = tmp_path / "hayate.db"
    open_file(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO names (name) VALUES ('fast')")
        connection.commit()
    _, copy = open_file(path, next_release(tmp_path / "next"), LATER)
    assert copy == tmp_path / "hayate.before-9999.db"
    assert "colour" in columns(path, "keys")
    assert "colour" not in columns(copy, "keys")
    for each in (path, copy):
        with closing(sqlite3.connect(each)) as connection:
            assert connection.execute("SELECT name FROM names").fetchall() == [("fast",)]
    assert open_file(path, tmp_path / "next", LATER)[1] is None


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "hayate.db"
    open_file(path)
    broken = next_release(tmp_path / "next", "raise RuntimeError('half-way')")
    with pytest.raises(RuntimeError, match="half-way"):
        open_file(path, broken, LATER)
    assert "colour" not in columns(path, "keys")
    assert open_file(path)[1] is None


def test_a_file_of_the_first_release_is_led_on_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "hayate.db"
    prepare_file(path, VERSIONS)
    with writing(engine_of(path)) as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        _bring_up(connection, MIGRATIONS, "0001")
        connection.exec_driver_sql("INSERT INTO names (name) VALUES ('fast')")
    engine, copy = open_file(path)
    assert copy == tmp_path / f"hayate.before-{HEAD}.db"
    with engine.connect() as connection:
        assert differences(connection) == []
        assert connection.exec_driver_sql("SELECT name FROM names").scalars().all() == ["fast"]


def test_several_that_start_at_once_make_it_once(tmp_path: Path) -> None:
    path = tmp_path / "hayate.db"
    with ThreadPoolExecutor(8) as threads:
        assert [copy for _, copy in threads.map(lambda _: open_file(path), range(8))] == [None] * 8


def test_of_two_that_lead_it_on_at_once_the_copy_is_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, later = tmp_path / "hayate.db", next_release(tmp_path / "next")
    open_file(path)
    looked = threading.Event()

    def look(*args: Any) -> str | None:
        found = prepare_file(*args)
        looked.set()
        return found

    monkeypatch.setattr("hayate.store.migrate.prepare_file", look)
    with ThreadPoolExecutor(1) as other, writing(engine_of(path)) as connection, connection.begin():
        # It has found an old file and waits for us, who are leading it on.
        waits = other.submit(open_file, path, later, LATER)
        assert looked.wait(60)
        _bring_up(connection, later, "9999")
        assert not waits.done()
        connection.commit()
        assert waits.result()[1] is None
    assert "colour" in columns(path, "keys")
    assert not (tmp_path / "hayate.before-9999.db").exists()


def test_a_file_that_can_not_be_led_on_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hayate.store.migrate.OTHERS_S", 0.01)
    path = tmp_path / "hayate.db"
    open_file(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreRefused, match="locked") as error:
            open_file(path, next_release(tmp_path / "next"), LATER)
    assert str(path) in str(error.value)


def test_alembic_is_not_imported_for_a_file_that_stands_where_it_should(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hayate.store.migrate import open_file;"
        f"open_file(Path({str(tmp_path / 'hayate.db')!r})); open_file(Path({str(tmp_path / 'hayate.db')!r}));"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
