"""How long to wait before a dead engine is started again."""

from __future__ import annotations

from itertools import pairwise

from hayate.tools.embedded.backoff import Backoff


def waits(*up_s: float) -> list[float]:
    """The waits after engines that stayed up so long, one after the other."""
    found, wait_s = [], 0.0
    for each in up_s:
        wait_s = Backoff().next_s(wait_s, each)
        found.append(wait_s)
    return found


def test_the_first_wait_is_short() -> None:
    assert waits(0.1) == [0.5]


def test_each_early_death_doubles_the_wait_up_to_the_longest() -> None:
    assert waits(*[0.2] * 9) == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_an_engine_that_stayed_up_begins_anew() -> None:
    assert waits(0.1, 0.1, 0.1, 31, 0.1) == [0.5, 1, 2, 0.5, 1]


def test_the_wait_never_shrinks_between_early_deaths() -> None:
    assert all(later >= earlier for earlier, later in pairwise(waits(*[29.9] * 12)))
