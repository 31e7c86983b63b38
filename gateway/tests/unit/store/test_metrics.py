"""What is told of the writer is what it has done and what it waits with."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

from prometheus_client.parser import text_string_to_metric_families

from hayate.store.metrics import StoreMetrics
from hayate.store.store import Store
from tests.unit.store.conftest import Make
from tests.unit.telemetry.records import exposed

LAST_RESORT_S = 60


def numbers(store: Store) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(exposed(StoreMetrics(store.writer)))
        for sample in family.samples
        if "le" not in sample.labels
    }


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LAST_RESORT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_commits_are_timed_and_nothing_waits_where_all_is_well(store: Store, make: Make) -> None:
    assert numbers(store) == {
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
