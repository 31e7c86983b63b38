"""What watches over a pump: its limits, who looks at them, and who wants to know what comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hayate.policy.places import Place
from hayate.policy.progress import Progress
from hayate.relay.ticker import Ticker
from hayate.settings import Timeouts


@dataclass(slots=True)
class Watch:
    """What a pump's limits are, who looks at them, since when the attempt runs (`time.monotonic()`), and who else wants
    to know that something came.
    """

    ticker: Ticker
    timeouts: Timeouts
    client_stall_s: float
    started: float
    progress: Progress
    place: Place[Any] | None = None
    """What pays for an answer that is longer than expected."""
    _last: tuple[int, float] = field(default=(0, 0.0), init=False)
    """The tokens at the last look, and when that was."""

    def paced(self, tokens: int, now: float, *, paused: bool) -> None:
        """How fast the tokens come, from one look to the next; a client that is behind (`paused`) says nothing of the engine."""
        before, at = self._last
        self._last = tokens, now
        if before and not paused:
            self.progress.paced(tokens - before, now - at)
