"""Where an engine has not told a prompt's tokens they are estimated, if it can have read the prompt; and never marked exact."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.api.counted import count
from hayate.fleet.fleet import Fleet
from hayate.policy.estimates import Estimates
from hayate.telemetry.record import CallRecord
from hayate.wire.paths import CHAT, EMBEDDINGS
from hayate.wire.usage import Usage

NO_FLEET = Fleet((), {})


@pytest.fixture
def estimates() -> Estimates:
    estimates = Estimates()
    estimates.learn_prompt("qwen", CHAT, 400, 100)
    return estimates


def record(usage: Usage, **facts: Any) -> CallRecord:
    made = CallRecord(
        "r", "chat", 0.0, deployment="qwen", sent_path=CHAT, sent_bytes=800, attempts=1, status=499, streamed=True
    )
    made.usage = usage
    for name, value in facts.items():
        setattr(made, name, value)
    return made


def settled(deltas: int = 0, told: dict[str, int] | None = None, *, whole: bool = False) -> Usage:
    usage = Usage()
    usage.seen(deltas)
    usage.take(told)
    usage.settle(whole=whole)
    return usage


def test_a_stream_that_had_begun_has_used_its_prompt(estimates: Estimates) -> None:
    left = record(settled(20))
    count(left, estimates, NO_FLEET)
    assert left.usage == Usage(201, 20, exact=False)


@pytest.mark.parametrize("status", [429, 499, 502, 504, 503])
def test_a_stream_that_had_not_begun_has_used_nothing(estimates: Estimates, status: int) -> None:
    left = record(settled(), status=status)
    count(left, estimates, NO_FLEET)
    assert left.usage == Usage()


@pytest.mark.parametrize(
    ("facts", "tokens"),
    [
        ({}, 201),
        ({"status": 200}, 201),  # an engine that never counts
        ({"status": 429}, 0),
        ({"status": 502}, 0),
        ({"attempts": 0}, 0),  # it was still in the queue
        ({"sent_bytes": 0}, 0),
        ({"sent_path": "/tokenize", "status": 200}, 0),
        ({"sent_path": EMBEDDINGS, "status": 499}, 0),
    ],
)
def test_a_whole_answer_can_have_begun_unseen(estimates: Estimates, facts: dict[str, Any], tokens: int) -> None:
    left = record(settled(), streamed=False, **facts)
    count(left, estimates, NO_FLEET)
    assert (left.usage.prompt_tokens, left.usage.exact) == (tokens, False)


def test_what_the_engine_has_told_stays_and_teaches(estimates: Estimates) -> None:
    counts = {"prompt_tokens": 7, "completion_tokens": 3}
    cut = record(settled(2, counts))
    count(cut, estimates, NO_FLEET)
    assert cut.usage == Usage(7, 3, exact=False)
    assert estimates.prompt_tokens("qwen", CHAT, 800) == 201, "it was cut off: the count may be no last word"
    whole = record(settled(2, {"prompt_tokens": 400, "completion_tokens": 3}, whole=True), status=200)
    count(whole, estimates, NO_FLEET)
    assert whole.usage == Usage(400, 3, exact=True)
    assert estimates.prompt_tokens("qwen", CHAT, 800) > 201


def test_a_deployment_that_is_gone_by_now_is_estimated_too(estimates: Estimates) -> None:
    left = record(settled(1), deployment="gone")
    count(left, estimates, NO_FLEET)
    assert left.usage.prompt_tokens == 267
