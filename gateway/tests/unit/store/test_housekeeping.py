"""Steps of housekeeping: each kind has its turn, and what is late is hurried."""

from __future__ import annotations

import sqlite3

from hayate.settings import History, Keeping
from hayate.store import traces
from hayate.store.conversations import get
from hayate.store.housekeeping import HURRY_S, LATE_S, PAUSE_S, Housekeeping
from hayate.store.retention import DAY_S
from hayate.store.turns import keep
from tests.unit.store.conftest import NOW, turn


class Kind:
    """Has so much to do."""

    def __init__(self, name: str, much: int, done: list[str]) -> None:
        self.name, self.much, self.done = name, much, done

    def step(self, connection: sqlite3.Connection) -> bool:
        self.much -= 1
        if self.much >= 0:
            self.done.append(self.name)
        return self.much > 0


def test_none_waits_for_another_to_be_done(connection: sqlite3.Connection) -> None:
    done: list[str] = []
    keeping = Housekeeping(Keeping(), History())
    keeping._kinds.clear()
    keeping._kinds.extend(Kind(name, much, done).step for name, much in (("a", 3), ("b", 0), ("c", 4)))
    waits = []
    while (wait_s := keeping.step(connection)) is not None:
        waits.append(wait_s)
    assert done == ["a", "c", "a", "c", "a", "c", "c"]
    assert set(waits) == {PAUSE_S}


def test_what_was_deleted_long_ago_is_hurried(connection: sqlite3.Connection) -> None:
    now = [0.0]
    keeping = Housekeeping(Keeping(), History(), lambda: now[0])
    keeping._kinds.clear()
    keeping._kinds.extend([keeping.erasing.step, Kind("a", 9, []).step])
    traces.leave(connection)
    assert keeping.step(connection) == PAUSE_S
    now[0] += 1
    assert keeping.step(connection) == PAUSE_S
    connection.execute("INSERT INTO forgotten (item, project, body, step) VALUES (1, 'shop', '', 0)")
    now[0] += LATE_S
    assert keeping.step(connection) == HURRY_S


def test_a_reload_changes_how_long_all_is_kept(connection: sqlite3.Connection) -> None:
    made = keep(connection, turn("q", "a"), NOW - 400 * DAY_S).conversation
    keeping = Housekeeping(Keeping(), History())
    while keeping.step(connection) is not None:
        pass
    assert get(connection, "shop", made.id) is not None
    keeping.configure(Keeping(calls_days=7), History(idle_days=1))
    assert keeping.retention.days == 7
    while keeping.step(connection) is not None:
        pass
    assert get(connection, "shop", made.id) is None
