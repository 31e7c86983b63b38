"""FAIRNESS: how many calls an engine gets at once is found from its own signals, and is hardly worse than the best number.

Equal engines run side by side, in the same minute and with the same load: one behind `max_in_flight: auto`, the others behind
numbers. What counts as the best is the best of these.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fairness.callers import Crowd, chats, told
from tests.fairness.stands import engines, samples, stand

pytestmark = pytest.mark.anyio
AUTO = "scripted"
SETTLING_S, MEASURED_S = 60.0, 60.0
CALLERS = 100
LEAST_THROUGHPUT = 0.93
MOST_CROWDED = 0.05
STEPS = {"step_s": 0.024, "sequence_s": 0.000_3, "token_s": 0.000_1}
"""Half as fast as a large GPU, so that six of them are no work for the machine."""


@dataclass(frozen=True)
class Bound:
    """What bounds an engine, and the numbers that are tried."""

    engine: dict[str, float]
    prompt: int
    answer: int
    sweep: tuple[int, ...]


BOUNDS = {
    "by its sequences": Bound({"max_num_seqs": 32}, 300, 200, (16, 24, 28, 32, 40)),
    "by its KV cache": Bound({"max_num_seqs": 256, "kv_tokens": 12_800}, 300, 300, (16, 20, 24, 28, 36)),
}


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
async def test_the_ceiling_keeps_the_engines_queue_empty_and_the_engine_busy(tmp_path: Path, bound: Bound) -> None:
    with engines(tmp_path, 1 + len(bound.sweep), **bound.engine, **STEPS) as urls:
        others = {
            f"fixed-{places}": {"max_in_flight": places, "replicas": [url]}
            for places, url in zip(bound.sweep, urls[1:], strict=True)
        }
        async with stand(urls[0], others=others) as gateway:
            _, key = await gateway.key("batch")
            names = [AUTO, *others]
            crowds = [Crowd(gateway.url, key, chats(bound.prompt, bound.answer, model=name)) for name in names]
            await asyncio.gather(*(each.gather(CALLERS) for each in crowds))
            await asyncio.sleep(SETTLING_S)
            began, before = time.monotonic(), [await samples(url) for url in urls]
            await asyncio.sleep(MEASURED_S)
            ended, after = time.monotonic(), [await samples(url) for url in urls]
            for each in crowds:
                await each.leave()
    grown = [{name: now[name] - then[name] for name in now} for then, now in zip(before, after, strict=True)]
    crowded = [each["stub:crowded_seconds_total"] / each["stub:seconds_total"] for each in grown]
    rates = [each.between(began, ended) / (ended - began) for each in crowds]
    for name, rate, share, more in zip(names, rates, crowded, grown, strict=True):
        preempted, late_s = more["vllm:num_preemptions_total"], more["stub:late_seconds_total"]
        print(told(name, tokens_per_s=rate, crowded=share, preempted=preempted, late_s=late_s))
    assert not any(each.errors for each in crowds)
    assert crowded[0] <= MOST_CROWDED
    assert rates[0] >= LEAST_THROUGHPUT * max(rates[1:])
