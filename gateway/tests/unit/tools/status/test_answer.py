"""What a gateway says of itself, of whatever version it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.status.answer import read_answer
from tests.unit.tools.loading.told import ELSEWHERE, FAILED, SLEEPS
from tests.unit.tools.status.answers import DOWN, WELL, deployment

NAMES = st.sampled_from(
    [
        "version",
        "uptime_s",
        "aliases",
        "deployments",
        "engines",
        "how",
        "replicas",
        "name",
        "url",
        "state",
        "healthy",
        "last_error",
        "text",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=5),
    max_leaves=12,
)


def test_what_is_told_is_read() -> None:
    answer = read_answer({"version": "9.9", "uptime_s": 3, "aliases": {"a": ["b"]}, "deployments": [deployment(WELL)]})
    assert (answer.version, answer.uptime_s, answer.aliases) == ("9.9", 3.0, {"a": ["b"]})
    [one] = answer.deployments
    assert (one.name, one.engine, one.model, one.in_flight, one.queued) == ("small", "vllm", "qwen", 2, 1)
    assert one.replicas[0].ready


@pytest.mark.parametrize(
    ("replicas", "state", "overall"),
    [
        ([WELL, WELL], "ready", "ready"),
        ([WELL, DOWN], "degraded", "degraded"),
        ([DOWN], "down", "degraded"),
        ([], "down", "degraded"),
    ],
)
def test_it_is_as_ready_as_its_replicas(replicas: list[dict[str, Any]], state: str, overall: str) -> None:
    answer = read_answer({"deployments": [deployment(*replicas)]})
    assert (answer.deployments[0].state, answer.overall) == (state, overall)


@pytest.mark.parametrize(
    ("told", "state", "overall"),
    [
        (SLEEPS, "unloaded", "ready"),
        ({**SLEEPS, "state": "loading"}, "loading", "ready"),
        ({**SLEEPS, "state": "ready"}, "down", "degraded"),
        (FAILED, "failed", "degraded"),
        (ELSEWHERE, "down", "degraded"),
    ],
)
def test_a_model_that_waits_to_be_asked_for_is_no_fault(told: dict[str, Any], state: str, overall: str) -> None:
    answer = read_answer({"deployments": [deployment(DOWN)], "engines": [{**told, "name": "small"}]})
    assert (answer.deployments[0].state, answer.overall) == (state, overall)


def test_a_reason_in_two_languages_is_read_in_the_readers() -> None:
    both = {**DOWN, "reason": {"en": "nothing listens", "ja": "待ち受けなし"}}
    values = {"deployments": [deployment(both)]}
    assert read_answer(values, "ja").deployments[0].replicas[0].reason == "待ち受けなし"
    assert read_answer(values, "en").deployments[0].replicas[0].reason == "nothing listens"


@given(st.dictionaries(NAMES, JSON, max_size=6))
def test_whatever_it_says_is_read(values: dict[str, Any]) -> None:
    answer = read_answer(values)
    assert answer.overall in ("ready", "degraded")
