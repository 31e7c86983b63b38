"""The thread that writes: whatever becomes of the file, calls go on, and nothing is lost that the queue can hold."""

from __future__ import annotations

import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hayate.settings import Keeping
from hayate.store import attached, rows, trouble
from hayate.store import writer as module
from hayate.store.migrate import open_file
from hayate.store.sqlite import beside, connect
from hayate.store.store import Store
from tests.unit.store.conftest import Make

LAST_RESORT_S = 60


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the log was told."""
    found: list[tuple[str, dict[str, Any]]] = []
    for each in (module, attached, trouble):
        monkeypatch.setattr(each, "log_event", lambda event, **facts: found.append((event, facts)))
    return found


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again soon, and waits for no lock."""
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    monkeypatch.setattr(module, "GATHER_S", 0.0)
    monkeypatch.setattr(module, "AGAIN_AT_MOST_S", 0.02)
    monkeypatch.setattr(connect, "__kwdefaults__", (connect.__kwdefaults__ or {}) | {"busy_s": 0.01})


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LAST_RESORT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])


def ids_of(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [each.decode() for (each,) in connection.execute("SELECT request_id FROM calls ORDER BY id")]


def assert_sound(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_what_is_put_is_there_in_order(store: Store, make: Make) -> None:
    records = [make() for _ in range(1234)]
    for first in range(0, len(records), 16):
        store.calls_ended(records[first : first + 16])
    until(lambda: store.writer.backlog == 0)
    assert ids_of(store.path) == [each.request_id for each in records]
    assert store.writer.dropped == 0


@pytest.mark.parametrize("rows_of_it", [1, 300])
def test_between_the_steps_of_a_batch_others_get_the_interpreter(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch, rows_of_it: int
) -> None:
    done: list[str] = []
    rest = "a rest"

    def traced(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_trace_callback(done.append)
        return connection

    def noted(rest_s: float) -> None:
        done.append(rest)
        time.sleep(rest_s)

    monkeypatch.setattr(attached, "connect", traced)
    monkeypatch.setattr(module, "sleep", noted)
    store = Store.open(tmp_path, Keeping())
    store.calls_ended([make() for _ in range(rows_of_it)])
    store.close()
    written = next(at for at, each in enumerate(done) if each.startswith("INSERT INTO calls"))
    began = max(at for at, each in enumerate(done[:written]) if each.startswith("BEGIN"))
    ended = done.index("COMMIT", written)
    assert [done[began - 1], done[began + 1], done[ended - 1]] == [rest, rest, rest]


def test_what_is_queued_at_the_end_is_still_written(store: Store, make: Make) -> None:
    store.calls_ended([make() for _ in range(300)])
    store.close()
    assert count(store.path) == 300


def test_while_another_program_holds_the_file_records_wait_and_it_is_said_once(
    store: Store, make: Make, events: list[tuple[str, dict[str, Any]]]
) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        store.calls_ended([make() for _ in range(5)])
        until(lambda: store.writer.failing_since is not None)
        store.calls_ended([make() for _ in range(5)])
        assert store.writer.backlog == 10
        holder.execute("ROLLBACK")
    until(lambda: store.writer.backlog == 0 and store.writer.failing_since is None)
    assert count(store.path) == 10
    assert [event for event, _ in events] == ["store_failing", "store_back"]
    assert "locked" in events[0][1]["reason"]


def test_what_the_queue_can_not_hold_is_counted_and_said(
    store: Store, make: Make, events: list[tuple[str, dict[str, Any]]]
) -> None:
    store.writer.max_rows = 10
    with closing(sqlite3.connect(store.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        for _ in range(4):
            store.calls_ended([make() for _ in range(4)])
        assert (store.writer.backlog, store.writer.dropped) == (10, 6)
        holder.execute("ROLLBACK")
    until(lambda: store.writer.backlog == 0 and any(event == "calls_not_recorded" for event, _ in events))
    assert count(store.path) == 10
    said = [facts for event, facts in events if event == "calls_not_recorded"]
    assert sum(facts["count"] for facts in said) == 6
    assert {facts["limit"] for facts in said} == {10}
    assert len(said) <= 2  # at the first, and when it is over


def test_a_file_that_was_removed_is_there_again_with_everything(
    store: Store, make: Make, events: list[tuple[str, dict[str, Any]]]
) -> None:
    store.calls_ended([make() for _ in range(20)])
    until(lambda: store.writer.backlog == 0)
    store.path.unlink()  # and the log beside it is left, as who removes a file by name does
    store.calls_ended([make() for _ in range(7)])
    until(lambda: store.writer.backlog == 0 and store.path.exists())
    assert count(store.path) == 27
    assert_sound(store.path)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert [event for event, _ in events] == ["store_restored"]


def test_so_is_one_whose_every_part_was_removed(store: Store, make: Make) -> None:
    store.calls_ended([make() for _ in range(20)])
    until(lambda: store.writer.backlog == 0)
    for each in store.path.parent.glob("hayate.db*"):
        each.unlink()
    store.calls_ended([make()])
    until(lambda: store.writer.backlog == 0 and store.path.exists())
    assert count(store.path) == 21


def test_another_file_that_was_put_in_its_place_is_gone_on_with(store: Store, make: Make, tmp_path: Path) -> None:
    store.calls_ended([make(model="smart") for _ in range(3)])
    until(lambda: store.writer.backlog == 0)
    other = tmp_path / "other" / "hayate.db"
    open_file(other)[0].dispose()
    other.replace(store.path)  # and the log of the file before it is left, as who moves a file by name does
    record = make(model="smart")
    store.calls_ended([record])
    until(lambda: store.writer.backlog == 0)
    assert ids_of(store.path) == [record.request_id]
    assert_sound(store.path)


def test_a_disk_that_is_full_loses_nothing_and_leaves_nothing_half_written(
    store: Store, make: Make, events: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = [True]

    def insert(connection: sqlite3.Connection, *rest: Any) -> None:
        rows.insert(connection, *rest)
        if full[0]:
            raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(module, "insert", insert)
    store.calls_ended([make() for _ in range(5)])
    until(lambda: store.writer.failing_since is not None)
    assert count(store.path) == 0
    full[0] = False
    until(lambda: store.writer.backlog == 0)
    assert count(store.path) == 5
    assert events[0][1]["reason"] == "database or disk is full"


def test_a_change_is_made_while_rows_wait_and_tells_what_it_gave(store: Store) -> None:
    future = store.writer.change(lambda connection: connection.exec_driver_sql("SELECT 6 * 7").scalar_one())
    assert future.result(LAST_RESORT_S) == 42


def test_a_change_that_fails_is_undone_and_tells_whoever_waits(store: Store) -> None:
    def change(connection: Any) -> None:
        connection.exec_driver_sql("INSERT INTO names (name) VALUES ('x')")
        raise KeyError("x")

    with pytest.raises(KeyError):
        store.writer.change(change).result(LAST_RESORT_S)
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT count(*) FROM names").fetchone() == (0,)


def test_after_its_end_a_change_is_refused(store: Store) -> None:
    store.close()
    with pytest.raises(sqlite3.OperationalError, match="closed"):
        store.writer.change(lambda _: None).result(LAST_RESORT_S)


def test_what_could_not_be_written_by_the_end_is_counted_and_said(
    store: Store, make: Make, events: list[tuple[str, dict[str, Any]]]
) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        store.calls_ended([make() for _ in range(7)])
        until(lambda: store.writer.failing_since is not None)
        store.writer.close(0.05)
        store.writer.close(0.05)
        store.writer._thread.join(LAST_RESORT_S)
    assert store.writer.dropped == 7
    lost = [facts for event, facts in events if event == "calls_lost"]
    assert [(facts["count"], "locked" in facts["reason"]) for facts in lost] == [(7, True)]


def test_a_file_that_is_not_tried_again_for_want_of_time_is_not_said_to_be_back(
    store: Store, make: Make, events: list[tuple[str, dict[str, Any]]]
) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        store.calls_ended([make()])
        until(lambda: store.writer.failing_since is not None)
        store.writer.close(0.0)
        store.writer._thread.join(LAST_RESORT_S)
    assert store.writer.failing_since is not None
    assert {event for event, _ in events} == {"store_failing", "calls_lost"}


def test_a_lock_that_goes_before_the_end_is_over_loses_nothing(store: Store, make: Make) -> None:
    holder = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    store.calls_ended([make() for _ in range(7)])
    until(lambda: store.writer.failing_since is not None)
    release = threading.Timer(0.1, holder.rollback)
    release.start()
    store.writer.close(LAST_RESORT_S)
    release.join()
    holder.close()
    assert count(store.path) == 7


@pytest.mark.parametrize(
    "facts",
    [{"attempts": 2**70}, {"model": "\ud800"}, {"status": object()}, {"status": None}],
    ids=["a number that is too large", "a word that can't be written", "no number", "nothing"],
)
def test_a_record_that_no_file_would_take_takes_none_with_it(
    store: Store, make: Make, events: list[tuple[str, dict[str, Any]]], facts: dict[str, Any]
) -> None:
    before, odd, after = [make() for _ in range(3)], make(**facts), [make() for _ in range(3)]
    store.calls_ended([*before, odd, *after])
    until(lambda: store.writer.backlog == 0)
    assert ids_of(store.path) == [each.request_id for each in (*before, *after)]
    assert store.writer.dropped == 1
    assert [(event, facts["request_id"]) for event, facts in events] == [("call_not_recordable", odd.request_id)]


def test_ids_that_another_process_has_given_are_given_anew(store: Store, make: Make) -> None:
    at = time.time()
    store.calls_ended([make(ended_at=at)])
    until(lambda: store.writer.backlog == 0)
    store.writer._ids._last = 0  # as a process that began to count where this one did
    store.calls_ended([make(ended_at=at), make(ended_at=at)])
    until(lambda: store.writer.backlog == 0)
    assert count(store.path) == 3
    assert store.writer.dropped == 0


def test_names_that_were_changed_behind_its_back_are_read_again(store: Store, make: Make) -> None:
    store.calls_ended([make()])
    until(lambda: store.writer.backlog == 0)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.executescript("DELETE FROM calls; DELETE FROM names;")
    store.calls_ended([make()])
    until(lambda: store.writer.backlog == 0)
    assert count(store.path) == 1
    assert_sound(store.path)


def test_under_steady_load_the_log_of_the_file_stays_short_and_old_records_go(store: Store, make: Make) -> None:
    past = time.time() - 1000 * 86_400
    store.calls_ended([make(ended_at=past) for _ in range(1500)])
    until(lambda: store.writer.backlog == 0)
    store.housekeeping.retention._next_at = 0.0
    largest = 0
    for _ in range(700):  # never idle: each is put before the thread has waited for anything
        store.calls_ended([make()])
        until(lambda: store.writer.backlog == 0)
        largest = max(largest, beside(store.path)[0].stat().st_size)
    assert largest < 6 * 1024 * 1024
    assert count(store.path) == 700


def test_what_waits_is_no_longer_than_a_name(store: Store, make: Make) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        record = make(model="m" * 1_000_000)
        store.calls_ended([record])
        assert len(record.model) < 1000
        holder.execute("ROLLBACK")
    until(lambda: store.writer.backlog == 0)


def test_what_goes_wrong_otherwise_does_not_end_the_thread(
    store: Store, make: Make, events: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [True]

    def tidy(_: sqlite3.Connection) -> bool:
        if broken[0]:
            raise RuntimeError("odd")
        return False

    monkeypatch.setattr(store.writer, "_tidy", tidy)
    store.calls_ended([make()])
    until(lambda: store.writer.failing_since is not None)
    store.calls_ended([make()])
    until(lambda: count(store.path) == 2)
    broken[0] = False
    until(lambda: store.writer.failing_since is None)
    assert [event for event, _ in events] == ["store_failing", "store_back"]
    assert events[0][1]["reason"] == "RuntimeError: odd"


def test_a_failure_is_not_tried_again_for_every_call_that_ends(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def insert(*_: Any) -> None:
        tries.append(1)
        raise sqlite3.OperationalError("database or disk is full")

    def fails(_: object) -> None:
        raise KeyError

    monkeypatch.setattr(module, "AGAIN_S", 3600.0)
    for _ in range(2):  # then the round is over that may have begun with the old one
        store.writer.change(lambda _: None).result(LAST_RESORT_S)
    monkeypatch.setattr(module, "insert", insert)
    store.calls_ended([make()])
    until(lambda: store.writer.failing_since is not None)
    for _ in range(100):
        store.calls_ended([make()])
    with pytest.raises(KeyError):  # a change is tried at once, and what waits with it
        store.writer.change(fails).result(LAST_RESORT_S)
    until(lambda: len(tries) == 2)
    monkeypatch.undo()
    store.writer.change(lambda _: None).result(LAST_RESORT_S)
    until(lambda: store.writer.backlog == 0)


def test_a_change_goes_to_a_file_that_was_put_back(store: Store, make: Make) -> None:
    store.calls_ended([make()])
    until(lambda: store.writer.backlog == 0)
    store.path.unlink()
    store.writer.change(lambda c: c.exec_driver_sql("INSERT INTO names (name) VALUES ('new')")).result(LAST_RESORT_S)
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT count(*) FROM names WHERE name = 'new'").fetchone() == (1,)
    assert count(store.path) == 1
