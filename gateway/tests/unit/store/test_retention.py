"""The oldest records go, a few at a time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from hayate.store.ids import Ids
from hayate.store.migrate import open_file
from hayate.store.retention import DAY_S, LOOK_S, STEP_ROWS, Retention
from hayate.store.rows import Names, insert
from hayate.store.sqlite import connect
from tests.unit.store.conftest import Make

NOW = 1_800_000_000.0


def test_old_records_go_in_small_steps_and_young_ones_stay(tmp_path: Path, make: Make) -> None:
    open_file(tmp_path / "hayate.db")[0].dispose()
    ages = [100 * DAY_S] * (STEP_ROWS + 20) + [90 * DAY_S - 1, 0]
    clock = [NOW]
    with closing(connect(tmp_path / "hayate.db")) as connection:
        insert(connection, Names(), Ids(), [make(ended_at=NOW - age) for age in ages])
        retention = Retention(90, lambda: clock[0])
        assert retention.step(connection)
        assert count(connection) == 22
        assert not retention.step(connection)
        assert count(connection) == 2
        clock[0] += 1.5
        assert not retention.step(connection)  # nobody looks again so soon
        assert count(connection) == 2
        clock[0] += LOOK_S
        assert not retention.step(connection)
        assert count(connection) == 1


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])
