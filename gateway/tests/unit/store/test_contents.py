"""Prompts and answers: read until their time is over and no longer, gone from the file soon after, and gone with their call."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store import traces
from hayate.store.contents import STEP_ROWS, Said, Waiting, said_in, with_content
from hayate.store.erasing import Erasing
from hayate.store.ids import Ids
from hayate.store.retention import DAY_S, LOOK_S, Retention
from hayate.store.rows import Names, insert
from hayate.store.sqlite import connect, engine_of
from hayate.telemetry.content import Content
from hayate.telemetry.record import CallRecord
from tests.unit.store.conftest import Clock, Make, everything, no_trace

NOW = 1_800_000_000.0


def content(kept_s: float = 60.0, prompt: bytes = b"ask", answer: bytes = b"say") -> Content:
    made = Content(1000, kept_s)
    made.asked(prompt)
    made.said(answer)
    return made


def ids(connection: sqlite3.Connection, table: str) -> list[int]:
    column = "id" if table == "calls" else "call_id"
    return [row[0] for row in connection.execute(f"SELECT {column} FROM {table} ORDER BY {column}")]


def read(path: Path, call: int, at: float) -> Said | None:
    engine = engine_of(path)
    with engine.connect() as found:
        return said_in(found, call, at)


def test_it_is_read_until_its_time_is_over(path: Path, connection: sqlite3.Connection, make: Make) -> None:
    insert(connection, Names(), Ids(), [make(ended_at=NOW, content=content()), make(ended_at=NOW + 1)])
    first, second = ids(connection, "calls")
    assert read(path, first, NOW + 59.9) == Said(NOW + 60, b"ask", b"say", prompt_cut=False, answer_cut=False)
    assert read(path, first, NOW + 60) is None
    assert read(path, second, NOW) is None
    assert read(path, 7, NOW) is None
    with engine_of(path).connect() as found:
        assert with_content(found, [first, second], NOW) == {first}
        assert with_content(found, [first, second], NOW + 60) == set()


def test_what_is_over_goes_in_small_steps_and_its_call_stays(connection: sqlite3.Connection, make: Make) -> None:
    records = [make(ended_at=NOW, content=content(60)) for _ in range(STEP_ROWS + 5)]
    insert(connection, Names(), Ids(), [*records, make(ended_at=NOW, content=content(600))])
    clock = [NOW + 59]
    retention = Retention(90, lambda: clock[0])
    assert not retention.step(connection)
    assert len(ids(connection, "contents")) == STEP_ROWS + 6
    clock[0] += LOOK_S
    assert retention.step(connection)
    assert len(ids(connection, "contents")) == 6
    assert not retention.step(connection)
    assert len(ids(connection, "contents")) == 1
    assert len(ids(connection, "calls")) == STEP_ROWS + 6


def test_it_goes_with_its_call(connection: sqlite3.Connection, make: Make) -> None:
    insert(connection, Names(), Ids(), [make(ended_at=NOW - 2 * DAY_S, content=content(9 * DAY_S)), make(ended_at=NOW)])
    assert not Retention(1, lambda: NOW).step(connection)
    assert ids(connection, "contents") == []
    assert len(ids(connection, "calls")) == 1
    insert(connection, Names(), Ids(), [make(ended_at=NOW, content=content(9 * DAY_S))])
    connection.execute("DELETE FROM calls")  # by whoever
    assert ids(connection, "contents") == []


def test_nothing_of_it_is_left_in_the_file(
    path: Path, connection: sqlite3.Connection, make: Make, erasing: Erasing, clock: Clock
) -> None:
    secret = b"s3cret " * 2000
    kept = Content(1_000_000, 60)
    kept.asked(secret)
    kept.said(secret)
    insert(connection, Names(), Ids(), [make(ended_at=NOW, content=kept)])
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    log = path.with_name("hayate.db-wal")
    assert all(b"s3cret" in each.read_bytes() for each in (path, log))
    Retention(90, lambda: NOW + 61).step(connection)
    no_trace(connection, erasing, clock)
    assert not any(b"s3cret" in each.read_bytes() for each in (path, log))


def test_what_can_not_be_noted_as_deleted_is_not_deleted(
    connection: sqlite3.Connection, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(connection, Names(), Ids(), [make(ended_at=NOW, content=content())])

    def full(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    retention = Retention(90, lambda: NOW + 61)
    monkeypatch.setattr(traces, "leave", full)
    with pytest.raises(sqlite3.OperationalError):
        retention.step(connection)
    assert len(ids(connection, "contents")) == 1
    assert traces.left(connection) == 0
    monkeypatch.undo()
    retention.step(connection)
    assert ids(connection, "contents") == []
    assert traces.left(connection) == 1


def test_while_somebody_reads_the_log_waits(
    path: Path, connection: sqlite3.Connection, make: Make, erasing: Erasing, clock: Clock
) -> None:
    insert(connection, Names(), Ids(), [make(ended_at=NOW, content=content(prompt=b"s3cret"))])
    connection.execute("PRAGMA busy_timeout = 1")
    now = NOW + 61
    log = path.with_name("hayate.db-wal")
    with closing(connect(path, readonly=True)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM calls").fetchone()
        assert not Retention(90, lambda: now).step(connection)
        everything(connection, erasing, clock)
        assert b"s3cret" in log.read_bytes()
        assert read(path, ids(connection, "calls")[0], now) is None
        reader.execute("ROLLBACK")
    no_trace(connection, erasing, clock)
    assert b"s3cret" not in log.read_bytes()


def test_what_waits_is_bounded_and_figures_wait_all_the_same() -> None:
    waiting = Waiting(max_bytes=20)
    records = [CallRecord(str(number), "chat", 1.0, content=content()) for number in range(5)]  # 6 bytes each
    waiting.admit(records[:4])
    assert [each.content is not None for each in records] == [True, True, True, False, True]
    assert waiting.dropped == 1
    waiting.written(records[:1])
    waiting.admit(records[4:])
    assert records[4].content is not None
    waiting.written(records[1:])
    waiting.admit([CallRecord("r", "chat", 1.0)])
    assert waiting.dropped == 1
