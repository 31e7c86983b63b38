"""Where an engine has not told a prompt's tokens they are estimated, if it can have read the prompt; and never marked exact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hayate.api.counted import count_prompt
from hayate.api.gateway import Gateway
from hayate.relay.ticker import Ticker
from hayate.telemetry.record import CallRecord
from hayate.wire.usage import Usage
from tests.unit.api.bare import bare_gateway

pytestmark = pytest.mark.anyio


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway = bare_gateway(Ticker(asyncio.get_running_loop()))
    gateway.grants.estimates.learn_prompt("qwen", 400, 100)
    yield gateway


def record(usage: Usage, **facts: Any) -> CallRecord:
    made = CallRecord("r", "chat", 0.0, deployment="qwen", sent_bytes=800, attempts=1, status=499, streamed=True)
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


async def test_a_stream_that_had_begun_has_used_its_prompt(gateway: Gateway) -> None:
    left = record(settled(20))
    count_prompt(gateway, left)
    assert left.usage == Usage(201, 20, exact=False)


@pytest.mark.parametrize("status", [429, 499, 502, 504, 503])
async def test_a_stream_that_had_not_begun_has_used_nothing(gateway: Gateway, status: int) -> None:
    left = record(settled(), status=status)
    count_prompt(gateway, left)
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
    ],
)
async def test_a_whole_answer_can_have_begun_unseen(gateway: Gateway, facts: dict[str, Any], tokens: int) -> None:
    left = record(settled(), streamed=False, **facts)
    count_prompt(gateway, left)
    assert (left.usage.prompt_tokens, left.usage.exact) == (tokens, False)


async def test_what_the_engine_has_told_stays_and_teaches(gateway: Gateway) -> None:
    counts = {"prompt_tokens": 7, "completion_tokens": 3}
    cut = record(settled(2, counts))
    count_prompt(gateway, cut)
    assert cut.usage == Usage(7, 3, exact=False)
    assert gateway.grants.estimates.prompt_tokens("qwen", 800) == 201, "it was cut off: the count may be no last word"
    whole = record(settled(2, {"prompt_tokens": 400, "completion_tokens": 3}, whole=True), status=200)
    count_prompt(gateway, whole)
    assert whole.usage == Usage(400, 3, exact=True)
    assert gateway.grants.estimates.prompt_tokens("qwen", 800) > 201


async def test_a_deployment_that_is_gone_by_now_is_estimated_too(gateway: Gateway) -> None:
    left = record(settled(1), deployment="gone")
    count_prompt(gateway, left)
    assert left.usage.prompt_tokens == 267
