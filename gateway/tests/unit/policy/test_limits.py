"""Requests per minute, without a window whose edge lets a double burst through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.policy.limits import RateLimit


def test_a_minutes_worth_may_come_at_once_and_then_one_by_one() -> None:
    limit = RateLimit(60)
    taken = [limit.take(1000.0) for _ in range(61)]
    assert [each.retry_after_s > 0 for each in taken] == [False] * 60 + [True]
    assert [each.remaining for each in taken[:3]] == [59, 58, 57]
    assert taken[60].retry_after_s == pytest.approx(1.0)
    assert limit.take(1001.0).retry_after_s == 0
    assert limit.take(1001.0).retry_after_s > 0


def test_a_burst_is_smaller_than_a_minute_when_told_so() -> None:
    limit = RateLimit(60, burst=2)
    assert [limit.take(0.0).retry_after_s for _ in range(3)] == [0, 0, pytest.approx(1.0)]
    assert limit.take(1.0).retry_after_s == 0


def test_the_answer_says_when_all_is_free_again() -> None:
    limit = RateLimit(6)
    assert limit.take(0.0).reset_s == pytest.approx(10.0)
    assert limit.take(0.0).reset_s == pytest.approx(20.0)
    assert limit.take(100.0).reset_s == pytest.approx(10.0)


def test_a_refused_request_costs_nothing() -> None:
    limit = RateLimit(1)
    limit.take(0.0)
    for second in range(1, 59):
        assert limit.take(float(second)).retry_after_s == pytest.approx(60.0 - second)
    assert limit.take(60.0).retry_after_s == 0


def test_waiting_as_long_as_told_is_enough() -> None:
    limit, now = RateLimit(7, burst=3), 0.0
    for _ in range(50):
        answer = limit.take(now)
        if answer.retry_after_s:
            now += answer.retry_after_s
            assert limit.take(now).retry_after_s == 0


@given(st.integers(1, 600), st.integers(1, 50), st.lists(st.floats(0, 5), max_size=200))
def test_no_minute_ever_holds_more_than_a_minute_and_a_burst(per_minute: int, burst: int, gaps: list[float]) -> None:
    limit, now = RateLimit(per_minute, burst), 0.0
    allowed: list[float] = []
    for gap in gaps:
        now += gap
        answer = limit.take(now)
        assert 0 <= answer.remaining <= burst
        assert answer.retry_after_s >= 0
        if not answer.retry_after_s:
            allowed.append(now)
        within = sum(1 for at in allowed if at > now - 60)
        assert within <= per_minute + burst
