"""Whatever is asked, loaded and broken, in whatever order: what the arbiter promises holds in every step (simulated time)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.policy.arbiter import Arbiter
from hayate.policy.tenant import AWAY, GpuTerms, State, Steps
from tests.support.tenants import terms
from tests.switching.simulation import Model, World

MEMORY = {"one": 10, "two": 8}
QUANTUM_S, MAX_WAIT_S = 4.0, 20.0
CALL_S = 6.0
"""The longest answer."""
NAMES = "abcde"

needs = st.fixed_dictionaries({}, optional={"one": st.integers(1, 12), "two": st.integers(1, 9)})
seconds = st.floats(0.0, 5.0)


@st.composite
def models(draw: st.DrawFn, *, hard: bool) -> list[Model]:
    made = []
    for name in NAMES[: draw(st.integers(1, len(NAMES)))]:
        random = draw(st.randoms(use_true_random=False))
        failing = draw(st.sampled_from([0.0, 0.0, 0.3, 1.0])) if hard else 0.0
        made.append(
            Model(
                name,
                draw(needs),
                draw(seconds),
                draw(seconds),
                places=draw(st.sampled_from([1, 1000])) if hard else 1000,
                pin=hard and draw(st.integers(0, 5)) == 0,
                preload=draw(st.booleans()),
                idle_unload_s=draw(st.sampled_from([None, 3.0])),
                fails=lambda random=random, failing=failing: random.random() < failing,  # type: ignore[misc]
            )
        )
    return made


calls = st.lists(
    st.tuples(st.sampled_from(NAMES), st.floats(0.0, 90.0), st.floats(0.0, CALL_S)), min_size=1, max_size=60
)
accidents = st.lists(
    st.tuples(st.sampled_from(["crash", "load", "unload", "leave"]), st.sampled_from(NAMES), st.floats(0.0, 100.0)),
    max_size=12,
)


class Watch:
    """Looks at each step of a world."""

    def __init__(self, world: World, operator: bool = False) -> None:
        self.world = world
        self.operator = operator
        self.loads = 0
        world.check = self

    def __call__(self, steps: Steps) -> None:
        every = self.world.places
        for gpu, memory in MEMORY.items():
            used = sum(each.model.needs.get(gpu, 0) for each in every.values() if each.tenant.state not in AWAY)
            assert used <= memory, "more is loaded than there is memory"
        begun = Counter(each.name for each in (*steps.unload, *steps.load))
        assert set(begun.values()) <= {1}
        for tenant in steps.drain:
            assert every[tenant.name].open
            assert self.operator or not every[tenant.name].model.pin
        for tenant in steps.keep:
            assert tenant.state is State.READY
            assert not every[tenant.name].open
        for tenant in steps.unload:
            assert tenant.state is State.UNLOADING
            assert tenant.in_flight == 0
            assert tenant in steps.drain or not every[tenant.name].open
        for tenant in steps.load:
            assert tenant.state is State.LOADING
            assert not every[tenant.name].open
            self.loads += tenant.why in ("asked", "operator")
        for tenant in steps.refuse:
            assert tenant.state is State.FAILED
        for place in every.values():
            is_open = (place.open and place.tenant not in steps.drain) or place.tenant in steps.keep
            assert is_open == (place.tenant.state is State.READY), "a gate is open while the model is there"


@given(models(hard=True), calls, accidents)
def test_no_call_is_lost_and_no_memory_given_twice(
    made: list[Model], asked: list[tuple[str, float, float]], happens: list[tuple[str, str, float]]
) -> None:
    world = World(MEMORY, made, quantum_s=QUANTUM_S, max_wait_s=MAX_WAIT_S)
    watch = Watch(world, operator=any(what == "unload" for what, _, _ in happens))
    known = {each.name for each in made}
    for name, when, service_s in asked:
        if name in known:
            world.ask(name, when, service_s)
    for what, name, when in happens:
        if name in known:
            act = {
                "crash": lambda name=name: world.crash(name),
                "leave": lambda name=name: world.leave(name),
                "load": lambda name=name: world.operator(name, load=True),
                "unload": lambda name=name: world.operator(name, load=False),
            }[what]
            world.at(when, act)
    world.run(2_000.0)
    ended = [each for each in world.trace.calls if each.ended is not None]
    assert Counter(map(id, [*ended, *world.refused, *world.broken])) == Counter(map(id, world.trace.calls))
    assert watch.loads <= len(world.trace.calls) + len(happens)
    assert world.quiet, "nobody waits, and yet there is something to do"


@given(models(hard=False), calls)
def test_everybody_is_served_or_told_within_the_bound(made: list[Model], asked: list[tuple[str, float, float]]) -> None:
    world = World(MEMORY, made, quantum_s=QUANTUM_S, max_wait_s=MAX_WAIT_S)
    watch = Watch(world)
    for name, when, service_s in asked:
        if name in world.places:
            world.ask(name, when, service_s)
    world.run(2_000.0)
    back_s = max(each.unload_s for each in made) + max(each.load_s for each in made)
    one_turn_s = max(QUANTUM_S, back_s) + CALL_S + back_s + 0.2
    for call in world.trace.calls:
        if call in world.refused:
            assert any(need > MEMORY[gpu] for gpu, need in world.places[call.model].model.needs.items())
        else:
            assert call.wait_s <= MAX_WAIT_S + len(made) * one_turn_s
    assert watch.loads <= len(world.trace.calls)


@given(st.floats(0.0, 3.0), st.floats(0.1, 3.0), st.integers(0, 2**32))
def test_where_one_of_three_is_out_nobody_waits_longer_than_max_wait_and_for_a_swap(
    unload_s: float, load_s: float, seed: int
) -> None:
    """A drain takes as long as the longest answer, at most."""
    random = Random(seed)
    world = World({"one": 2}, [Model(name, {"one": 1}, load_s, unload_s) for name in "abc"], max_wait_s=MAX_WAIT_S)
    for name in "abc":
        for _ in range(150):
            world.ask(name, random.uniform(0.0, 150.0), random.uniform(1.0, 3.0))
    trace = world.run()
    assert trace.longest_s <= MAX_WAIT_S + 3.0 + unload_s + load_s + 0.2


class Counted(Mapping[str, int]):
    """Needs that count how often somebody looks at them."""

    looks = 0

    def __getitem__(self, gpu: str) -> int:
        Counted.looks += 1
        return {"one": 6}[gpu]

    def __iter__(self) -> Iterator[str]:
        Counted.looks += 1
        return iter(["one"])

    def __len__(self) -> int:
        return 1


def looks(number: int, due: bool) -> int:
    """At needs, in one step in which so many models are loaded and begin their turn, and three times as many are wanted in vain."""
    arbiter = Arbiter({"one": GpuTerms(6 * number, QUANTUM_S, MAX_WAIT_S)})
    arbiter.configure(arbiter.gpus, [terms(f"{each}", Counted()) for each in range(4 * number)], 0.0)
    for place, tenant in enumerate(arbiter.tenants.values()):
        if place < number:
            tenant.turn(State.READY, "loaded", 0.0)
        else:
            tenant.waiting, tenant.oldest_at = 1, -1e6 if due else 0.0
    Counted.looks = 0
    assert not arbiter.step(1.0)
    return Counted.looks


@pytest.mark.parametrize("due", [False, True])
def test_a_step_takes_linear_time(due: bool) -> None:
    assert looks(800, due) <= 2.2 * looks(400, due)
