"""FAIRNESS: real llama.cpp with four slots. Whoever asks seldom waits for one answer under way at most, not for all that wait.

First come, first served is llama.cpp itself: the same calls go straight to it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.engines.launch import EngineProcess, running_llamacpp
from tests.fairness.callers import Crowd, percentile, told
from tests.fairness.stands import stand
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio
SLOTS = 4
WAITING = 100
TEXT = b'"content":"'
"""Once in each token of llama.cpp's."""


def story(tokens: int) -> dict[str, Any]:
    """As many tokens as that, whatever the model says."""
    return {
        "messages": [{"role": "user", "content": "むかしむかし、あるところに"}],
        "stream": True,
        "max_tokens": tokens,
        "temperature": 0,
        "ignore_eos": True,
    }


STORIES = [story(tokens) for tokens in range(100, 301, 20)]
QUESTION = [story(4)]


async def waits(
    engine: EngineProcess, url: str, batch_key: str | None, bot_key: str | None, times: int
) -> dict[str, Any]:
    """What the bot waits beside the batch, and how long the batch's answers took."""
    batch = Crowd(url, batch_key, STORIES, mark=TEXT, keeps=False)
    bot = Crowd(url, bot_key, QUESTION, mark=TEXT)
    await batch.gather(WAITING)
    await eventually(lambda: len(batch.seen) >= 2 * SLOTS)
    for _ in range(times):
        asked = len(bot.seen)
        await bot.ask()
        await eventually(lambda: len(bot.seen) > asked)  # noqa: B023
        await asyncio.sleep(0.05)
    await batch.leave()
    await eventually(engine.idle)
    assert not batch.errors + bot.errors
    return {
        "bot": [each.ttft_s for each in bot.seen],
        "answers": [each.ended_s - each.first_s for each in batch.seen],
    }


@pytest.mark.slow
@pytest.mark.timed
async def test_a_bot_waits_for_one_answer_at_most_and_not_for_the_whole_batch(tmp_path: Path) -> None:
    with running_llamacpp(tmp_path, context_tokens=1024, slots=SLOTS) as engine:
        first_come = await waits(engine, engine.url, None, None, 4)
        async with stand(engine.url, backend="llamacpp", model=engine.model) as gateway:
            (_, batch_key), (bot_id, bot_key) = [await gateway.key(name) for name in ("batch", "bot")]
            fair = await waits(engine, gateway.url, batch_key, bot_key, 40)
            waited_s = await gateway.waits_s(bot_id, 40)
    figures = {
        "wait_p95_s": percentile(waited_s, 0.95),
        "wait_max_s": max(waited_s),
        "ttft_p95_s": percentile(fair["bot"], 0.95),
        "longest_answer_s": max(fair["answers"]),
        "first_come_ttft_p50_s": percentile(first_come["bot"], 0.5),
        "first_come_ttft_min_s": min(first_come["bot"]),
    }
    print(told("a bot beside 100 calls on four slots of llama.cpp", **figures))
    assert figures["wait_max_s"] <= figures["longest_answer_s"]
    assert figures["ttft_p95_s"] < figures["first_come_ttft_min_s"] / 10
