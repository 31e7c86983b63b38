"""When the open loop's calls are made: all of it is known before the first, and the same for every contender.

Calls arrive as those of many callers who know nothing of one another do (a Poisson process), whatever became of those before. That
is the point: a client that waits for its answers asks less of whoever is slow, and so doesn't see what its other users would have
(coordinated omission). Streams that had begun earlier are there from the start, so that no time is spent on filling up.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.open_parts import FIRST_S, INTERVAL_S, LONGEST

SEED = 20_261_129
SHORTEST = 64
PLAIN_SHARE = 0.2
"""Plain calls beside the streams, as a share of the calls a second."""
PER_S = "/s"
"""How the name of a schedule ends whose calls come at a rate."""
FILLING_S, SETTLING_S = 3.0, 1.0
ENDING_S = 0.5
"""How long after the counting whatever is still open goes on: all of it ends at once then, and nothing of that may be counted."""
HERDS = (64, 256)
HERD_TOKENS = 16
HERD_GAP_S = 1.5
FILLED_PER_S = 250.0
"""How fast standing streams are opened: they have to be there, and nobody's opening of them is measured."""
MEAN = (SHORTEST + LONGEST) / 2


@dataclass(frozen=True, slots=True)
class Planned:
    """One call. `group` is what it is counted under; nothing: it is there, but not counted."""

    at_us: int
    tokens: int
    group: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Calls in the order of their moments, and the seconds within which tokens are counted."""

    name: str
    calls: Sequence[Planned]
    from_s: float
    until_s: float
    interval_s: float = INTERVAL_S
    """Between the tokens of a stream."""

    @property
    def lasts_s(self) -> float:
        """Until the last token is due."""
        return max((each.at_us / 1e6 + FIRST_S + each.tokens * self.interval_s for each in self.calls), default=0.0)

    def text(self) -> str:
        """As the client reads it."""
        return "".join(f"{each.at_us} {each.tokens}\n" for each in self.calls)


def poisson(rate: float, seconds: float, seed: int = SEED, *, interval_s: float = INTERVAL_S) -> Schedule:
    """Streams at `rate` calls a second, of 64 to 256 tokens each, and plain calls beside them.

    A stream that is still open when the counting has ended stops ENDING_S later: nothing would be learnt from the rest.
    """
    dice = random.Random(f"{seed} {rate}")  # noqa: S311
    from_s = FILLING_S + SETTLING_S
    until_s = from_s + seconds
    open_ = round(rate * interval_s * MEAN)
    moments_s = [FILLING_S * number / open_ for number in range(open_)]
    calls = [
        Planned(round(at_s * 1e6), dice.randint(1, length))
        for at_s, length in zip(moments_s, _lengths_met(open_, dice), strict=True)
    ]
    at_s = dice.expovariate(rate)
    while at_s < until_s:
        calls.append(Planned(round(at_s * 1e6), dice.randint(SHORTEST, LONGEST), "stream" if at_s >= from_s else ""))
        at_s += dice.expovariate(rate)
    calls += _plain_beside(rate, from_s, until_s, dice)
    return _schedule(f"{rate:g}{PER_S}", calls, from_s, until_s, interval_s)


def always_open(streams: int, seconds: float, interval_s: float, seed: int = SEED) -> Schedule:
    """So many streams at any moment: where one ends, the next begins. Plain calls beside them, as in `poisson`."""
    dice = random.Random(f"{seed} {streams} standing")  # noqa: S311
    filled_s = max(FILLING_S, streams / FILLED_PER_S)
    from_s = filled_s + SETTLING_S
    until_s = from_s + seconds
    calls = []
    for length in _lengths_met(streams, dice):
        at_s = dice.uniform(0, filled_s)
        left_s = filled_s - at_s + dice.random() * length * interval_s
        while at_s < until_s:
            tokens = max(1, round(left_s / interval_s))
            calls.append(Planned(round(at_s * 1e6), tokens, "stream" if at_s >= from_s else ""))
            at_s += FIRST_S + tokens * interval_s
            left_s = dice.randint(SHORTEST, LONGEST) * interval_s
    calls += _plain_beside(streams / (interval_s * MEAN), from_s, until_s, dice)
    return _schedule(f"{streams:,} streams", calls, from_s, until_s, interval_s)


def _lengths_met(streams: int, dice: random.Random) -> list[int]:
    """How long streams are that are open at some moment, as a whole: long ones are met more often."""
    lengths = range(SHORTEST, LONGEST + 1)
    return dice.choices(lengths, weights=lengths, k=streams)


def _plain_beside(rate: float, from_s: float, until_s: float, dice: random.Random) -> list[Planned]:
    """Plain calls beside `rate` streams a second."""
    calls, at_s = [], dice.expovariate(rate * PLAIN_SHARE)
    while at_s < until_s:
        calls.append(Planned(round(at_s * 1e6), 0, "plain" if at_s >= from_s else ""))
        at_s += dice.expovariate(rate * PLAIN_SHARE)
    return calls


def _schedule(name: str, calls: list[Planned], from_s: float, until_s: float, interval_s: float) -> Schedule:
    """In order, and nothing longer than it has to be: what is cut short ends ENDING_S after the counting."""

    def shortened(call: Planned) -> Planned:
        longest = math.ceil((until_s + ENDING_S - FIRST_S - call.at_us / 1e6) / interval_s) + 1
        return replace(call, tokens=min(call.tokens, longest)) if call.tokens else call

    calls = sorted(map(shortened, calls), key=lambda each: each.at_us)
    return Schedule(name, calls, from_s, until_s, interval_s)


def herds() -> Schedule:
    """Many calls in one moment, twice each: the first time a gateway has to open its connections for them."""
    calls, at_s = [], 0.5
    for size in HERDS:
        for turn in ("first", "again"):
            calls += [Planned(round(at_s * 1e6), HERD_TOKENS, f"{size} at once, {turn}")] * size
            at_s += HERD_TOKENS * INTERVAL_S + HERD_GAP_S
    return Schedule("herds", calls, 0.0, at_s)
