"""What the arbiter's loads are measured by: the fewest that are possible, and those of the plain way."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.switching.schedules import Unmet, fewest_loads, loads_on_each_change
from tests.switching.trace import Call


def calls(*asked: tuple[str, float], service_s: float = 1.0) -> list[Call]:
    return [Call(model, arrived, service_s) for model, arrived in asked]


AT_ONCE = calls(*((model, 0.0) for model in "abaacabc"))


def test_eight_calls_for_three_models_at_once_take_three_loads_or_seven() -> None:
    assert fewest_loads(AT_ONCE, 1, max_wait_s=60, swap_s=6, load_s=5) == 3
    assert loads_on_each_change(AT_ONCE, 1, swap_s=6, load_s=5)[0] == 7
    assert fewest_loads(AT_ONCE, 3, max_wait_s=60, swap_s=6, load_s=5) == 3
    assert loads_on_each_change(AT_ONCE, 3, swap_s=6, load_s=5)[0] == 3


def test_a_bound_that_no_schedule_keeps_is_told() -> None:
    with pytest.raises(Unmet):
        fewest_loads(AT_ONCE, 1, max_wait_s=16, swap_s=6, load_s=5)
    assert fewest_loads(AT_ONCE, 1, max_wait_s=17, swap_s=6, load_s=5) == 3


def test_models_that_are_always_asked_for_change_as_seldom_as_the_bound_lets_them() -> None:
    asked = calls(*((model, each / 2) for each in range(200) for model in "ab"))
    assert fewest_loads(asked, 1, max_wait_s=20, swap_s=2, load_s=1) == 7
    assert fewest_loads(asked, 1, max_wait_s=10, swap_s=2, load_s=1) == 14
    loads, longest_s = loads_on_each_change(asked, 1, swap_s=2, load_s=1)
    assert (loads, longest_s > 400) == (400, True)


def test_the_plain_way_waits_for_those_that_are_under_way() -> None:
    asked = calls(("a", 0.0), ("b", 1.0), service_s=30.0)
    assert loads_on_each_change(asked, 1, swap_s=2, load_s=1) == (2, 32.0)


def brute_force(
    asked: list[Call],
    slots: int,
    max_wait_s: int,
    swap: int,
    load: int,
    loaded: frozenset[str],
    since: dict[str, int],
    now: int,
) -> float:
    """Every way there is, on a grid of 1 s: since when each that is not loaded has its gate shut."""

    def first(model: str) -> float:
        return min((c.arrived for c in asked if c.model == model and c.arrived >= since[model]), default=inf)

    waiting = {model: first(model) for model in since if model not in loaded}
    if min(waiting.values(), default=inf) == inf:
        return 0
    if now > 30 or any(now > at + max_wait_s for at in waiting.values()):
        return inf
    best = brute_force(asked, slots, max_wait_s, swap, load, loaded, since, now + 1)
    room = len(loaded) < slots
    took = load if room else swap
    for model, at in waiting.items():
        if now + took <= at + max_wait_s and at < inf:
            for gone in [None] if room else sorted(loaded):
                left = loaded - {gone} | {model}
                after = since if gone is None else {**since, gone: now}
                best = min(best, 1 + brute_force(asked, slots, max_wait_s, swap, load, left, after, now + took))
    return best


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 8).map(float)), min_size=1, max_size=7),
    st.integers(1, 2),
    st.integers(3, 7),
)
def test_no_way_is_better_than_the_best(asked: list[tuple[str, float]], slots: int, max_wait_s: int) -> None:
    made = calls(*asked)
    best = brute_force(made, slots, max_wait_s, 2, 1, frozenset(), {c.model: 0 for c in made}, 0)
    try:
        assert fewest_loads(made, slots, max_wait_s=max_wait_s, swap_s=2, load_s=1, grid_s=1.0) == best
    except Unmet:
        assert best == inf
