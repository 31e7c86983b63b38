"""Requests per minute of one key, by the generic cell rate algorithm: no window whose edge lets a double burst through."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Allowance:
    """What one request was told. `retry_after_s` is 0 when it may go."""

    limit: int
    remaining: int
    reset_s: float
    retry_after_s: float


class RateLimit:
    """`per_minute` requests, of which at most `burst` at once. One per key."""

    __slots__ = ("_full_at", "_interval_s", "_window_s", "burst", "per_minute")

    def __init__(self, per_minute: int, burst: int | None = None) -> None:
        self.per_minute = per_minute
        self.burst = burst or per_minute
        self._interval_s = 60.0 / per_minute
        self._window_s = self._interval_s * self.burst
        self._full_at = 0.0

    def take(self, now: float) -> Allowance:
        """Counts one request, if it fits."""
        base = max(now, self._full_at)
        used_s = base + self._interval_s - now
        over_s = used_s - self._window_s
        if over_s > 1e-9:
            return Allowance(self.per_minute, 0, base - now, over_s)
        self._full_at = base + self._interval_s
        return Allowance(self.per_minute, int((self._window_s - used_s) / self._interval_s + 1e-9), used_s, 0.0)
