"""Before and after: who is compared with whom, and what counts as better."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.measure.comparison import METRICS, Pair, comparison_values, differences, pairs
from hayate.tools.measure.figures import figures_of
from hayate.tools.measure.record import ModelFigures
from tests.unit.tools.measure.measured import call, failed, record

FASTER_BY = st.floats(min_value=1.1, max_value=1000)


def figures(model: str, factor: float = 1.0) -> ModelFigures:
    """Figures of a model `factor` times as fast as the usual one."""
    return figures_of(model, [call(total_s=1 / factor, ttft_s=0.2 / factor)], wall_s=1 / factor)


@given(FASTER_BY)
def test_faster_is_a_gain_in_every_figure(factor: float) -> None:
    pair = Pair(figures("a"), figures("a", factor))
    back = Pair(pair.after, pair.before)
    for metric in METRICS:
        assert pair.gain(metric) == pytest.approx(factor, rel=1e-6)
        assert back.gain(metric) == pytest.approx(1 / factor, rel=1e-6)


def test_what_was_not_measured_is_not_compared() -> None:
    pair = Pair(figures_of("a", [failed("cut")], 1.0), figures("a"))
    assert {pair.gain(metric) for metric in METRICS} == {None}


def test_models_are_paired_by_name_and_a_single_earlier_one_with_all() -> None:
    two = record(figures("fast"), figures("smart"))
    assert [(pair.before.model, pair.after.model) for pair in pairs(two, record(figures("smart"), figures("new")))] == [
        ("smart", "smart")
    ]
    assert [(pair.before.model, pair.after.model) for pair in pairs(record(figures("old-70b")), two)] == [
        ("old-70b", "fast"),
        ("old-70b", "smart"),
    ]


def test_settings_that_were_not_the_same_are_named() -> None:
    before, after = record(figures("a")), record(figures("a"))
    assert not differences(before, after)
    settings = after.settings.model_copy(update={"concurrency": 8, "url": "http://elsewhere"})
    edited = settings.prompts.model_copy(update={"sha256": "1" * 64})
    after = record(figures("a"), settings=settings.model_copy(update={"prompts": edited}))
    assert list(differences(before, after)) == ["concurrency: 4, 8", "prompts: built-in-ja/1, edited"]


def test_the_comparison_for_json_names_every_figure() -> None:
    values: Any = comparison_values(record(figures("old")), record(figures("fast", 2.0)))
    (model,) = values["models"]
    assert (model["model"], model["before_model"]) == ("fast", "old")
    assert model["gain"]["ttft_s_p50"] == pytest.approx(2)
    assert len(model["gain"]) == len(METRICS)
