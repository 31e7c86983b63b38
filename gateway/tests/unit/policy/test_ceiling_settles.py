"""The rule on engines with a true batch (`bench.batching`): one key with endless calls, and a bot that asks every second.
It settles, the engine's own queue stays empty, and as many tokens come out as with the best number that could be set.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from functools import cache

import pytest
from bench.batching import Batch, Sequence, Shape

from hayate.policy.ceiling import Ceiling, Load

BY_PLACES = Shape(max_num_seqs=64)
BY_A_FEW_PLACES = Shape(max_num_seqs=4)
BY_ITS_CACHE = Shape(max_num_seqs=256, kv_tokens=24_000)
SETTLED_S, WHOLE_S = 40.0, 160.0
BOT_SHARE = 4
"""A key below half its share: of two keys, below a quarter of all places."""
SEED = 20261129


@dataclass
class Seen:
    """What came of a run, from when it had settled on."""

    tokens: int
    waiting: list[int]
    """In the engine's own queue, ten times a second."""
    ttft_s: list[float]
    """Of the bot's calls."""

    def quiet(self) -> float:
        """For how much of the time the engine's queue was as good as empty."""
        return sum(each <= 1 for each in self.waiting) / len(self.waiting)


class World:
    """An engine and the gateway before it, in a time of their own."""

    def __init__(self, shape: Shape, ceiling: Ceiling) -> None:
        self.batch, self.ceiling = Batch(shape), ceiling
        self.random = random.Random(SEED)
        self.now, self.bot_at, self.look_at, self.sample_at = 0.0, 0.5, 1.0, 0.1
        self.bots: deque[float] = deque()
        self.mine: dict[Sequence, float | None] = {}
        """The sequences under way; of a bot's, when it was asked."""
        self.seen = Seen(0, [], [])

    def about(self, mean: int) -> int:
        return int(mean * self.random.uniform(0.7, 1.3))

    def let_in(self) -> None:
        """The bot while it has less than its share, on a spare place too; the others on what is left."""
        places, spare = self.ceiling.places, self.ceiling.spare
        while self.bots:
            own = sum(asked is not None for asked in self.mine.values())
            room = spare if own < max(1, places // BOT_SHARE) else 0
            if len(self.mine) >= places + room:
                break
            self.start(Sequence(120, 60), self.bots.popleft())
        while len(self.mine) < places:
            self.start(Sequence(self.about(600), self.about(400)), None)

    def start(self, sequence: Sequence, asked: float | None) -> None:
        self.mine[sequence] = asked
        self.batch.add(sequence)

    def step(self) -> None:
        self.let_in()
        took_s = self.batch.begin()
        assert took_s is not None
        self.now += took_s
        while self.bot_at <= self.now:
            self.bots.append(self.bot_at)
            self.bot_at += 1.0
        while self.sample_at <= self.now:
            self.seen.waiting.append(len(self.batch.waiting))
            self.sample_at += 0.1
        for sequence in self.batch.end():
            self.seen.tokens += 1
            asked = self.mine[sequence]
            if asked is not None and sequence.produced == 1:
                self.seen.ttft_s.append(self.now - asked)
            if sequence.finished:
                del self.mine[sequence]
        if self.now >= self.look_at:
            self.look_at += 1.0
            if self.ceiling.matters(len(self.mine), 500):
                batch = self.batch
                load = Load(len(batch.running), len(batch.waiting), batch.kv_use)
                self.ceiling.look(self.now, load, len(self.mine), 500)

    def run(self, until_s: float) -> Seen:
        """What was seen since the run before."""
        self.seen = Seen(0, [], [])
        while self.now < until_s:
            self.step()
        return self.seen


def settled(shape: Shape, ceiling: Ceiling) -> Seen:
    world = World(shape, ceiling)
    world.run(SETTLED_S)
    return world.run(WHOLE_S)


@cache
def best(shape: Shape) -> int:
    """The tokens of the best fixed number."""
    found = []
    for number in (shape.max_num_seqs, 24, 28, 32):
        ceiling = Ceiling()
        ceiling.configure(number)
        found.append(settled(shape, ceiling).tokens)
    return max(found)


@pytest.mark.parametrize("shape", [BY_PLACES, BY_A_FEW_PLACES, BY_ITS_CACHE])
def test_the_engines_queue_stays_empty_and_as_much_comes_out(shape: Shape) -> None:
    ceiling = Ceiling()
    ceiling.configure("auto")
    seen = settled(shape, ceiling)
    assert seen.quiet() >= 0.95
    assert seen.tokens >= 0.93 * best(shape)
    assert ceiling.places <= shape.max_num_seqs + 1


@pytest.mark.parametrize("shape", [BY_PLACES, BY_ITS_CACHE])
def test_the_bot_is_answered_at_once(shape: Shape) -> None:
    ceiling = Ceiling()
    ceiling.configure("auto")
    seen = settled(shape, ceiling)
    assert sorted(seen.ttft_s)[int(len(seen.ttft_s) * 0.95)] < 0.33


def test_it_follows_an_engine_that_comes_back_with_other_bounds() -> None:
    ceiling = Ceiling()
    ceiling.configure("auto")
    world = World(BY_PLACES, ceiling)
    found = []
    for places in (64, 16, 64):
        world.batch = Batch(Shape(max_num_seqs=places))
        world.mine.clear()
        world.run(world.now + 75.0)
        found.append(ceiling.places)
    assert all(places - 3 <= each <= places + 1 for each, places in zip(found, (64, 16, 64), strict=True)), found
