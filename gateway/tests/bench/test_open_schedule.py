"""When the open loop's calls are made."""

from __future__ import annotations

from collections import Counter
from itertools import groupby, pairwise
from statistics import fmean

import pytest
from bench.open_parts import FIRST_S, INTERVAL_S, LONGEST
from bench.open_schedule import (
    ENDING_S,
    FILLING_S,
    HERD_TOKENS,
    HERDS,
    PLAIN_SHARE,
    SHORTEST,
    Schedule,
    always_open,
    herds,
    poisson,
)


def test_a_schedule_is_the_same_whenever_it_is_made_and_another_for_another_rate_or_seed() -> None:
    assert poisson(10, 5) == poisson(10, 5)
    assert poisson(10, 5).calls != poisson(10, 5, seed=1).calls
    assert [each.at_us for each in poisson(20, 5).calls] != [each.at_us for each in poisson(10, 5).calls]


@pytest.mark.parametrize("rate", [10, 50, 100])
def test_calls_come_at_their_rate_in_order_and_unevenly(rate: float) -> None:
    schedule = poisson(rate, 200)
    moments = [each.at_us for each in schedule.calls]
    streams = [each for each in schedule.calls if each.group == "stream"]
    gaps = [after.at_us - before.at_us for before, after in pairwise(streams)]
    mean = fmean(gaps)

    assert moments == sorted(moments)
    assert len(streams) / 200 == pytest.approx(rate, rel=0.1)
    assert sum(each.group == "plain" for each in schedule.calls) / 200 == pytest.approx(rate * PLAIN_SHARE, rel=0.2)
    assert fmean((gap - mean) ** 2 for gap in gaps) ** 0.5 == pytest.approx(mean, rel=0.15)


def test_streams_have_64_to_256_tokens_and_plain_calls_none() -> None:
    schedule = poisson(50, 100)
    long_before_the_end_us = (schedule.until_s - LONGEST * INTERVAL_S) * 1e6
    counted = [each for each in schedule.calls if each.group and each.at_us < long_before_the_end_us]

    lengths = {each.tokens for each in counted if each.group == "stream"}
    assert (min(lengths), max(lengths)) == (SHORTEST, LONGEST)
    assert {each.tokens for each in counted if each.group == "plain"} == {0}


def _open_at(schedule: Schedule, second: float) -> int:
    lasting = schedule.interval_s
    return sum(each.at_us / 1e6 <= second < each.at_us / 1e6 + each.tokens * lasting for each in schedule.calls)


@pytest.mark.parametrize("interval_s", [INTERVAL_S, 0.5])
def test_as_many_streams_as_are_open_at_any_moment_are_there_before_anything_counts(interval_s: float) -> None:
    schedule = poisson(100, 60, interval_s=interval_s)

    usual = 100 * interval_s * (SHORTEST + LONGEST) / 2
    assert _open_at(schedule, schedule.from_s) == pytest.approx(usual, rel=0.15)
    assert _open_at(schedule, schedule.from_s + 8) == pytest.approx(usual, rel=0.15)
    assert _open_at(schedule, schedule.until_s - 1) == pytest.approx(usual, rel=0.15)
    assert all(each.at_us / 1e6 > FILLING_S for each in schedule.calls if each.group)


@pytest.mark.parametrize("schedule", [poisson(100, 5), always_open(300, 20, 0.2)])
def test_nothing_goes_on_for_long_when_the_counting_has_ended(schedule: Schedule) -> None:
    assert schedule.until_s + ENDING_S <= schedule.lasts_s <= schedule.until_s + ENDING_S + 2 * schedule.interval_s


@pytest.mark.parametrize("schedule", [poisson(100, 20), always_open(1000, 20, 0.06)])
def test_no_more_streams_end_in_any_moment_that_counts_than_end_by_themselves(schedule: Schedule) -> None:
    ends = Counter(
        int((each.at_us / 1e6 + FIRST_S + (each.tokens - 1) * schedule.interval_s) / 0.1)
        for each in schedule.calls
        if each.tokens
    )
    counted = [ends[tenth] for tenth in range(int(schedule.from_s / 0.1), int(schedule.until_s / 0.1) + 1)]

    assert max(counted) < 3 * fmean(counted)
    assert ends[int((schedule.until_s + ENDING_S) / 0.1)] > 10 * fmean(counted), "all that is left ends then"


def test_streams_that_stand_are_as_many_at_any_moment_and_do_not_speak_at_the_same_time() -> None:
    schedule = always_open(400, 200, 0.5)

    for second in (schedule.from_s, schedule.from_s + 50, schedule.from_s + 150, schedule.until_s - 1):
        assert 0.97 * 400 <= _open_at(schedule, second) <= 400
    begun = [each for each in schedule.calls if each.group == "stream"]
    assert len(begun) / 200 == pytest.approx(400 / (0.5 * (SHORTEST + LONGEST) / 2), rel=0.15)
    assert {each.group for each in schedule.calls if each.at_us / 1e6 < schedule.from_s} <= {""}
    phases = sorted(each.at_us / 1e6 % 0.5 for each in schedule.calls[:400])
    assert fmean(phases) == pytest.approx(0.25, abs=0.05)
    assert max(after - before for before, after in pairwise(phases)) < 0.02


def test_a_herd_starts_in_one_moment_and_has_ended_before_the_next() -> None:
    schedule = herds()
    found = [(at, [each.group for each in calls]) for at, calls in groupby(schedule.calls, lambda each: each.at_us)]

    assert [len(groups) for _, groups in found] == [size for size in HERDS for _ in range(2)]
    assert all(len(set(groups)) == 1 for _, groups in found)
    gaps = [(after - before) / 1e6 for (before, _), (after, _) in pairwise(found)]
    assert min(gaps) > HERD_TOKENS * INTERVAL_S + 1
    assert schedule.lasts_s < schedule.until_s


def test_the_client_reads_a_line_a_call() -> None:
    schedule = poisson(10, 1)

    assert [tuple(map(int, line.split())) for line in schedule.text().splitlines()] == [
        (each.at_us, each.tokens) for each in schedule.calls
    ]
