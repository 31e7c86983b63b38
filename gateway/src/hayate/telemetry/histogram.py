"""A histogram of plain numbers, for what prometheus_client only renders: an observation costs a search and two additions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # who counts need not load what is only needed to tell
    from prometheus_client.core import HistogramMetricFamily


class Histogram:
    """How many observations fell up to each bound, and their sum."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Counts a value up to the first bound that is not below it, as Prometheus does (`le`)."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def bounds(self) -> Sequence[float]:
        """Up to which value each count goes; the last count, beyond them all, has none."""
        return self._bounds

    @property
    def counts(self) -> tuple[int, ...]:
        """How many there were since the start, by bound."""
        return tuple(self._counts)

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Adds what was observed to a family; nothing where nothing was."""
        if not any(self._counts):
            return
        total, buckets = 0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        family.add_metric(labels, buckets, self._sum)


def quantile(bounds: Sequence[float], counts: Sequence[int], part: float) -> float | None:
    """The value that `part` of the observations (0 to 1) don't pass, as far as bounds tell: evenly between two of them, as
    Prometheus reckons; the last bound for what is beyond. None where nothing was observed.
    """
    left = part * sum(counts)
    if not left:
        return None
    below = 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if left <= count:
            return below + (bound - below) * left / count
        left -= count
        below = bound
    return below
