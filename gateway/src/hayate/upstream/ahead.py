"""How many connections are opened ahead of need: as many as calls lately had at once, and never more.

The rule: a connection that carried a call and goes for being idle is owed, until so long after that call; only what is
owed is opened ahead. So what is open is at most what calls have opened by themselves, and the need that nobody has any
more is forgotten. An engine that closes one of them, or takes none, is left alone for a while: some hold a thread for
each. No sockets here; the clock is an argument, in seconds.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

REFRAIN_S: Final = 600.0
"""How long none is opened ahead where the engine has closed one, or refused it."""


class Ahead:
    """What is owed to one pool. `keep_s`: for how long after a call; 0: never."""

    __slots__ = ("_not_before", "_owed", "keep_s")

    def __init__(self, keep_s: float) -> None:
        self.keep_s = keep_s
        self._not_before = 0.0
        self._owed: deque[float] = deque()
        """When calls last used the connections that are owed; the longest ago first."""

    @property
    def owes(self) -> int:
        """How many may be opened, as far as is known."""
        return len(self._owed)

    def closed(self, used_at: float) -> None:
        """One has been idle for too long, that a call last used then."""
        if self.keep_s:
            self._owed.append(used_at)

    def called(self) -> None:
        """A call found none and opens its own: in the place of one that is owed."""
        if self._owed:
            self._owed.pop()

    def take(self, now: float) -> float | None:
        """One is to be opened: in the place of one that was used then; None: none is."""
        if now < self._not_before:
            self._owed.clear()
        while self._owed:
            used_at = self._owed.popleft()
            if not self.is_over(used_at, now):
                return used_at
        return None

    def is_over(self, used_at: float, now: float) -> bool:
        """Whether nobody has needed it for too long."""
        return now - used_at >= self.keep_s

    def refrain(self, now: float = math.inf) -> None:
        """The engine does not want them, which it has shown at `now`; without a time: before `resume` none is opened."""
        self._owed.clear()
        self._not_before = now + REFRAIN_S

    def resume(self) -> None:
        """It may want them again."""
        self._not_before = 0.0
