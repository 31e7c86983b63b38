"""One call with a stopwatch: when its output came, and under which name it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.measure.calls import SILENT, Caller, MeasuredCall
from hayate.tools.measure.dialects import reader_of, request_of
from hayate.tools.measure.failure import Failure
from hayate.tools.measure.target import Api
from hayate.upstream.connection_pool import ConnectionPool
from hayate.upstream.endings import gone_stale
from hayate.upstream.exchange import Exchange
from hayate.wire.upstream_request import UpstreamRequest
from tests.support.engine_faults import (
    CLOSE_BEFORE_HEADERS,
    GARBAGE,
    HEADERS_THEN_SILENCE,
    RESET_BEFORE_HEADERS,
    cut_mid_frame,
    error_then_done,
    silent_mid_stream,
)
from tests.support.engine_script import SSE, Answer, Chat, answer, body, cut, end, error, head, sse
from tests.support.fake_engine import running_engine, unanswered_port
from tests.support.waiting import LAST_RESORT_S, NEVER_S
from tests.unit.tools.measure.measured import call

PREFILL_S, GAP_S = 0.1, 0.02
SECONDS = st.floats(min_value=0, max_value=1e4)


@asynccontextmanager
async def calling(
    url: str, api: Api = "openai", timeout_s: float = LAST_RESORT_S, secret: str | None = None
) -> AsyncIterator[Caller]:
    """Whoever makes calls to this server."""
    pool = ConnectionPool(url, connect_s=10.0)
    try:
        yield Caller(pool, partial(reader_of, api), timeout_s, secret)
    finally:
        pool.close()


async def asked(caller: Caller, number: int = 1, api: Api = "openai") -> MeasuredCall:
    """One call of `fast`, begun now."""
    request = request_of(api, ({"role": "user", "content": "こんにちは"},), "fast", 32, None)
    return await caller.call(number, request, perf_counter())


async def answered(script: Answer, api: Api = "openai", secret: str | None = None) -> MeasuredCall:
    """The only call to an engine that answers like this."""
    async with running_engine(script) as engine, calling(engine.url, api, secret=secret) as caller:
        return await asked(caller, api=api)


def failure_of(made: MeasuredCall) -> Failure:
    assert made.failure is not None
    return made.failure


@pytest.mark.anyio
async def test_the_watch_stops_first_at_the_first_output_and_then_at_the_end() -> None:
    made = await answered(Chat([f"語{n}" for n in range(11)], prefill_s=PREFILL_S, gap_s=GAP_S))
    assert made.failure is None
    assert (made.number, made.output_tokens, made.tokens_told, made.prompt_tokens) == (1, 11, True, 7)
    assert (made.chars, made.finish_reason, made.served_model) == (23, "stop", "scripted")
    assert made.ttft_s is not None
    assert made.started_s >= 0
    # A busy machine can only be late: what was waited for is never measured shorter.
    assert PREFILL_S * 0.9 <= made.ttft_s < PREFILL_S + 60
    assert made.ttft_s + 10 * GAP_S * 0.9 <= made.total_s


@pytest.mark.anyio
async def test_a_call_tells_when_it_began_within_its_models_measurement() -> None:
    async with running_engine() as engine, calling(engine.url) as caller:
        request = request_of("openai", ({"role": "user", "content": "x"},), None, 8, None)
        made = await caller.call(3, request, perf_counter() - 100)
    assert made.number == 3
    assert 100 <= made.started_s < 100 + LAST_RESORT_S


@pytest.mark.anyio
async def test_a_server_that_does_not_count_has_its_deltas_counted() -> None:
    made = await answered(sse([b"data: a\n\n", b"data: bc\n\n", b"data: [DONE]\n\n"]), "generate_stream")
    assert (made.failure, made.output_tokens, made.tokens_told, made.chars) == (None, 2, False, 3)


@pytest.mark.anyio
async def test_a_stream_that_is_left_open_after_its_end_costs_only_its_connection() -> None:
    script = sse([b"data: x\n\n", b"data: [DONE]\n\n"], last=[NEVER_S])
    async with running_engine(script) as engine, calling(engine.url, "generate_stream") as caller:
        made = [await asked(caller, number, "generate_stream") for number in (1, 2)]
    assert [each.failure for each in made] == [None, None]
    assert all(each.total_s < NEVER_S for each in made)
    assert len(engine.requests) == 2
    assert engine.accepted >= 2  # one each; a gateway of another test may look for an engine that had this port before


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("script", "reason", "detail"),
    [
        (error(503, "queue full"), "status_503", "queue full"),
        (error(429, "slow down", {"retry-after": "1"}), "status_429", "slow down"),
        (answer(b"<h1>Bad gateway</h1>", 502), "status_502", "<h1>Bad gateway</h1>"),
        (cut_mid_frame(), "broken", "closed before the answer was complete"),
        (CLOSE_BEFORE_HEADERS, "broken", ""),
        (RESET_BEFORE_HEADERS, "broken", ""),
        (GARBAGE, "broken", ""),
        (error_then_done(), "error_event", "EngineCore encountered an issue."),
        (answer({"choices": [{"message": {"content": "whole"}}]}), "not_a_stream", ""),
        (Chat([], finish_reason="stop"), "empty", ""),
        (Chat(["x"], finish_reason=None, done=False), "cut", ""),
        (Chat(["x"], finish_reason="abort"), "aborted", "finish_reason abort"),
        ([head(headers=SSE), body(b"data: {oops\n\n"), end], "bad_event", "{oops"),
        ([head(headers=SSE), body(b"data: x\n\n"), cut], "bad_event", "x"),
    ],
)
async def test_each_way_to_fail_is_counted_under_its_name(script: Answer, reason: str, detail: str) -> None:
    failure = failure_of(await answered(script))
    assert failure.reason == reason
    assert detail in failure.detail


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("script", "detail"),
    [([NEVER_S], SILENT), (HEADERS_THEN_SILENCE, SILENT), (silent_mid_stream(), "in the middle of the answer")],
)
async def test_a_call_that_takes_too_long_is_given_up(script: Answer, detail: str) -> None:
    async with running_engine(script) as engine, calling(engine.url, timeout_s=0.3) as caller:
        made = await asked(caller)
        await asyncio.wait_for(engine.abandoned.wait(), LAST_RESORT_S)
    assert failure_of(made) == Failure("timeout", detail)
    assert made.total_s >= 0.3 * 0.9
    assert (made.ttft_s is None) is (detail == SILENT)


@pytest.mark.anyio
async def test_a_port_that_refuses_or_never_answers_is_no_connection() -> None:
    async with running_engine() as engine:
        await engine.refuse()
        async with calling(engine.url) as caller:
            made = await asked(caller)
    assert failure_of(made) == Failure("connect", "Connection refused")
    assert (made.ttft_s, made.output_tokens) == (None, 0)
    with unanswered_port() as url:
        async with calling(url, timeout_s=0.3) as caller:
            assert failure_of(await asked(caller)).reason == "timeout"


@pytest.mark.anyio
async def test_a_server_that_repeats_the_key_does_not_put_it_into_the_result() -> None:
    secret = "sk-secret-0123456789"
    made = await answered(error(401, f"wrong key: {secret}\x1b[31m\nreally"), secret=secret)
    assert failure_of(made).detail == "wrong key: *** [31m really"


@pytest.mark.anyio
async def test_a_call_whose_connection_dies_under_it_is_not_sent_twice() -> None:
    async with running_engine(Chat(framing="length")) as engine, calling(engine.url) as caller:
        engine.stale = [cut]
        made = [await asked(caller, number) for number in (1, 2)]
    assert made[0].failure is None
    assert failure_of(made[1]).reason == "broken"
    assert engine.accepted == 1


class CrossedPool(ConnectionPool):
    """The engine closes each kept connection in the moment in which a request leaves on it."""

    async def send(self, request: UpstreamRequest, *, fresh: bool = False, **limits: Any) -> Exchange:
        if not fresh:
            raise gone_stale()
        return await super().send(request, fresh=True, **limits)


@pytest.mark.anyio
async def test_a_request_that_the_server_has_not_seen_is_sent_again_on_a_fresh_connection() -> None:
    async with running_engine() as engine:
        pool = CrossedPool(engine.url, connect_s=10.0)
        made = await asked(Caller(pool, partial(reader_of, "openai"), 20.0, None))
        pool.close()
    assert made.failure is None
    assert len(engine.requests) == 1


def test_time_per_token_is_what_follows_the_first_output_shared_by_the_tokens_after_the_first() -> None:
    assert call(total_s=1.0, ttft_s=0.2, output_tokens=9).tpot_s == pytest.approx(0.1)


@pytest.mark.parametrize("tokens", [0, 1])
def test_an_answer_of_one_token_has_no_time_per_token(tokens: int) -> None:
    assert call(output_tokens=tokens).tpot_s is None


def test_an_answer_that_came_all_at_once_or_not_at_all_took_no_time_to_write() -> None:
    for ttft_s in (None, 1.0):
        made = call(total_s=1.0, ttft_s=ttft_s)
        assert (made.decode_s, made.tpot_s) == (None, None)


@given(SECONDS, SECONDS, st.integers(2, 10_000))
def test_first_output_and_the_tokens_after_it_make_up_the_whole(ttft_s: float, rest_s: float, tokens: int) -> None:
    made = call(total_s=ttft_s + rest_s, ttft_s=ttft_s, output_tokens=tokens)
    if made.tpot_s is None:
        assert made.total_s == ttft_s
    else:
        assert ttft_s + made.tpot_s * (tokens - 1) == pytest.approx(made.total_s)
