"""What pairs of measurements say: the median of their ratios, and where it lies with 95 % certainty.

No distribution is assumed. How many of n ratios fall below the true median is a matter of tossing coins, so the k-th smallest and
the k-th largest enclose it with a probability that is counted, not estimated; k is the largest for which it is 95 % or more.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
WIDE = 0.03
"""An interval that reaches further than this to either side of its middle says too little: more pairs are needed."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the ratios of some pairs, and its interval; infinite with fewer than six pairs."""

    pairs: int
    median: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """How far the interval reaches from its middle."""
        return (self.high - self.low) / 2

    @property
    def wide(self) -> bool:
        """Whether more pairs are needed."""
        return not self.half_width <= WIDE  # infinite minus infinite is no number


def rank(pairs: int, confidence: float = CONFIDENCE) -> int:
    """The k of the k-th smallest and largest that enclose the median; 0 where not even the outermost do."""
    below, found = 0.0, 0
    for k in range(1, pairs // 2 + 1):
        below += math.comb(pairs, k - 1) / 2**pairs  # fewer than k of them on one side of the median
        if 1 - 2 * below < confidence:
            break
        found = k
    return found


def ratio(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """Of pairs of (before, after): what `after` costs in terms of `before`. A pair that was not measured whole does not count."""
    whole = [(before, after) for before, after in pairs if before > 0 and after > 0]
    ratios = sorted(after / before for before, after in whole)
    if not ratios:
        return Ratio(0, math.nan, -math.inf, math.inf)
    k = rank(len(ratios))
    low, high = (ratios[k - 1], ratios[-k]) if k else (-math.inf, math.inf)
    return Ratio(len(ratios), statistics.median(ratios), low, high)
