"""What one key may pass in any minute: requests, or tokens.

The law: in no 60 s, wherever they begin, is more let through than `limit`. The last 61 seconds are kept in buckets of
one second, with their sum: any 60 s touch at most 61 of them, so that what is let in while the sum stays below the
limit keeps to it, and who asks for more gets 60/61 of it (98.4 %). A window that slides by the whole minute lets twice
the limit through around its edge; a bucket that refills does so after every pause.

Tokens count for the moment at which their call was let through, however long it lasts.
"""

from __future__ import annotations

BUCKETS = 61
"""Seconds that are remembered: the present one and the sixty before it."""


class Window:
    """At most `limit` units in any 60 s. `now` is in seconds of one clock. If that goes back, time stands still here until it
    has caught up: less goes through meanwhile, never more.
    """

    __slots__ = ("_begun", "_buckets", "_next", "_second", "limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        """Units that were let through, or reserved and not given back. More than `limit` when calls took more than they had
        reserved, or when the limit was lowered: then nothing goes until that has passed.
        """
        self._buckets = [0] * BUCKETS
        self._begun = 0
        """Units in the buckets. What else is used is the present second's: it comes into its bucket by `_present`."""
        self._second, self._next = 0, 1
        """The present second, and the one after it."""

    def left(self, now: float) -> int:
        """Units that may go now."""
        self._present(now)
        return max(0, self.limit - self.used)

    def fits(self, now: float, units: int) -> bool:
        """Whether `units` may go now."""
        self._present(now)
        return self.used + units <= self.limit

    def take(self, now: float, units: int) -> int:
        """Counts `units` if they fit: the second they are booked at, for `settle`; else -1."""
        if now >= self._next:
            self._present(now)
        if self.used + units > self.limit:
            return -1
        self.used += units
        return self._second

    def book(self, now: float, units: int) -> int:
        """Counts `units`, which fit or must be counted anyhow; the second they are booked at, for `settle`."""
        second = self._present(now)
        self._put(second, units)
        return second

    def settle(self, second: int, units: int, now: float) -> None:
        """Puts right what was booked at `second`: `units` more, or fewer where negative. What was used beyond it and is
        forgotten by now is booked at present, a debt; what was not used and is forgotten anyhow is gone.
        """
        if now >= self._next:
            self._present(now)
        if second == self._second:
            self.used += units
        elif self._second - second < BUCKETS:
            self._put(second, units)
        elif units > 0:
            self.used += units

    def restore(self, second: int, units: int, now: float) -> None:
        """Counts what was let through at `second`, before this window was. What lies ahead, as by a clock that was set back
        since, is as if let through now.
        """
        present = self._present(now)
        if present - second < BUCKETS:
            self._put(min(second, present), units)

    def wait_s(self, now: float, units: int) -> float:
        """Seconds until `units` fit, if nobody else takes them; 0 when they do now. They must not exceed the limit."""
        present = self._present(now)
        over = self.used + units - self.limit
        if over <= 0:
            return 0.0
        for second in range(present - BUCKETS + 1, present + 1):
            over -= self._buckets[second % BUCKETS]
            if over <= 0:
                return second + BUCKETS - now
        return present + BUCKETS - now

    def reset_s(self, now: float) -> float:
        """Seconds until nothing is counted any more, if nothing else comes."""
        last = self._present(now)
        if not self.used:
            return 0.0
        while not self._buckets[last % BUCKETS]:
            last -= 1
        return last + BUCKETS - now

    def _put(self, second: int, units: int) -> None:
        self._buckets[second % BUCKETS] += units
        self._begun += units
        self.used += units

    def _present(self, now: float) -> int:
        """The present second. What was counted is in the buckets by then, and those that lie too far back are empty."""
        self._buckets[self._second % BUCKETS] += self.used - self._begun
        second = int(now)
        passed = second - self._second
        if passed > 0:
            self._second, self._next = second, second + 1
            if passed >= BUCKETS:
                self._buckets = [0] * BUCKETS
                self.used = 0
            else:
                for each in range(second - passed + 1, second + 1):
                    self.used -= self._buckets[each % BUCKETS]
                    self._buckets[each % BUCKETS] = 0
        self._begun = self.used
        return self._second
