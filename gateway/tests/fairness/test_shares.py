"""FAIRNESS: whoever always has calls waiting gets its share of all tokens, however long its answers are.

The engine's clock is five times as fast: a minute of its time is twelve seconds. A prompt is as long as its answer, so that a share
of the tokens that are written is the same share of all work.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fairness.callers import Crowd, chats, shares, told, worst_share
from tests.fairness.stands import Stand, engines, samples, stand
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio
SPEED = 5
MINUTE_S = 60 / SPEED
FAR_FROM_CALLS = 0.6, 1.6
"""By calls it would be 4 in place of 1, and 0.25. On a busy machine those with short answers don't always have one that waits."""
SETTLING_S, MEASURED_S = 40.0, 36.0
"""All that begin together end together, and it takes some minutes of the engine until they are mixed."""
PLACES, CALLERS = 64, 120
EVENT_TOKENS = 8
"""In an event of a stream (`vllm serve --stream-interval`): 12,000 tokens a second are no small matter for two processors."""
OFF = 0.05
CROWDS = {
    "short, middle and long answers": [(1, 30), (1, 120), (1, 480)],
    "weights of 1 and 5": [(1, 120), (5, 120)],
}
"""Of each key: its weight, and the tokens of a prompt and of its answer."""


async def crowds(gateway: Stand, kinds: list[tuple[int, int]], callers: int, **more: Any) -> list[Crowd]:
    """A crowd for each key, all of them there."""
    found = []
    for number, (weight, tokens) in enumerate(kinds):
        _, key = await gateway.key(f"{number}", weight)
        found.append(Crowd(gateway.url, key, chats(tokens, tokens), bucket_s=MINUTE_S / 60, **more))
    await asyncio.gather(*(each.gather(callers) for each in found))
    return found


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.parametrize("kinds", CROWDS.values(), ids=CROWDS)
async def test_in_any_minute_a_key_with_calls_waiting_gets_its_share(
    tmp_path: Path, kinds: list[tuple[int, int]]
) -> None:
    weights = [weight for weight, _ in kinds]
    with engines(tmp_path, 1, max_num_seqs=PLACES, speed=SPEED, stream_interval=EVENT_TOKENS) as (engine,):
        async with stand(engine, max_in_flight=PLACES) as gateway:
            found = await crowds(gateway, kinds, CALLERS)
            await asyncio.sleep(SETTLING_S)
            began = time.monotonic()
            await asyncio.sleep(MEASURED_S)
            ended = time.monotonic()
            late_s = (await samples(engine))["stub:late_seconds_total"]
            for each in found:
                await each.leave()
    parts = shares(found, began, ended)
    worst = worst_share(found, weights, began, ended, MINUTE_S)
    figures = {f"share_{number}": part for number, part in enumerate(parts)}
    print(told("shares", **figures, worst_minute=worst, late_s=late_s))
    assert not any(each.errors for each in found)
    assert worst <= OFF


@pytest.mark.parametrize("kinds", [[(1, 32), (1, 128)], [(1, 128), (3, 32)]], ids=["alike", "weights of 1 and 3"])
async def test_keys_get_tokens_by_their_weights_and_not_by_their_calls(
    tmp_path: Path, kinds: list[tuple[int, int]]
) -> None:
    with engines(tmp_path, 1, max_num_seqs=8, speed=40, stream_interval=8) as (engine,):
        async with stand(engine, max_in_flight=8) as gateway:
            lighter, heavier = await crowds(gateway, kinds, 20)
            answered = [each.seen for each in (lighter, heavier)]
            await eventually(lambda: all(len(each) >= 8 for each in answered))
            before = [sum(each.tokens.values()) for each in (lighter, heavier)]
            await eventually(lambda: sum(lighter.tokens.values()) - before[0] >= 5000)
            got = [sum(each.tokens.values()) - then for each, then in zip((lighter, heavier), before, strict=True)]
            for each in lighter, heavier:
                await each.leave()
    assert not lighter.errors + heavier.errors
    fair = kinds[1][0] / kinds[0][0]
    assert FAR_FROM_CALLS[0] * fair <= got[1] / got[0] <= FAR_FROM_CALLS[1] * fair
