"""Figures are what their definitions say, whatever the calls were."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.measure.calls import MeasuredCall
from hayate.tools.measure.failure import Failure
from hayate.tools.measure.figures import figures_of, percentile, spread_of
from tests.unit.tools.measure.measured import call, failed

SECONDS = st.floats(min_value=0, max_value=1e6, allow_nan=False)
VALUES = st.lists(SECONDS, min_size=1, max_size=60)
PERCENTS = st.floats(min_value=0, max_value=100)


@given(VALUES, PERCENTS)
def test_a_percentile_lies_between_the_smallest_and_the_largest_value(values: list[float], percent: float) -> None:
    values.sort()
    assert values[0] <= percentile(values, percent) <= values[-1]


@given(VALUES, PERCENTS, PERCENTS)
def test_a_higher_percentile_is_never_smaller(values: list[float], one: float, other: float) -> None:
    values.sort()
    low, high = sorted((one, other))
    assert percentile(values, low) <= percentile(values, high) * (1 + 1e-12)


@given(st.lists(SECONDS, min_size=2, max_size=60))
def test_percentiles_are_those_of_the_standard_library(values: list[float]) -> None:
    values.sort()
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    for percent, cut in zip(range(5, 100, 5), cuts, strict=True):
        assert percentile(values, percent) == pytest.approx(cut, rel=1e-9, abs=1e-9)


@given(st.lists(st.one_of(st.none(), SECONDS), max_size=60))
def test_a_spread_is_of_the_values_that_are_there(values: list[float | None]) -> None:
    there = [value for value in values if value is not None]
    spread = spread_of(values)
    if not there:
        assert spread is None
        return
    assert spread is not None
    assert (spread.min, spread.max) == (min(there), max(there))
    assert spread.min <= spread.p5 <= spread.p50 <= spread.p95 <= spread.max
    assert spread.min <= spread.mean <= spread.max
    assert spread.p50 == pytest.approx(statistics.median(there), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("tokens", [0, 1])
def test_an_answer_of_one_token_has_no_time_per_token(tokens: int) -> None:
    figures = figures_of("fast", [call(output_tokens=tokens)], wall_s=1.0)
    assert figures.tpot_s is None
    assert figures.stream_tokens_per_s is None
    assert figures.ttft_s is not None


def test_an_answer_that_came_all_at_once_has_no_speed() -> None:
    figures = figures_of("fast", [call(total_s=0.2, ttft_s=0.2)], wall_s=1.0)
    assert figures.tpot_s is None
    assert figures.stream_tokens_per_s is None
    assert figures.stream_chars_per_s is None


def test_speeds_of_one_stream_and_of_all() -> None:
    figures = figures_of("fast", [call(1), call(2)], wall_s=2.0)
    assert figures.stream_tokens_per_s is not None
    assert figures.stream_tokens_per_s.p50 == pytest.approx(10)
    assert figures.stream_chars_per_s is not None
    assert figures.stream_chars_per_s.p50 == pytest.approx(22.5)
    assert figures.tokens_per_s == pytest.approx(9)
    assert figures.requests_per_s == pytest.approx(1)


@given(st.lists(st.sampled_from(["", "timeout", "status_503", "cut"]), min_size=1, max_size=40))
def test_every_call_either_succeeds_or_is_counted_with_its_reason(reasons: list[str]) -> None:
    calls = [failed(reason, number=n) if reason else call(n) for n, reason in enumerate(reasons, 1)]
    figures = figures_of("fast", calls, wall_s=3.0)
    assert figures.calls == len(reasons) == figures.succeeded + figures.failed
    assert {each.reason: each.count for each in figures.failures} == {
        reason: reasons.count(reason) for reason in set(reasons) - {""}
    }
    assert [each.count for each in figures.failures] == sorted((each.count for each in figures.failures), reverse=True)
    assert (figures.requests_per_s is None) == (figures.succeeded == 0)
    for value in (figures.tokens_per_s, figures.requests_per_s):
        assert value is None or math.isfinite(value)


def test_failed_calls_touch_no_figure_but_the_time_that_all_took() -> None:
    slow = MeasuredCall(2, 0.0, 500.0, ttft_s=400.0, output_tokens=90, failure=Failure("cut"))
    figures = figures_of("fast", [call(1), slow], wall_s=500.0)
    assert figures.ttft_s is not None
    assert figures.ttft_s.max == pytest.approx(0.2)
    assert figures.output_tokens == 9
    assert figures.tokens_per_s == pytest.approx(9 / 500)


def test_the_first_detail_of_a_reason_is_kept() -> None:
    calls = [failed("status_503", "queue full", 1), failed("status_503", "later", 2)]
    assert figures_of("fast", calls, wall_s=1.0).failures[0].detail == "queue full"


def test_it_is_said_who_counted_the_tokens() -> None:
    told, guessed = call(1, tokens_told=True), call(2)
    assert figures_of("fast", [told], 1.0).tokens_from == "usage"
    assert figures_of("fast", [guessed], 1.0).tokens_from == "deltas"
    assert figures_of("fast", [told, guessed], 1.0).tokens_from == "mixed"


def test_single_calls_are_kept_only_when_asked_for() -> None:
    assert figures_of("fast", [call()], 1.0).rows is None
    (row,) = figures_of("fast", [call()], 1.0, raw=True).rows or []
    assert (row.number, row.ttft_s, row.total_s, row.output_tokens, row.failure) == (1, 0.2, 1.0, 9, None)
