"""FAIRNESS: the policy by itself, in simulated time, held to the figures that the gateway is held to on a real clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from bench.batching import Shape

from tests.fairness.callers import percentile
from tests.fairness.simulation import Key, Simulation, worst_share


@dataclass(frozen=True)
class Outcome:
    """Of a batch of 500 waiting calls, and a bot that asks once a second beside it."""

    bot: Key
    tokens: int


def batch_and_bot(places: int | None) -> Outcome:
    """First come, first served is what an engine does that gets all calls at once."""
    simulation, batch, bot = Simulation(Shape(), places), Key("batch", 600, 400), Key("bot", 120, 60)
    simulation.crowd(batch, 564)
    simulation.run(45)
    simulation.every(bot, 1.0, 240)
    simulation.run(285)
    return Outcome(bot, batch.between(45, 285) + bot.between(45, 285))


def test_a_bot_hardly_waits_beside_a_batch_and_the_engine_does_as_much_as_ever() -> None:
    fair, first_come = batch_and_bot(None), batch_and_bot(10_000)

    assert percentile(fair.bot.waits_s, 0.95) <= 0.150
    assert percentile(fair.bot.ttfts_s, 0.95) <= 0.330
    assert percentile(first_come.bot.ttfts_s, 0.95) > 60
    assert fair.tokens >= 0.95 * first_come.tokens


@pytest.mark.parametrize(
    "kinds",
    [[(1, 30), (1, 120), (1, 480)], [(1, 120), (5, 120)], [(1, 480), (5, 60)]],
    ids=["equal", "1:5", "long 1:5"],
)
def test_in_any_minute_a_key_with_calls_waiting_gets_its_share(kinds: list[tuple[int, int]]) -> None:
    simulation = Simulation(Shape(max_num_seqs=16), 16)
    keys = [Key(f"{number}", tokens, tokens, weight) for number, (weight, tokens) in enumerate(kinds)]
    for key in keys:
        simulation.crowd(key, 60)
    simulation.run(360)

    assert worst_share(keys, 60, 360) <= 0.05


SLOWER = Shape(step_s=0.024, token_s=0.000_1, sequence_s=0.000_3)
BOUNDS = {
    "by its sequences": (replace(SLOWER, max_num_seqs=32), 300, 200, (24, 28, 32, 40)),
    "by its KV cache": (replace(SLOWER, max_num_seqs=256, kv_tokens=12_800), 300, 300, (20, 24, 26, 28, 36)),
    "by its KV cache, longer": (replace(SLOWER, max_num_seqs=256, kv_tokens=20_000), 600, 400, (20, 22, 24, 26, 36)),
}


@pytest.mark.parametrize(("shape", "prompt", "answer", "sweep"), BOUNDS.values(), ids=BOUNDS)
def test_the_ceiling_keeps_the_engines_queue_empty_and_the_engine_busy(
    shape: Shape, prompt: int, answer: int, sweep: tuple[int, ...]
) -> None:
    tokens, crowded = [], []
    for places in (None, *sweep):
        simulation, key = Simulation(shape, places), Key("batch", prompt, answer)
        simulation.crowd(key, 100)
        simulation.run(60)
        busy_s, crowded_s = simulation.busy_s, simulation.crowded_s
        simulation.run(240)
        tokens.append(key.between(60, 240))
        crowded.append((simulation.crowded_s - crowded_s) / (simulation.busy_s - busy_s))

    assert crowded[0] <= 0.05
    assert tokens[0] >= 0.93 * max(tokens[1:])
