"""How much each principal may ask: its own limits or everybody's, and never a bit of another's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.access.principals import OWNER, SESSION, Principal
from hayate.access.quotas import Quotas, refuse
from hayate.errors import RateLimited
from hayate.policy.limits import Allowance
from hayate.settings import RateLimits

LIMITS = st.builds(RateLimits, requests_per_minute=st.integers(1, 300), burst=st.none() | st.integers(1, 30))
GAPS_S = st.floats(0, 5, allow_nan=False)


def goes(quotas: Quotas, principal: Principal, now: float) -> bool:
    """Asks once: whether the request may go."""
    allowance = quotas.count(principal, now)
    return allowance is None or not allowance.retry_after_s


@given(LIMITS, st.none() | LIMITS, st.lists(GAPS_S, max_size=120))
def test_no_window_however_long_holds_more_than_the_limit(
    everybodys: RateLimits, own: RateLimits | None, gaps: list[float]
) -> None:
    quotas, principal, now = Quotas(everybodys), Principal("p", "project", limits=own), 1000.0
    went: list[float] = []
    for gap in gaps:
        now += gap
        if goes(quotas, principal, now):
            went.append(now)
    limits = own or everybodys
    assert limits.requests_per_minute is not None
    burst, per_s = limits.burst or limits.requests_per_minute, limits.requests_per_minute / 60
    for last, end in enumerate(went):
        for first, start in enumerate(went[: last + 1]):
            assert last - first + 1 <= burst + (end - start) * per_s + 1e-6


@given(LIMITS, st.lists(st.tuples(st.integers(0, 3), GAPS_S), max_size=120))
def test_what_one_principal_asks_is_never_anothers(everybodys: RateLimits, asked: list[tuple[int, float]]) -> None:
    own = RateLimits(requests_per_minute=7, burst=2)
    principals = [Principal(f"p{n}", "project", limits=own if n == 3 else None) for n in range(4)]
    together, alone = Quotas(everybodys), [Quotas(everybodys) for _ in principals]
    now = 0.0
    for n, gap in asked:
        now += gap
        assert together.count(principals[n], now) == alone[n].count(principals[n], now)


def test_a_session_and_the_key_that_bought_it_are_counted_apart() -> None:
    quotas = Quotas(RateLimits(requests_per_minute=1))
    assert [goes(quotas, each, 0.0) for each in (OWNER, SESSION, OWNER, SESSION)] == [True, True, False, False]


@given(st.lists(GAPS_S, min_size=1, max_size=50))
def test_without_a_limit_nothing_is_counted_and_everything_goes(gaps: list[float]) -> None:
    quotas, now = Quotas(), 0.0
    for gap in gaps:
        now += gap
        assert quotas.count(OWNER, now) is None


def test_a_burst_without_a_rate_limits_nothing() -> None:
    assert Quotas(RateLimits(burst=1)).count(OWNER, 0.0) is None


def test_a_principals_own_limits_come_before_everybodys_wider_or_narrower() -> None:
    quotas = Quotas(RateLimits(requests_per_minute=2))
    wide = Principal("wide", "project", limits=RateLimits(requests_per_minute=5))
    none = Principal("none", "project", limits=RateLimits())
    narrow = Principal("narrow", "project", limits=RateLimits(requests_per_minute=1))
    counts = [sum(goes(quotas, each, 0.0) for _ in range(10)) for each in (OWNER, wide, none, narrow)]
    assert counts == [2, 5, 10, 1]


@given(LIMITS, LIMITS)
def test_changed_limits_start_anew_and_the_same_go_on(before: RateLimits, after: RateLimits) -> None:
    quotas = Quotas(before)
    while goes(quotas, OWNER, 0.0):
        pass
    quotas.configure(RateLimits(requests_per_minute=before.requests_per_minute, burst=before.burst))
    assert not goes(quotas, OWNER, 0.0)
    quotas.configure(after)
    assert goes(quotas, OWNER, 0.0) is (after != before)


def test_a_new_configuration_does_not_touch_who_has_limits_of_its_own() -> None:
    quotas, principal = Quotas(), Principal("p", "project", limits=RateLimits(requests_per_minute=1))
    assert goes(quotas, principal, 0.0)
    quotas.configure(RateLimits(requests_per_minute=100))
    assert not goes(quotas, principal, 0.0)


def test_limits_that_are_taken_away_limit_no_more() -> None:
    quotas = Quotas(RateLimits(requests_per_minute=1))
    assert [goes(quotas, OWNER, 0.0) for _ in range(2)] == [True, False]
    quotas.configure(RateLimits())
    assert quotas.count(OWNER, 0.0) is None


def test_who_is_over_the_limit_is_told_what_it_is_and_when_to_come_back() -> None:
    refuse(Allowance(60, 0, 1.0, 0.0))  # the last one that fits
    with pytest.raises(RateLimited) as refused:
        refuse(Allowance(60, 0, 60.0, 0.25))
    assert refused.value.retry_after_s == 0.25
    assert "60 requests a minute. Try again in 0.2 s" in refused.value.english
    assert "1分間に60回まで" in refused.value.japanese


def test_coming_back_when_told_is_soon_enough() -> None:
    quotas, now = Quotas(RateLimits(requests_per_minute=7, burst=2)), 0.0
    for _ in range(30):
        allowance = quotas.count(OWNER, now)
        assert allowance is not None
        now += allowance.retry_after_s
        if allowance.retry_after_s:
            assert goes(quotas, OWNER, now)
