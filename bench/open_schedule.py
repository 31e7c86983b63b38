"""When the open loop's calls are made: all of it is known before the first, and the same for every contender.

Calls arrive as those of many callers who know nothing of one another do (a Poisson process), whatever became of those before. That
is the point: a client that waits for its answers asks less of whoever is slow, and so doesn't see what its other users would have
(coordinated omission). Streams that had begun earlier are there from the start, so that no time is spent on filling up.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench.open_parts import FIRST_S, INTERVAL_S, LONGEST

SEED = 20_261_129
SHORTEST = 64
PLAIN_SHARE = 0.2
"""Plain calls beside the streams, as a share of the calls a second."""
FILLING_S, SETTLING_S = 3.0, 1.0
HERDS = (64, 256)
HERD_TOKENS = 16
HERD_GAP_S = 3.0


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

    @property
    def lasts_s(self) -> float:
        """Until the last token is due."""
        return max((each.at_us / 1e6 + FIRST_S + each.tokens * INTERVAL_S for each in self.calls), default=0.0)

    def text(self) -> str:
        """As the client reads it."""
        return "".join(f"{each.at_us} {each.tokens}\n" for each in self.calls)


def poisson(rate: float, seconds: float, seed: int = SEED) -> Schedule:
    """Streams at `rate` calls a second, of 64 to 256 tokens each, and plain calls beside them."""
    dice = random.Random(f"{seed} {rate}")  # noqa: S311
    from_s = FILLING_S + SETTLING_S
    until_s = from_s + seconds
    calls = [*_already_there(rate, dice)]
    for group, each_s in (("stream", rate), ("plain", rate * PLAIN_SHARE)):
        at_s = dice.expovariate(each_s)
        while at_s < until_s:
            tokens = dice.randint(SHORTEST, LONGEST) if group == "stream" else 0
            calls.append(Planned(round(at_s * 1e6), tokens, group if at_s >= from_s else ""))
            at_s += dice.expovariate(each_s)
    calls.sort(key=lambda each: each.at_us)
    return Schedule(f"{rate:g}/s", calls, from_s, until_s)


def _already_there(rate: float, dice: random.Random) -> list[Planned]:
    """As many streams as are open at any moment of such a load, with what is left of each. Long ones are met more often."""
    lengths = range(SHORTEST, LONGEST + 1)
    open_ = round(rate * INTERVAL_S * sum(lengths) / len(lengths))
    whole = dice.choices(lengths, weights=lengths, k=open_)
    return [
        Planned(round(FILLING_S * 1e6 * number / open_), dice.randint(1, length)) for number, length in enumerate(whole)
    ]


def herds() -> Schedule:
    """Many calls in one moment, twice each: the first time a gateway has to open its connections for them."""
    calls, at_s = [], 0.5
    for size in HERDS:
        for turn in ("first", "again"):
            calls += [Planned(round(at_s * 1e6), HERD_TOKENS, f"{size} at once, {turn}")] * size
            at_s += HERD_TOKENS * INTERVAL_S + HERD_GAP_S
    return Schedule("herds", calls, 0.0, at_s)
