"""Ids that the program makes itself, ordered by time: 42 bits of milliseconds since 1970, then 21 bits that tell those of
one millisecond apart. They fit a signed 64-bit column of any database, and a range of ids is a range of time.
"""

from __future__ import annotations

import secrets
from typing import Final

LOW_BITS: Final = 21
MAX_MS: Final = 2 ** (63 - LOW_BITS) - 1
"""In the year 2109."""


class Ids:
    """Makes ids. One per process: the low bits begin anywhere, so that two processes hardly ever make the same."""

    def __init__(self, start: int | None = None) -> None:
        self._last = 0
        self._step = secrets.randbits(LOW_BITS - 1) if start is None else start

    def make(self, at: float) -> int:
        """One for something that happened `at`, in seconds since 1970. Never the same twice, never smaller than the last,
        whatever the wall's clock does.
        """
        made = first_id(at) + self._step
        if made <= self._last:
            made = self._last + 1
        self._last = made
        return made


def first_id(at: float) -> int:
    """The smallest id of the millisecond `at`, in seconds since 1970; of a time that ids can't tell, the nearest."""
    ms = int(at * 1000)
    return (ms if 0 <= ms <= MAX_MS else min(MAX_MS, max(0, ms))) << LOW_BITS


def made_at(made: int) -> float:
    """When an id was made, in seconds since 1970."""
    return (made >> LOW_BITS) / 1000
