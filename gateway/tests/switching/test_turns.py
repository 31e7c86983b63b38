"""SWITCHING: how many loads the arbiter makes of a day's ways to ask, beside the fewest that keep the same bound on the waits, and
beside the plain way, in simulated time. The figures of the documentation are from here.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import fmean

import pytest

from tests.switching.schedules import Unmet, fewest_loads, loads_on_each_change
from tests.switching.simulation import Model, World, closed_loops
from tests.switching.trace import Trace

MAX_WAIT_S, UNLOAD_S, CALL_S, FOR_S = 60.0, 1.0, 3.0, 1800.0


def at_once(world: World) -> Trace:
    for model in "abaacabc":
        world.ask(model, 0.0, CALL_S)
    return world.run()


def in_turns(world: World) -> Trace:
    """Two callers, each with a model of its own, who think for as long as an answer takes."""
    return closed_loops(world, {"a": 1, "b": 1}, FOR_S, service_s=CALL_S, think_s=CALL_S)


def seldom(world: World) -> Trace:
    """The same two, who think for half a minute."""
    return closed_loops(world, {"a": 1, "b": 1}, FOR_S, service_s=CALL_S, think_s=30.0)


def crowd(world: World) -> Trace:
    """20 callers for three models: each asks again a second after its answer."""
    return closed_loops(world, {"a": 7, "b": 7, "c": 6}, FOR_S, service_s=CALL_S, think_s=1.0)


def bursts(world: World) -> Trace:
    """Ten calls within five seconds, mostly for the other model than the last ten; then a minute or two of nothing."""
    random = Random(3)
    for each in range(20):
        began = each * 90 + random.uniform(0.0, 30.0)
        for _ in range(10):
            model = "ab"[each % 2 if random.random() < 0.8 else (each + 1) % 2]
            world.ask(model, began + random.uniform(0.0, 5.0), CALL_S)
    return world.run()


def stream(rate: float) -> Callable[[World], Trace]:
    """So many calls a second for each of three models, whenever they come."""

    def asked(world: World) -> Trace:
        random = Random(1)
        for model in "abc":
            when = random.expovariate(rate)
            while when < FOR_S:
                world.ask(model, when, CALL_S * random.uniform(0.5, 1.5))
                when += random.expovariate(rate)
        return world.run()

    return asked


WAYS: dict[str, tuple[Callable[[World], Trace], int, int]] = {
    "A B A A C A B C at once": (at_once, 3, 1),
    "two in turns": (in_turns, 2, 1),
    "two, seldom": (seldom, 2, 1),
    "bursts": (bursts, 2, 1),
    "20 in closed loops, 2 of 3 fit": (crowd, 3, 2),
    "1 call/s each, 2 of 3 fit": (stream(1.0), 3, 2),
    "1 call in 10 s each, 2 of 3 fit": (stream(0.1), 3, 2),
    "1 call/s each, 1 of 3 fits": (stream(1.0), 3, 1),
}


def figures(name: str, load_s: float) -> tuple[Trace, int | None, int, float]:
    """Of the arbiter; the fewest loads; those of the plain way, and its longest wait."""
    ask, models, slots = WAYS[name]
    world = World(
        {"gpu": slots},
        [Model(each, load_s=load_s, unload_s=UNLOAD_S) for each in "abc"[:models]],
        max_wait_s=MAX_WAIT_S,
    )
    trace = ask(world)
    assert all(call.ended is not None for call in trace.calls)
    try:
        swap_s = load_s + UNLOAD_S + fmean(trace.drains or [0.0])
        least = fewest_loads(
            trace.calls, slots, max_wait_s=MAX_WAIT_S + swap_s, swap_s=swap_s, load_s=load_s, grid_s=0.25
        )
    except Unmet:
        least = None
    plain, plain_s = loads_on_each_change(trace.calls, slots, swap_s=load_s + UNLOAD_S, load_s=load_s)
    print(
        f"\n{name}, {load_s:.0f} s to load: {len(trace.calls)} calls; {len(trace.loads)} loads, waits {trace.mean_s:.1f} s, "
        f"longest {trace.longest_s:.0f} s; fewest {least}; plain {plain}, longest {plain_s:.0f} s"
    )
    return trace, least, plain, plain_s


def test_eight_calls_for_three_models_at_once_take_three_loads() -> None:
    trace, least, plain, _ = figures("A B A A C A B C at once", 5.0)
    assert len(trace.loads) == least == 3
    assert plain == 7
    assert trace.longest_s < 0.6 * MAX_WAIT_S


@pytest.mark.parametrize("load_s", [5.0, 15.0])
def test_models_that_are_always_busy_change_hardly_more_often_than_they_have_to(load_s: float) -> None:
    trace, least, plain, plain_s = figures("1 call/s each, 2 of 3 fit", load_s)
    assert least is not None
    assert len(trace.loads) <= 1.1 * least
    assert plain > 30 * least
    assert plain_s > 10 * trace.longest_s, "the plain way does nothing but load"


@pytest.mark.slow
@pytest.mark.parametrize("load_s", [1.0, 15.0])
@pytest.mark.parametrize("name", WAYS)
def test_nobody_waits_much_longer_than_the_bound(name: str, load_s: float) -> None:
    trace, _, _, _ = figures(name, load_s)
    models = WAYS[name][1]
    assert trace.longest_s <= MAX_WAIT_S + models * (load_s + UNLOAD_S + 1.5 * CALL_S)
