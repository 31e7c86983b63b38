"""What is told of the writer is what it has done and what it waits with."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hayate.store.conversations import begin
from hayate.store.metrics import StoreMetrics
from hayate.store.store import Store
from tests.unit.store.conftest import Make
from tests.unit.telemetry.records import exposed

LAST_RESORT_S = 60


def numbers(store: Store) -> dict[str, float]:
    return {
        ".".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(exposed(StoreMetrics(store.path, store.writer)))
        for sample in family.samples
        if "le" not in sample.labels
    }


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LAST_RESORT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_commits_are_timed_and_nothing_waits_where_all_is_well(store: Store, make: Make) -> None:
    found = numbers(store)
    assert found.pop("hayate_store_bytes.database") > 4096
    assert found.pop("hayate_store_bytes.log", 0) >= 0
    assert found == {
        "hayate_history_kept_total": 0,
        "hayate_history_waiting": 0,
        "hayate_store_backlog": 0,
        "hayate_store_rows_dropped_total": 0,
        "hayate_store_unwritable_seconds": 0,
    }
    store.calls_ended([make() for _ in range(7)])
    until(lambda: "hayate_store_commit_seconds_count" in numbers(store))
    assert numbers(store)["hayate_store_commit_seconds_sum"] > 0


def test_what_cannot_be_written_waits_and_what_does_not_fit_is_counted(store: Store, make: Make) -> None:
    store.writer.max_rows = 5
    with closing(sqlite3.connect(store.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        store.calls_ended([make() for _ in range(7)])
        until(lambda: numbers(store)["hayate_store_unwritable_seconds"] > 0)
        found = numbers(store)
        assert (found["hayate_store_backlog"], found["hayate_store_rows_dropped_total"]) == (5, 2)
        holder.execute("ROLLBACK")
    until(lambda: numbers(store)["hayate_store_backlog"] == 0)
    until(lambda: numbers(store)["hayate_store_unwritable_seconds"] == 0)


def test_what_is_kept_of_conversations_is_counted_and_timed_and_what_is_refused_is_not(store: Store) -> None:
    def refused(_: sqlite3.Connection) -> None:
        raise LookupError

    store.writer.keep(lambda c: begin(c, "game", 1.0)).result(LAST_RESORT_S)
    with pytest.raises(LookupError):
        store.writer.keep(refused).result(LAST_RESORT_S)
    found = numbers(store)
    assert (found["hayate_history_kept_total"], found["hayate_history_waiting"]) == (1, 0)
    assert found["hayate_history_commit_seconds_count"] == 2
    assert found["hayate_history_commit_seconds_sum"] > 0


def test_a_file_that_is_gone_has_no_size(store: Store, tmp_path: Path) -> None:
    assert "hayate_store_bytes{" in exposed(StoreMetrics(store.path, store.writer))
    assert "hayate_store_bytes{" not in exposed(StoreMetrics(tmp_path / "gone.db", store.writer))
