"""Retries are a share of the calls, with a floor."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hayate.policy.retries import WINDOW_S, RetryBudget


def granted(budget: RetryBudget, now: float, wanted: int) -> int:
    return sum(budget.allow(now) for _ in range(wanted))


def test_few_calls_may_still_retry_ten_times_a_second() -> None:
    budget = RetryBudget()
    budget.called(100.0)
    assert granted(budget, 100.0, 1000) == 100


def test_many_calls_may_retry_a_fifth() -> None:
    budget = RetryBudget()
    for _ in range(5000):
        budget.called(100.0)
    assert granted(budget, 105.0, 5000) == 1000


def test_a_new_window_is_a_new_budget() -> None:
    budget = RetryBudget()
    assert granted(budget, 50.0, 1000) == 100
    assert granted(budget, 50.0 + WINDOW_S - 0.1, 1) == 0
    assert granted(budget, 50.0 + WINDOW_S, 1000) == 100


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=300))
def test_retries_never_exceed_the_share_within_a_window(steps: list[tuple[bool, float]]) -> None:
    budget, now, calls, retries, began = RetryBudget(ratio=0.2, floor_per_s=0.5), 0.0, 0, 0, 0.0
    for is_call, after_s in steps:
        now += after_s
        if now - began >= WINDOW_S:
            began, calls, retries = now, 0, 0
        if is_call:
            budget.called(now)
            calls += 1
        elif budget.allow(now):
            retries += 1
        assert retries <= max(0.2 * calls, 0.5 * WINDOW_S) + 1
