"""Turns beside records: they wait for none, and what nobody waits for still has its turn."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hayate.store import writer as module
from hayate.store.awaited import TooManyWait
from hayate.store.migrate import open_file
from hayate.store.sqlite import beside
from hayate.store.turns import keep
from hayate.store.writer import Writer
from tests.unit.store.conftest import NOW, Make, turn

LAST_RESORT_S = 60


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    """One whose thread does not run: its steps are taken by the tests."""
    found = Writer(path, open_file(path)[0], 1000)
    yield found
    found._file.close()


def a_turn(connection: sqlite3.Connection) -> str:
    return keep(connection, turn("q", "a"), NOW).conversation.id


def test_a_turn_is_kept_at_once_and_records_wait_for_one_another(
    writer: Writer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    writer.put([make()])
    writer._write_all()
    assert writer.backlog == 0
    for _ in range(3):
        now[0] += module.GATHER_S / 4
        writer.put([make()])
        kept = writer.keep(a_turn)
        writer._write_all()
        assert kept.done()
    assert writer.backlog == 3
    assert writer._rest_s == module.GATHER_S
    now[0] += module.GATHER_S / 4
    writer._write_all()
    assert writer.backlog == 0


def test_a_whole_batch_of_records_does_not_wait(writer: Writer, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_ROWS", 5)
    monkeypatch.setattr(module, "monotonic", lambda: 100.0)
    writer.put([make()])
    writer._write_all()
    writer.put([make() for _ in range(5)])
    writer.keep(a_turn)
    writer._write_all()
    assert writer.backlog == 0


def test_housekeeping_has_its_turn_from_time_to_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, steps = [100.0], []
    monkeypatch.setattr(module, "monotonic", lambda: now[0])

    def step(_: sqlite3.Connection) -> float | None:
        steps.append(now[0])
        return 0.2 if len(steps) < 3 else None

    writer = Writer(path, open_file(path)[0], 1000, step)
    for _ in range(60):
        writer.keep(a_turn)
        writer._write_all()
        now[0] += 0.01
    assert [round(each - 100, 2) for each in steps][:4] == [0, 0.2, 0.4, 0.45]
    writer._file.close()


def test_what_is_wanted_sooner_is_not_slept_through(path: Path) -> None:
    waits: Iterator[float | None] = iter([0.005, 0.3, None])
    writer = Writer(path, open_file(path)[0], 1000, lambda _: next(waits))
    rests = []
    for _ in range(3):
        writer._next_step = 0.0
        writer._write_all()
        rests.append(writer._rest_s)
    assert rests == [0.005, 0.3, module.IDLE_S]
    writer._file.close()


def test_a_busy_time_moves_what_was_written_into_the_file(
    path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOVE_AFTER", 8)
    sizes = []
    for _ in range(60):
        writer.keep(a_turn)
        writer._write_all()
        sizes.append(beside(path)[0].stat().st_size)
    assert sizes[-1] < 2 * max(sizes[:12])  # it is written from its beginning again and again


@pytest.mark.parametrize("many", [1, 200])
def test_turns_are_kept_while_records_pour_in(path: Path, make: Make, many: int) -> None:
    writer = Writer(path, open_file(path)[0], 100_000)
    writer.start()
    kept = []
    for _ in range(many):
        writer.put([make() for _ in range(20)])
        kept.append(writer.keep(a_turn))
    assert len({each.result(LAST_RESORT_S) for each in kept}) == many
    until(lambda: writer.backlog == 0)
    writer.close(LAST_RESORT_S)
    with pytest.raises(sqlite3.OperationalError, match="closed"):
        writer.keep(a_turn).result(LAST_RESORT_S)


def test_what_is_queued_at_the_end_is_still_kept(path: Path) -> None:
    writer = Writer(path, open_file(path)[0], 1000)
    kept = [writer.keep(a_turn) for _ in range(100)]
    writer.start()
    writer.close(LAST_RESORT_S)
    assert len({each.result(0) for each in kept}) == 100


def test_too_many_are_refused(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    writer.keep(a_turn, 60 * 1024 * 1024)
    with pytest.raises(TooManyWait):
        writer.keep(a_turn, 10 * 1024 * 1024)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LAST_RESORT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)
