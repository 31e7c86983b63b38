"""How long to wait before a dead engine is started again. Pure: the time it was up is an argument.

Each early death doubles the wait, from `first_s` to `longest_s`; one that stayed up `steady_s` begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """The policy; the wait so far is the caller's to keep."""

    first_s: float = 0.5
    longest_s: float = 30.0
    steady_s: float = 30.0

    def next_s(self, previous_s: float, up_s: float) -> float:
        """The wait after an engine that was up `up_s`, when the wait before it was `previous_s` (0.0 for none)."""
        if previous_s <= 0 or up_s >= self.steady_s:
            return self.first_s
        return min(previous_s * 2, self.longest_s)
