"""As many open streams as it takes for calls to begin in turns (`relay.turns`)."""

from __future__ import annotations

from hayate.relay.ticker import Ticker
from hayate.relay.turns import MANY


class Stream:
    """One that needs nothing."""

    def tick(self, now: float) -> None:
        """Nothing is to be done."""


def crowd(ticker: Ticker) -> None:
    """Opens them."""
    for _ in range(MANY):
        ticker.add(Stream())
