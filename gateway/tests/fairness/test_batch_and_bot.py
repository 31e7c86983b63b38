"""FAIRNESS: one key has 500 calls waiting, and a bot that asks once a second does not notice.

The engine is a model of a batch that runs beside the tests (`bench.batching_engine`), the gateway a real one. First come, first
served is measured in the same minute: the same load goes straight to an equal engine, whose own queue is just that.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.fairness.callers import Crowd, chats, percentile, told
from tests.fairness.stands import engines, samples, stand
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio
LONG = chats(600, 400)
SHORT = chats(120, 60)
WAITING = 500
SETTLING_S = 45.0
ASKED = 60
MOST_WAIT_S = 0.150
MOST_MORE_S = 0.300
LEAST_THROUGHPUT = 0.95


@pytest.mark.slow
@pytest.mark.timed
async def test_a_bot_hardly_waits_beside_500_waiting_calls_and_the_engine_does_as_much_as_ever(tmp_path: Path) -> None:
    with engines(tmp_path, 2) as (behind, direct):
        async with stand(behind) as gateway:
            (_, batch_key), (_, alone_key), (bot_id, bot_key) = [
                await gateway.key(name) for name in ("batch", "alone", "bot")
            ]
            alone = Crowd(gateway.url, alone_key, SHORT)
            await alone.every(0.5, 20)
            batch, first_come = Crowd(gateway.url, batch_key, LONG), Crowd(direct, None, LONG)
            await asyncio.gather(batch.gather(WAITING + 64), first_come.gather(WAITING + 64))
            await asyncio.sleep(SETTLING_S)
            bot = Crowd(gateway.url, bot_key, SHORT)
            began = time.monotonic()
            await bot.every(1.0, ASKED)
            ended = time.monotonic()
            waits = await gateway.waits_s(bot_id, ASKED)
            late = [(await samples(engine))["stub:late_seconds_total"] for engine in (behind, direct)]
            fair = batch.between(began, ended) + bot.between(began, ended)
            unfair = first_come.between(began, ended)
            for crowd in batch, first_come:
                await crowd.leave()
    figures = {
        "wait_p95_s": percentile(waits, 0.95),
        "alone_ttft_p95_s": percentile([each.ttft_s for each in alone.seen], 0.95),
        "ttft_p95_s": percentile([each.ttft_s for each in bot.seen], 0.95),
        "tokens_per_s": fair / (ended - began),
        "first_come_tokens_per_s": unfair / (ended - began),
        "late_s": max(late),
    }
    print(told("a bot beside 500 waiting calls", **figures))
    assert not any(each.errors for each in (batch, bot, alone, first_come))
    assert len(bot.seen) == ASKED
    assert figures["wait_p95_s"] <= MOST_WAIT_S
    assert figures["ttft_p95_s"] <= figures["alone_ttft_p95_s"] + MOST_MORE_S
    assert fair >= LEAST_THROUGHPUT * unfair


async def test_a_call_of_a_key_that_has_nothing_there_is_answered_before_those_that_wait_already(
    tmp_path: Path,
) -> None:
    with engines(tmp_path, 1, max_num_seqs=4, speed=2) as (engine,):
        async with stand(engine, max_in_flight=4) as gateway:
            (_, batch_key), (_, bot_key) = [await gateway.key(name) for name in ("batch", "bot")]
            batch, bot = Crowd(gateway.url, batch_key, chats(60, 100)), Crowd(gateway.url, bot_key, chats(20, 5))
            await batch.gather(60)
            await eventually(lambda: len(batch.seen) >= 4)
            for _ in range(3):
                before, answered = len(batch.seen), len(bot.seen)
                await bot.ask()
                await eventually(lambda: len(bot.seen) > answered)  # noqa: B023
                assert len(batch.seen) - before < 30  # in order of arrival it would be 56
            await batch.leave()
    assert not batch.errors + bot.errors
