"""The row of a call: what is kept of it, and that words are numbers which no caller can make many of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store.ids import Ids
from hayate.store.migrate import open_file
from hayate.store.rows import MAX_MS, OTHER, UNKNOWN_MODEL, Names, insert
from hayate.store.sqlite import connect
from hayate.store.usage import Filter, recent
from hayate.wire.usage import Usage
from tests.unit.store.conftest import Make


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    open_file(tmp_path / "hayate.db")[0].dispose()
    with closing(connect(tmp_path / "hayate.db")) as found:
        yield found


def test_everything_of_a_call_is_read_again(tmp_path: Path, make: Make) -> None:
    engine, _ = open_file(tmp_path / "hayate.db")
    record = make(
        ended_at=1_800_000_000.5, key="a1b2c3d4e5f6", project="games", endpoint="messages", stream=True, attempts=2,
        queued_s=0.0124, status=502, error="upstream_error", finish_reason=None, tokens=(7, 3, 9),
    )  # fmt: skip
    record.usage.exact = False
    with closing(connect(tmp_path / "hayate.db")) as connection:
        insert(connection, Names(), Ids(start=0), [record])
    with engine.connect() as reader:
        (kept,) = recent(reader, Filter())
    assert (kept.ended_at, kept.request_id, kept.key, kept.project) == (
        1_800_000_000.5,
        record.request_id,
        "a1b2c3d4e5f6",
        "games",
    )
    assert (kept.path, kept.model, kept.deployment, kept.replica) == ("messages", "fast", "qwen", "qwen/0")
    assert (kept.attempts, kept.status, kept.error, kept.finish, kept.stream) == (2, 502, "upstream_error", "", True)
    assert (kept.queued_ms, kept.ttft_ms, kept.total_ms) == (12, 250, 1500)
    assert (kept.tokens_in, kept.tokens_cached, kept.tokens_out, kept.exact) == (7, 3, 9, False)


def test_names_are_given_once_and_forgotten_with_a_transaction_that_is_not_kept(connection: sqlite3.Connection) -> None:
    names = Names()
    connection.execute("BEGIN")
    first = names.learn(connection, ["fast", "smart", "fast"])
    assert first["fast"] != first["smart"]
    connection.execute("ROLLBACK")
    names.rolled_back()
    assert not names.learn(connection, [])
    known = names.learn(connection, ["fast"])["fast"]
    names.committed()
    others = Names()
    others.load(connection)
    assert others.learn(connection, []) == {"fast": known}


def test_another_process_has_given_the_word_a_number_before(connection: sqlite3.Connection, tmp_path: Path) -> None:
    names = Names()
    with closing(connect(tmp_path / "hayate.db")) as other:
        other.execute("INSERT INTO names (id, name) VALUES (77, 'fast')")
    assert names.learn(connection, ["fast"]) == {"fast": 77}


@pytest.mark.parametrize("count", [1, 31, 32, 33, 100])
def test_any_number_of_calls_is_written_each_once_and_in_order(
    connection: sqlite3.Connection, make: Make, count: int
) -> None:
    records = [make(ended_at=1_800_000_000.0 + n) for n in range(count)]
    insert(connection, Names(), Ids(start=0), records)
    rows = connection.execute("SELECT request_id FROM calls ORDER BY id").fetchall()
    assert [name.decode() for (name,) in rows] == [record.request_id for record in records]


def test_no_caller_and_no_engine_can_make_words(connection: sqlite3.Connection, make: Make) -> None:
    names = Names()
    strangers = [
        make(model=f"no such model {n}", deployment="", error="model_not_found", status=404) for n in range(50)
    ]
    odd = [make(finish_reason=f"because {n}") for n in range(50)]
    left = [make(model=f"nor this one {n}", deployment="", status=499) for n in range(50)]
    insert(connection, names, Ids(), [*strangers, *odd, *left])
    words = {name for (name,) in connection.execute("SELECT name FROM names")}
    assert words <= {
        UNKNOWN_MODEL,
        OTHER,
        "fast",
        "main",
        "default",
        "chat",
        "qwen",
        "qwen/0",
        "model_not_found",
        "",
        "stop",
    }


def test_what_no_column_holds_is_bounded(connection: sqlite3.Connection, make: Make) -> None:
    record = make(started=-1e12)
    record.usage = Usage(10**9, 10**9, exact=True)
    insert(connection, Names(), Ids(), [record])
    assert connection.execute("SELECT total_ms, tokens_in FROM calls").fetchone() == (MAX_MS, 10**9)
