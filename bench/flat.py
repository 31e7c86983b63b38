"""Whether something has stopped growing, from what was seen of it at certain moments.

The rule: a straight line is laid through the second half (least squares), and what it rises by from the half's first moment to its
last is compared with a tolerance that is stated. Single moments decide nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import linear_regression


def growth(seen: Sequence[tuple[float, float]]) -> float:
    """By how much the values of (moment, value) rise over the second half of the time. 0 with fewer than two moments in it."""
    if not seen:
        return 0.0
    half_at = (seen[0][0] + seen[-1][0]) / 2
    moments = [at for at, _ in seen if at >= half_at]
    if len(set(moments)) < 2:
        return 0.0
    line = linear_regression(moments, [value for at, value in seen if at >= half_at])
    return line.slope * (moments[-1] - moments[0])
