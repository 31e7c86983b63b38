"""How long conversations are kept."""

from __future__ import annotations

import sqlite3

import pytest

from hayate.settings import History
from hayate.store import ages as module
from hayate.store.ages import LOOK_S, UNFINISHED_S, Ages
from hayate.store.conversations import begin, get
from hayate.store.hidden import hide_unfinished
from hayate.store.retention import DAY_S
from hayate.store.turns import keep
from tests.unit.store.conftest import NOW, bytes_of, turn


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def looked(connection: sqlite3.Connection, ages: Ages) -> None:
    while ages.step(connection):
        pass


def test_without_limits_conversations_stay_and_responses_go(connection: sqlite3.Connection, clock: Clock) -> None:
    kept = [keep(connection, turn("q", "a", listed=listed), NOW).conversation for listed in (True, False)]
    ages = Ages(History(), clock)
    looked(connection, ages)
    clock.now += 29.9 * DAY_S
    looked(connection, ages)
    assert [get(connection, "shop", each.id) is not None for each in kept] == [True, True]
    clock.now += 0.2 * DAY_S
    looked(connection, ages)
    assert [get(connection, "shop", each.id) is not None for each in kept] == [True, False]
    assert bytes_of(connection) == kept[0].bytes


def test_what_nobody_goes_on_with_goes(connection: sqlite3.Connection, clock: Clock) -> None:
    idle, used = (keep(connection, turn("q", "a"), NOW).conversation for _ in range(2))
    ages = Ages(History(idle_days=2), clock)
    looked(connection, ages)
    keep(connection, turn("q", "a", used.id), NOW + DAY_S)
    clock.now += 2 * DAY_S + 1
    looked(connection, ages)
    assert get(connection, "shop", idle.id) is None
    assert get(connection, "shop", used.id) is not None
    clock.now += DAY_S
    looked(connection, ages)
    assert get(connection, "shop", used.id) is None


def test_what_is_old_goes_however_much_it_is_used(connection: sqlite3.Connection, clock: Clock) -> None:
    made = keep(connection, turn("q", "a"), NOW).conversation
    ages = Ages(History(max_age_days=0.5), clock)
    keep(connection, turn("q", "a", made.id), NOW + DAY_S / 2 - 1)
    clock.now += DAY_S / 2 - 1
    looked(connection, ages)
    assert get(connection, "shop", made.id) is not None
    clock.now += LOOK_S
    looked(connection, ages)
    assert get(connection, "shop", made.id) is None


def test_a_reload_holds_from_then_on(connection: sqlite3.Connection, clock: Clock) -> None:
    made = keep(connection, turn("q", "a"), NOW).conversation
    ages = Ages(History(), clock)
    clock.now += 10 * DAY_S
    looked(connection, ages)
    assert get(connection, "shop", made.id) is not None
    ages.configure(History(idle_days=9))
    looked(connection, ages)
    assert get(connection, "shop", made.id) is None


def test_what_was_never_finished_goes(connection: sqlite3.Connection, clock: Clock) -> None:
    made = begin(connection, "shop", NOW)
    hide_unfinished(connection, made)
    ages = Ages(History(), clock)
    looked(connection, ages)
    assert connection.execute("SELECT project FROM conversations").fetchall() == [("\x02shop",)]
    clock.now += UNFINISHED_S
    looked(connection, ages)
    assert connection.execute("SELECT project FROM conversations").fetchall() == [("\x01shop",)]
    assert bytes_of(connection) == 0


@pytest.mark.parametrize("together", [1, 2, 3, 200])
def test_all_are_looked_at_a_few_at_a_time(
    connection: sqlite3.Connection, clock: Clock, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", together)
    made = [keep(connection, turn("q", "a"), NOW + DAY_S * (number % 2)).conversation for number in range(5)]
    ages = Ages(History(idle_days=1), clock)
    clock.now += DAY_S
    steps = 1
    while ages.step(connection):
        steps += 1
    assert steps == 5 // together + 1
    assert [get(connection, "shop", each.id) is not None for each in made] == [False, True, False, True, False]
    assert not ages.step(connection)
    clock.now += DAY_S  # the rest is due exactly now
    looked(connection, ages)
    assert not any(get(connection, "shop", each.id) for each in made)
