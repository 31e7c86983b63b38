"""The retry budget: retries may be a share of all calls, so that they can't double the load on what is already failing."""

from __future__ import annotations

from dataclasses import dataclass, field

RATIO = 0.2
FLOOR_PER_S = 10.0
WINDOW_S = 10.0


@dataclass(slots=True)
class RetryBudget:
    """20 % of the calls of the last ten seconds, and never less than ten a second (Finagle's and Envoy's figures)."""

    ratio: float = RATIO
    floor_per_s: float = FLOOR_PER_S
    _window_began: float = field(default=0.0)
    _calls: int = field(default=0)
    _retries: int = field(default=0)

    def called(self, now: float) -> None:
        """One call came in: retries are a share of these."""
        if now - self._window_began >= WINDOW_S:
            self._roll(now)
        self._calls += 1

    def allow(self, now: float) -> bool:
        """Whether one more retry fits; if so it is counted."""
        if now - self._window_began >= WINDOW_S:
            self._roll(now)
        if self._retries >= max(self.ratio * self._calls, self.floor_per_s * WINDOW_S):
            return False
        self._retries += 1
        return True

    def _roll(self, now: float) -> None:
        self._window_began = now
        self._calls = self._retries = 0
