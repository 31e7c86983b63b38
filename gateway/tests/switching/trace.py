"""What was asked and when, and what was loaded: of a run on sockets or in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False)
class Call:
    """One; times in seconds of one clock."""

    model: str
    arrived: float
    service_s: float
    started: float | None = None
    """When it was let in to its model."""
    ended: float | None = None
    then: Callable[[], None] = lambda: None

    @property
    def wait_s(self) -> float:
        """From when it came until it was let in."""
        assert self.started is not None
        return self.started - self.arrived


@dataclass
class Trace:
    """All of them, in the order in which they came."""

    calls: list[Call] = field(default_factory=list)
    loads: list[tuple[float, str]] = field(default_factory=list)
    """When each began, and of what."""
    drains: list[float] = field(default_factory=list)
    """How long each took."""

    @property
    def longest_s(self) -> float:
        """Of the waits of all that were let in."""
        return max((call.wait_s for call in self.calls if call.started is not None), default=0.0)

    @property
    def mean_s(self) -> float:
        """Of those waits."""
        waits = [call.wait_s for call in self.calls if call.started is not None]
        return sum(waits) / max(1, len(waits))
