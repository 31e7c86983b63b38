"""The law of a window, for any arrivals: no 60 s hold more than the limit, and who asks for more gets nearly all of it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.policy.windows import BUCKETS, Window

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


arrivals = st.lists(
    st.tuples(st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 70)), st.integers(1, 40)), max_size=300
)


@given(limit=st.integers(1, 200), gaps=arrivals, begin=st.floats(0, 1e6))
def test_no_minute_holds_more_than_the_limit(limit: int, gaps: Sent, begin: float) -> None:
    window, sent, now = Window(limit), [], begin
    for gap, units in gaps:
        now += gap
        assert window.left(now) == limit - window.used
        if window.fits(now, units):
            window.book(now, units)
            sent.append((now, units))
        elif units <= limit:
            wait_s = window.wait_s(now, units)
            assert 0 < wait_s <= BUCKETS
            assert not Window.fits(window, now, units)
    assert worst_minute(sent) <= limit


@pytest.mark.parametrize("limit", [1, 2, 7, 60, 1000, 100_000])
def test_who_asks_for_more_gets_98_percent_of_it(limit: int) -> None:
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
