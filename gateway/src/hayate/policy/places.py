"""A call's place at a deployment, or its wait for one, and the queue of one lane. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Generic, TypeVar

from hayate.policy.lanes import OUTPUT_UNITS, Lane

Waiter = TypeVar("Waiter")

GROWN_TOKENS: Final = 64
"""An answer that is longer than expected is charged in such steps."""


class Place(Generic[Waiter]):
    """One call's place, or its wait for one."""

    __slots__ = ("charged", "in_since", "lane", "number", "output", "prompt", "since", "waiter")

    def __init__(self, lane: Lane, prompt: int, output: int, now: float, waiter: Waiter | None = None) -> None:
        self.lane = lane
        self.prompt = prompt
        """Tokens that are expected of the prompt, one at least, and `output` of the answer."""
        self.output = output
        self.charged = prompt + OUTPUT_UNITS * output
        self.since = now
        self.number: int
        """Among those that have waited in its lane at the gate, once it does (`Queue.add`)."""
        self.in_since = now
        """When it was let in."""
        self.waiter = waiter
        """Whom to tell."""

    def made(self, tokens: int) -> None:
        """The answer has so many tokens already: what is beyond the expected is charged now (2)."""
        more = tokens - self.output
        if more >= GROWN_TOKENS:
            self.output = tokens
            self.charged += OUTPUT_UNITS * more
            self.lane.charge(OUTPUT_UNITS * more, OUTPUT_UNITS * more)


class Queue(Generic[Waiter]):
    """What waits of one lane at one gate."""

    __slots__ = ("came", "places", "units")

    def __init__(self) -> None:
        self.came = 0
        """How many ever."""
        self.places: OrderedDict[Place[Waiter], None] = OrderedDict()
        self.units = 0

    def add(self, place: Place[Waiter]) -> None:
        """Puts a place at the end, with its number."""
        self.came = place.number = self.came + 1
        self.places[place] = None
        self.units += place.charged

    def take(self, place: Place[Waiter]) -> None:
        """Out of it, wherever it is. Raises KeyError for one that is not there."""
        del self.places[place]
        self.units -= place.charged
