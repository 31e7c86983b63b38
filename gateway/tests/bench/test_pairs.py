"""The median of ratios and its interval: ranks that are known, and a coverage that is what it says."""

from __future__ import annotations

import math
import random

import pytest
from bench.pairs import CONFIDENCE, WIDE, rank, ratio

from tests.support.tables import table


@table(("pairs", "expected"), [(0, 0), (1, 0), (5, 0), (6, 1), (8, 1), (9, 2), (20, 6), (30, 10), (60, 22)])
def test_ranks_are_those_of_the_tables(pairs: int, expected: int) -> None:
    assert rank(pairs) == expected


@table("pairs", range(6, 200))
def test_the_interval_is_the_narrowest_that_is_certain_enough(pairs: int) -> None:
    def certainty(k: int) -> float:
        return 1 - 2 * float(sum(math.comb(pairs, below) for below in range(k)) / 2**pairs)

    assert certainty(rank(pairs)) >= CONFIDENCE > certainty(rank(pairs) + 1)


def test_the_median_is_enclosed_as_often_as_promised_however_the_ratios_are_spread() -> None:
    dice = random.Random(7)
    enclosed = 0
    for _ in range(2000):
        found = ratio([(1.0, math.exp(dice.expovariate(1.0))) for _ in range(20)])
        enclosed += found.low <= 2.0 <= found.high  # the median of an exponential is ln 2
    assert enclosed / 2000 > 0.94


def test_only_ratios_within_a_pair_count() -> None:
    """The machine gets ten times slower on the way: every pair still says 2 %."""
    found = ratio([(slower * 10.0, slower * 10.2) for slower in range(1, 11)])
    assert found.median == pytest.approx(1.02)
    assert [found.low, found.high] == pytest.approx([1.02, 1.02])
    assert found.pairs == 10
    assert not found.wide


def test_a_pair_that_was_not_measured_whole_does_not_count() -> None:
    found = ratio([(1.0, 1.1)] * 6 + [(math.nan, 1.0), (1.0, math.nan), (0.0, 1.0)])
    assert [found.pairs, found.median] == pytest.approx([6, 1.1])


@table("pairs", range(6))
def test_too_few_pairs_have_no_interval_and_are_never_enough(pairs: int) -> None:
    assert ratio([(1.0, 1.0)] * pairs).wide


@pytest.mark.parametrize(("spread", "wide"), [(WIDE - 0.001, False), (WIDE + 0.001, True)])
def test_an_interval_is_wide_when_it_reaches_further_than_the_limit_to_either_side(spread: float, wide: bool) -> None:
    assert ratio([(1.0, 1 - spread), (1.0, 1 + spread)] * 10).wide is wide
