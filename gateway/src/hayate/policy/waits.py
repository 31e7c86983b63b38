"""How a call wants to wait for its place: how much it weighs, how long at most, and whether it is told of it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

Tell = Callable[[int, float | None], None]
"""Told the place in the queue, from 1, and about how many seconds it is until the call is let in, where that is known."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Of one call."""

    weight: int = 1
    """Of its key (`policy.lanes`)."""
    low: bool = False
    """Whether its own key calls it less urgent."""
    deadline_s: float | None = None
    """After so long it is of no use any more, from when it came; None: as long as any call may wait."""
    tell: Tell | None = None


PLAIN = Waits()
"""Of most calls."""


@lru_cache(maxsize=1000)
def plain_waits(weight: int, deadline_ms: int | None) -> Waits:
    """What a key says of calls that say nothing themselves: keys that say the same share it."""
    if weight == 1 and deadline_ms is None:
        return PLAIN
    return Waits(weight, deadline_s=None if deadline_ms is None else deadline_ms / 1000)
