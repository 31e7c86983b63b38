"""The queue's policy and the batching engine in simulated time: hours in seconds, and the same each time.

The gate, its lanes and the ceiling are the gateway's own; what is between them and the engine, sockets and processes, takes no time
here. Whatever comes out is what the policy does, not what a machine makes of it.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from bench.batching import Batch, Shape
from bench.batching import Sequence as Running

from hayate.policy.admission import Gate
from hayate.policy.ceiling import Ceiling, Load
from hayate.policy.lanes import OUTPUT_UNITS, Lanes
from hayate.policy.places import Place

FIRST_GUESS = 256
"""Tokens of an answer, before a key has had one."""


@dataclass
class Key:
    """One key, what its calls are (tokens of a prompt and of its answer, in the mean), and what came of them."""

    name: str
    prompt: int
    answer: int
    weight: int = 1
    low: bool = False
    spread: float = 0.5
    """How far an answer may be from the mean, in terms of it."""
    waits_s: list[float] = field(default_factory=list)
    ttfts_s: list[float] = field(default_factory=list)
    tokens: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """In each second."""
    expected: float = FIRST_GUESS
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    def wish(self) -> tuple[int, int]:
        """A prompt and an answer. They differ, as people's do: alike, all would end at once, again and again."""
        scale = self.dice.uniform(1 - self.spread, 1 + self.spread)
        return max(1, round(self.prompt * scale)), max(1, round(self.answer * scale))

    def between(self, first_s: int, end_s: int) -> int:
        return sum(self.tokens[second] for second in range(first_s, end_s))


class _Call(Running):
    """A call, as the engine knows it and as its key does."""

    __slots__ = ("again", "key", "let_in_s", "place", "sent_s")

    def __init__(self, key: Key, sent_s: float, *, again: bool) -> None:
        super().__init__(*key.wish())
        self.key = key
        self.sent_s = sent_s
        self.let_in_s = 0.0
        self.again = again
        self.place: Place[_Call] | None = None


class Simulation:
    """One engine, one gate, one ceiling."""

    def __init__(self, shape: Shape, places: int | None = None) -> None:
        self.now = 0.0
        self.batch = Batch(shape)
        self.ceiling = Ceiling()
        self.ceiling.configure("auto" if places is None else places)
        self.gate: Gate[_Call] = Gate(Lanes(), self.ceiling.places, 100_000, self.ceiling.spare)
        self.busy_s = self.crowded_s = 0.0
        self.history: list[tuple[float, int, str]] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._stepping = False
        self._load = Load(0, 0, 0.0)
        self._at(1.0, self._look)

    def crowd(self, key: Key, callers: int) -> None:
        """So many who ask again when they have been answered."""
        for _ in range(callers):
            self._at(self.now, lambda: self._ask(key, again=True))

    def every(self, key: Key, pause_s: float, times: int) -> None:
        """Asks as regularly as a clock."""
        for number in range(times):
            self._at(self.now + number * pause_s, lambda: self._ask(key, again=False))

    def run(self, until_s: float) -> None:
        """Lets time pass."""
        while self._events and self._events[0][0] <= until_s:
            self.now, _, what = heapq.heappop(self._events)
            what()
        self.now = until_s

    def _at(self, when_s: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when_s, next(self._numbers), what))

    def _ask(self, key: Key, *, again: bool) -> None:
        call = _Call(key, self.now, again=again)
        lane = self.gate.lanes.of(key.name, key.weight, self.now, low=key.low)
        call.place = place = Place(lane, call.prompt, round(key.expected), self.now, call)
        if self.gate.try_enter(place):
            self._dispatch(call)
            return
        assert self.gate.enter(place) is None
        if not self.gate.waits(place):
            self._dispatch(call)

    def _dispatch(self, call: _Call) -> None:
        call.let_in_s = self.now
        call.key.waits_s.append(self.now - call.sent_s)
        self.batch.add(call)
        if not self._stepping:
            self._stepping = True
            self._begin()

    def _begin(self) -> None:
        took_s = self.batch.begin()
        waiting = len(self.batch.waiting)
        self._load = Load(len(self.batch.running), waiting, self.batch.kv_use)
        if took_s is None:
            self._stepping = False
            return
        self.busy_s += took_s
        self.crowded_s += took_s * (waiting > 1)
        self._at(self.now + took_s, self._end)

    def _end(self) -> None:
        second = int(self.now)
        ended = []
        for each in self.batch.end():
            assert isinstance(each, _Call)
            each.key.tokens[second] += 1
            if each.produced == 1:
                each.key.ttfts_s.append(self.now - each.sent_s)
            assert each.place is not None
            each.place.made(each.produced)
            if each.finished:
                ended.append(each)
        for call in ended:
            self._leave(call)
        self._begin()

    def _leave(self, call: _Call) -> None:
        key = call.key
        key.expected += 0.2 * (call.answer - key.expected)
        assert call.place is not None
        following = self.gate.leave(call.place, call.prompt + OUTPUT_UNITS * call.answer, self.now)
        if following is not None and following.waiter is not None:
            self._dispatch(following.waiter)
        if call.again:
            self._ask(key, again=True)

    def _look(self) -> None:
        gate, ceiling = self.gate, self.ceiling
        if ceiling.matters(gate.in_flight, gate.queued):
            ceiling.look(self.now, self._load, gate.in_flight, gate.queued)
            self.history.append((self.now, ceiling.places, ceiling.why))
            for place in gate.resize(ceiling.places, gate.max_queued, ceiling.spare, self.now):
                if place.waiter is not None:
                    self._dispatch(place.waiter)
        self._at(self.now + 1.0, self._look)


def worst_share(keys: Sequence[Key], first_s: int, end_s: int, window_s: int = 60) -> float:
    """How far from its fair share any key was in any window of that time, in terms of the share."""
    weights, worst = sum(key.weight for key in keys), 0.0
    for begin in range(first_s, end_s - window_s + 1):
        got = [key.between(begin, begin + window_s) for key in keys]
        worst = max(
            worst, *(abs(each / sum(got) * weights / key.weight - 1) for each, key in zip(got, keys, strict=True))
        )
    return worst
