"""The law of a window, for any arrivals: no 60 s hold more than the limit, and who asks for more gets nearly all of it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.policy.windows import BUCKETS, Window
from tests.support.tables import table

Sent = list[tuple[float, int]]


def worst_minute(sent: Sent) -> int:
    """The most that any 60 s hold, half open, wherever they begin; they begin at some arrival, in the worst case."""
    worst = total = first = 0
    for at, units in sent:
        total += units
        while sent[first][0] <= at - 60:
            total -= sent[first][1]
            first += 1
        worst = max(worst, total)
    return worst


limits = st.one_of(st.integers(1, 100), st.integers(1, 100_000), st.sampled_from((1, 2, 60, 1000, 100_000)))
gaps_s = st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 3), st.floats(0, 70))
arrivals = st.lists(st.tuples(gaps_s, st.integers(1, 40)), max_size=300)


def part_of(limit: int, hundredths: int) -> int:
    """So much of the limit, but at least one: calls of every size, whatever the limit."""
    return max(1, limit * hundredths // 100)


@given(limit=limits, gaps=arrivals, begin=st.floats(0, 1e6))
def test_no_minute_holds_more_than_the_limit(limit: int, gaps: Sent, begin: float) -> None:
    window, sent, now = Window(limit), [], begin
    for gap, hundredths in gaps:
        now += gap
        units = part_of(limit, hundredths)
        assert window.left(now) == limit - window.used
        if window.fits(now, units):
            window.book(now, units)
            sent.append((now, units))
        else:
            wait_s = window.wait_s(now, units)
            assert 0 < wait_s <= BUCKETS
            assert not window.fits(now, units)
    assert worst_minute(sent) <= limit


@given(limit=limits, gaps=arrivals, steps=st.dictionaries(st.integers(0, 300), st.floats(0, 200), max_size=5))
def test_a_clock_that_goes_back_lets_no_more_through_and_is_forgiven(
    limit: int, gaps: Sent, steps: dict[int, float]
) -> None:
    window, sent, now, behind = Window(limit), [], 1000.0, 0.0
    for n, (gap, hundredths) in enumerate(gaps):
        now += gap
        behind += steps.get(n, 0.0)
        units = part_of(limit, hundredths)
        if window.fits(now - behind, units):
            window.book(now - behind, units)
            sent.append((now, units))
        else:
            assert 0 < window.wait_s(now - behind, units) <= BUCKETS + behind + 1e-6  # of rounding
        assert window.used == sum(window._buckets)
    assert worst_minute(sent) <= limit
    assert window.left(now + BUCKETS) == limit  # it has caught up, and a minute has gone


@given(limit=limits, past=arrivals, gaps=arrivals, ahead_s=st.floats(0, 100))
def test_restored_to_what_was_used_before_it_holds_the_same(limit: int, past: Sent, gaps: Sent, ahead_s: float) -> None:
    """`ahead_s`: by so much the clock that told the past was ahead of what it says now."""
    before, now = Window(limit), 1000.0
    sent: Sent = []
    for gap, hundredths in past:
        now += gap
        units = part_of(limit, hundredths)
        if before.fits(now, units):
            before.book(now, units)
            sent.append((now, units))
    window = Window(limit)
    for at, units in sent:
        window.restore(int(at + ahead_s), units, now)
    for gap, hundredths in gaps:
        now += gap
        units = part_of(limit, hundredths)
        if window.fits(now, units):
            window.book(now, units)
            sent.append((now, units))
    assert worst_minute(sent) <= limit
    assert window.left(now + BUCKETS) == limit


@table("limit", [1, 2, 7, 60, 1000, 100_000])
def test_who_asks_for_more_in_equal_parts_gets_98_percent_of_it(limit: int) -> None:
    rng = random.Random(limit)
    window, now, passed, minutes = Window(limit), rng.random(), 0, 60
    cost = max(1, limit // 50)
    end = now + minutes * 60
    while now < end:
        if window.fits(now, cost):
            window.book(now, cost)
            passed += cost
        else:
            now += window.wait_s(now, cost) * rng.choice((1, 1, 1.001))
    assert passed >= 0.98 * limit * minutes - cost


@given(limit=limits, most=st.integers(1, 100), seed=st.integers(0, 2**32))
def test_who_asks_for_more_gets_98_percent_of_it_less_one_call(limit: int, most: int, seed: int) -> None:
    """Calls of different sizes, each asked for as soon as it may go, or a little later."""
    rng, minutes = random.Random(seed), 30
    largest = part_of(limit, most)
    smallest = max(1, largest // rng.choice((1, 2, 10)))
    window, now, passed = Window(limit), 1000 * rng.random(), 0
    end, cost = now + minutes * 60, largest
    while now < end:
        if window.fits(now, cost):
            window.book(now, cost)
            passed += cost
            cost = rng.randint(smallest, largest)
            now += rng.choice((0, 0, 0.001))
        else:
            now += window.wait_s(now, cost) + rng.choice((0, 0.0001))
    assert passed >= minutes * (0.98 * limit - largest)


@given(limit=st.integers(1, 50), gaps=arrivals)
def test_after_the_wait_that_was_told_it_fits(limit: int, gaps: Sent) -> None:
    window, now = Window(limit), 0.0
    for gap, wanted in gaps:
        units = min(wanted, limit)
        now += gap
        now += window.wait_s(now, units) + 1e-9
        assert window.fits(now, units)
        window.book(now, units)


@given(
    limit=st.integers(1, 100),
    calls=st.lists(
        st.tuples(st.floats(0, 5), st.integers(0, 30), st.integers(-30, 30), st.floats(0, 130)), max_size=200
    ),
)
def test_settled_to_what_was_used_the_sum_is_that_of_the_buckets(
    limit: int, calls: list[tuple[float, int, int, float]]
) -> None:
    window, now = Window(limit), 0.0
    pending: list[tuple[float, int, int]] = []
    for gap, reserved, more, lasts in calls:
        now += gap
        for ends, second, change in sorted(pending):
            if ends <= now:
                window.settle(second, change, ends if int(ends) >= window._second else now)
                pending.remove((ends, second, change))
        if window.fits(now, reserved):
            pending.append((now + lasts, window.book(now, reserved), max(more, -reserved)))
        assert window.used == sum(window._buckets)
        assert window.used >= 0
        assert min(window._buckets) >= 0


@given(
    limit=st.integers(1, 100),
    calls=st.lists(st.tuples(gaps_s, st.integers(0, 30), st.integers(-30, 30), st.floats(0, 130)), max_size=100),
    looks=st.sets(st.integers(0, 100)),
)
def test_taken_or_booked_whenever_it_is_looked_at_it_is_the_same(
    limit: int, calls: list[tuple[float, int, int, float]], looks: set[int]
) -> None:
    now, booked, taken = 0.0, Window(limit), Window(limit)
    pending: list[tuple[float, int, int]] = []
    for n, (gap, reserved, more, lasts) in enumerate(calls):
        now += gap
        for call in [each for each in pending if each[0] <= now]:
            pending.remove(call)
            for window in (booked, taken):
                window.settle(call[1], call[2], now)
        second = taken.take(now, reserved)
        assert (second >= 0) == booked.fits(now, reserved)
        if second >= 0:
            assert booked.book(now, reserved) == second
            pending.append((now + lasts, second, max(more, -reserved)))
        assert taken.used == booked.used
        if n in looks:
            assert taken.left(now) == booked.left(now)
            assert taken.wait_s(now, 1) == booked.wait_s(now, 1)
            assert taken.reset_s(now) == booked.reset_s(now)


def test_what_was_not_used_may_be_used_by_the_next() -> None:
    window = Window(100)
    second = window.book(10.2, 100)
    assert not window.fits(10.4, 1)
    window.settle(second, -60, 20.0)
    assert window.left(20.0) == 60


def test_an_overshoot_is_a_debt_where_it_was_reserved_or_now_if_that_is_forgotten() -> None:
    window = Window(100)
    second = window.book(0.0, 100)
    window.settle(second, 50, 30.0)
    assert window.left(30.0) == 0
    assert window.left(61.0) == 100
    late = window.book(61.0, 10)
    window.settle(late, 40, 200.0)
    assert window.left(200.0) == 60
    window.settle(late, -10, 200.0)  # forgotten, as is what was reserved
    assert window.left(200.0) == 60


def test_a_lowered_limit_lets_nothing_through_until_it_is_kept() -> None:
    window = Window(100)
    window.book(5.0, 80)
    window.limit = 50
    assert window.left(6.0) == 0
    assert window.wait_s(6.0, 1) == pytest.approx(60.0)
    assert window.left(66.0) == 50


def test_the_reset_is_when_nothing_is_counted_any_more() -> None:
    window = Window(10)
    assert window.reset_s(3.0) == 0
    window.book(3.5, 1)
    window.book(7.5, 1)
    assert window.reset_s(8.0) == pytest.approx(60.0)
