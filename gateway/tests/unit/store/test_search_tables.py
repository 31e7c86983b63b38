"""The index and its triggers: made the same by a new file and by the migrations, and told of all that is said and goes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store.hidden import UNFINISHED
from hayate.store.migrate import MIGRATIONS, _bring_up, open_file
from hayate.store.schema import HEAD
from hayate.store.search_tables import INDEX, SHADOWS
from hayate.store.sqlite import connect, engine_of, prepare_file, writing

MADE_FOR_SEARCH = (
    "SELECT type, name, sql FROM sqlite_master WHERE type = 'trigger' OR name LIKE ? ESCAPE '\\' ORDER BY name"
)
CONVERSATION = "INSERT INTO conversations VALUES (?, ?, 'shop', ?, 0, 0, '{}', NULL, 0, 0, 0, 1, NULL, NULL, 1)"
ITEM = "INSERT INTO items VALUES (?, ?, ?, ?, ?, 0, 2, '{}') ON CONFLICT (conversation, id) DO NOTHING"


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    open_file(tmp_path / "hayate.db")
    connection = connect(tmp_path / "hayate.db")
    connection.execute(CONVERSATION, (1, "conv_1", True))
    connection.execute(CONVERSATION, (2, "conv_2", False))
    return connection


def test_the_migrations_make_the_same_as_a_new_file_has(tmp_path: Path) -> None:
    new, led_on = tmp_path / "new.db", tmp_path / "led_on.db"
    open_file(new)
    prepare_file(led_on, (HEAD,))
    with writing(engine_of(led_on)) as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        _bring_up(connection, MIGRATIONS, HEAD)
    made = []
    for path in (new, led_on):
        with closing(sqlite3.connect(path)) as each:
            made.append(each.execute(MADE_FOR_SEARCH, (f"{INDEX}%",)).fetchall())
            made[-1] += each.execute(f"SELECT k, v FROM {INDEX}_config ORDER BY k").fetchall()
    assert made[0] == made[1]
    assert {name for _, name, *_ in made[0][:-4]} == {INDEX, *SHADOWS, "items_said", "items_gone"}


def test_what_is_said_is_noted_where_its_callers_see_it(connection: sqlite3.Connection) -> None:
    connection.execute(ITEM, (1, "msg_1", 1, 1, 1))
    connection.execute(ITEM, (2, "msg_2", 2, 1, 1))
    assert connection.execute("SELECT item, project FROM unsearched").fetchall() == [(1, "shop")]


def test_what_is_said_before_its_conversation_is_whole_is_its_projects(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE conversations SET project = ? || project", (UNFINISHED,))
    connection.execute(ITEM, (1, "msg_1", 1, 1, 1))
    assert connection.execute("SELECT item, project FROM unsearched").fetchall() == [(1, "shop")]


def test_what_stands_before_all_turns_is_not_searched(connection: sqlite3.Connection) -> None:
    connection.execute(ITEM, (1, "msg_1", 1, 0, 1))
    assert connection.execute("SELECT count(*) FROM unsearched").fetchone() == (0,)


def test_what_was_not_kept_after_all_is_not_noted(connection: sqlite3.Connection) -> None:
    connection.execute(ITEM, (1, "msg_1", 1, 1, 1))
    assert connection.execute(ITEM, (2, "msg_1", 1, 1, 2)).rowcount == 0
    assert connection.execute("SELECT item FROM unsearched").fetchall() == [(1,)]


def test_what_goes_before_it_was_indexed_leaves_nothing(connection: sqlite3.Connection) -> None:
    connection.execute(ITEM, (1, "msg_1", 1, 1, 1))
    connection.execute("DELETE FROM items")
    for table in ("unsearched", "searched", "forgotten"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


@pytest.mark.parametrize("table", ["items", "conversations"])
def test_what_goes_later_is_noted_with_its_words(connection: sqlite3.Connection, table: str) -> None:
    connection.execute(ITEM, (1, "msg_1", 1, 1, 1))
    connection.execute("DELETE FROM unsearched")
    connection.execute("INSERT INTO searched VALUES (1, 'shop')")
    connection.execute(f"DELETE FROM {table} WHERE number = 1")
    assert connection.execute("SELECT item, project, body, step FROM forgotten").fetchall() == [(1, "shop", "{}", 0)]
    assert connection.execute("SELECT count(*) FROM searched").fetchone() == (0,)
