"""How much each principal may ask: never more than its limit, and never a bit of another's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.access.quotas import Quotas, refuse
from hayate.errors import RateLimited
from hayate.policy.limits import Allowance
from hayate.settings import RateLimits

NO_LIMITS = RateLimits()

LIMITS = st.builds(RateLimits, requests_per_minute=st.integers(1, 300), burst=st.none() | st.integers(1, 30))
GAPS_S = st.floats(0, 5, allow_nan=False)
ONE_A_MINUTE = RateLimits(requests_per_minute=1)


def goes(quotas: Quotas, principal_id: str, limits: RateLimits, now: float) -> bool:
    """Asks once: whether the request may go."""
    allowance = quotas.count(principal_id, limits, now)
    return allowance is None or not allowance.retry_after_s


@given(LIMITS, st.lists(GAPS_S, max_size=120))
def test_no_window_however_long_holds_more_than_the_limit(limits: RateLimits, gaps: list[float]) -> None:
    quotas, now = Quotas(), 1000.0
    went: list[float] = []
    for gap in gaps:
        now += gap
        if goes(quotas, "p", limits, now):
            went.append(now)
    assert limits.requests_per_minute is not None
    burst, per_s = limits.burst or limits.requests_per_minute, limits.requests_per_minute / 60
    for last, end in enumerate(went):
        for first, start in enumerate(went[: last + 1]):
            assert last - first + 1 <= burst + (end - start) * per_s + 1e-6


@given(LIMITS, LIMITS, st.lists(st.tuples(st.integers(0, 3), GAPS_S), max_size=120))
def test_what_one_principal_asks_is_never_anothers(
    everybodys: RateLimits, ones_own: RateLimits, asked: list[tuple[int, float]]
) -> None:
    together, alone, now = Quotas(), [Quotas() for _ in range(4)], 0.0
    for n, gap in asked:
        now += gap
        limits = ones_own if n == 3 else everybodys
        assert together.count(f"p{n}", limits, now) == alone[n].count(f"p{n}", limits, now)


@pytest.mark.parametrize("limits", [NO_LIMITS, RateLimits(), RateLimits(burst=1)])
def test_without_a_rate_nothing_is_counted_and_everything_goes(limits: RateLimits) -> None:
    quotas = Quotas()
    assert [quotas.count("p", limits, 0.0) for _ in range(100)] == [None] * 100


@given(LIMITS, LIMITS)
def test_changed_limits_start_anew_and_the_same_written_again_go_on(before: RateLimits, after: RateLimits) -> None:
    quotas = Quotas()
    while goes(quotas, "p", before, 0.0):
        pass
    the_same = RateLimits(requests_per_minute=before.requests_per_minute, burst=before.burst)
    assert not goes(quotas, "p", the_same, 0.0)
    assert goes(quotas, "p", after, 0.0) is (after != before)


def test_anothers_changed_limits_change_nothing() -> None:
    quotas = Quotas()
    assert goes(quotas, "p", ONE_A_MINUTE, 0.0)
    assert goes(quotas, "q", ONE_A_MINUTE, 0.0)
    assert goes(quotas, "q", RateLimits(requests_per_minute=100), 0.0)
    assert not goes(quotas, "p", ONE_A_MINUTE, 0.0)


def test_limits_that_are_taken_away_limit_no_more() -> None:
    quotas = Quotas()
    assert [goes(quotas, "p", ONE_A_MINUTE, 0.0) for _ in range(2)] == [True, False]
    assert quotas.count("p", NO_LIMITS, 0.0) is None


def test_who_is_over_the_limit_is_told_what_it_is_and_when_to_come_back() -> None:
    refuse(Allowance(60, 0, 1.0, 0.0))  # the last one that fits
    with pytest.raises(RateLimited) as refused:
        refuse(Allowance(60, 0, 60.0, 0.25))
    assert refused.value.retry_after_s == 0.25
    assert "60 requests a minute. Try again in 0.2 s" in refused.value.english
    assert "1分間に60回まで" in refused.value.japanese


@given(LIMITS)
def test_coming_back_when_told_is_soon_enough(limits: RateLimits) -> None:
    quotas, now, refusals = Quotas(), 0.0, 0
    while refusals < 5:
        allowance = quotas.count("p", limits, now)
        assert allowance is not None
        if allowance.retry_after_s:
            refusals += 1
            now += allowance.retry_after_s
            assert goes(quotas, "p", limits, now)
