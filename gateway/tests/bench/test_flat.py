"""Whether something has stopped growing."""

from __future__ import annotations

import pytest
from bench.flat import growth


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], 0),
        ([5], 0),
        ([5, 9], 0),
        ([1, 2, 3, 4, 5], 2),
        ([5, 4, 3, 2, 1], -2),
        ([0, 50, 100, 100, 100], 0),
        ([0, 0, 0, 0, 5, 9, 5, 9, 5], 0),
    ],
)
def test_what_counts_is_a_line_through_the_second_half(values: list[float], expected: float) -> None:
    assert growth(list(enumerate(values))) == pytest.approx(expected, abs=1e-9)


def test_steady_growth_is_seen_whatever_moments_are_looked_at() -> None:
    seen = [(at, 10 + 0.5 * at) for at in (0, 1, 7, 30, 52, 60, 77, 100)]

    assert growth(seen) == pytest.approx(0.5 * 48)
