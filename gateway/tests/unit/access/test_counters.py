"""Which keys' windows are kept: those of the last minute, and none of keys without limits."""

from __future__ import annotations

import pytest

from hayate.access.counters import FEW, NO_MODELS, UNLIMITED, Counters, Past, Table
from hayate.access.principals import OWNER, Principal
from hayate.access.terms import Terms
from hayate.settings import RateLimits
from tests.unit.access.test_grants import Clock

ONCE = Terms(limits=RateLimits(requests_per_minute=1))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(clock: Clock) -> Table:
    return Table(clock)


def key(name: object, terms: Terms = ONCE) -> Principal:
    return Principal(str(name), "games", terms=terms)


def counted(table: Table, name: object, terms: Terms = ONCE) -> Counters:
    found = table.of(key(name, terms), UNLIMITED, NO_MODELS)
    assert found is not None
    return found.whole


def test_of_keys_without_limits_nothing_is_kept(table: Table) -> None:
    for principal in (OWNER, key("game", Terms()), key("bot", Terms(models=("fast",)))):
        assert table.of(principal, UNLIMITED, NO_MODELS) is None
        assert table.of(principal, RateLimits(), {}) is None
    assert len(table) == 0


def test_what_a_key_used_stays_when_its_limits_change(table: Table, clock: Clock) -> None:
    ((window, _),) = counted(table, "game").requests
    window.book(clock.at, 1)
    ((same, _),) = counted(table, "game", Terms(limits=RateLimits(requests_per_minute=5))).requests
    assert same is window
    assert same.left(clock.at) == 4
    assert counted(table, "game", Terms()).requests == ()


def test_calls_under_way_stay_counted_whatever_the_limits_become(table: Table) -> None:
    counted(table, "game", Terms(limits=RateLimits(concurrency=1))).in_flight += 1
    assert counted(table, "game", Terms()).in_flight == 1
    assert counted(table, "game", Terms(limits=RateLimits(concurrency=2))).in_flight == 1


def test_keys_that_have_not_called_for_a_minute_are_forgotten(table: Table, clock: Clock) -> None:
    for n in range(20 * FEW):
        ((window, _),) = counted(table, n).requests
        window.book(clock.at, 1)
        clock.at += 0.01  # so that 6,100 have called within the last 61 seconds
    assert len(table) < 2 * 6100


def test_who_has_called_within_the_minute_is_kept_however_many_come(table: Table, clock: Clock) -> None:
    windows = []
    for n in range(5 * FEW):
        ((window, _),) = counted(table, n).requests
        window.book(clock.at, 1)
        windows.append(window)
    assert all(counted(table, n).requests[0][0] is window for n, window in enumerate(windows))


def test_who_has_a_call_under_way_is_kept_however_long_it_lasts(table: Table, clock: Clock) -> None:
    busy = counted(table, "busy", Terms(limits=RateLimits(concurrency=1)))
    busy.in_flight += 1
    for n in range(3 * FEW):
        counted(table, n)
        clock.at += 1
    assert counted(table, "busy", Terms(limits=RateLimits(concurrency=1))) is busy


def test_what_was_used_before_counts_for_the_key_and_for_each_model(table: Table, clock: Clock) -> None:
    table.remember("game", Past("smart", int(clock.at) - 1, 1, 10, 5))
    table.remember("game", Past("fast", int(clock.at) - 1, 2, 0, 0))
    limits = RateLimits(requests_per_minute=10, tokens_per_minute=100)
    principal = key("game", Terms(limits=limits, model_limits={"smart": limits}))
    found = table.of(principal, UNLIMITED, NO_MODELS)
    assert found is not None
    assert [window.left(clock.at) for window, _ in (*found.whole.requests, *found.whole.tokens)] == [7, 85]
    smart = table.of_model("game", found, "smart")
    assert smart is not None
    assert [window.left(clock.at) for window, _ in (*smart.requests, *smart.tokens)] == [9, 85]
    assert table.of_model("game", found, "fast") is None
