"""A gate lets in, has wait, or turns away; and is fair to keys whose calls differ as they will."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.policy.admission import Gate
from hayate.policy.lanes import HIGH, Lane, Lanes
from hayate.policy.places import GROWN_TOKENS, Place
from tests.support.quick import examples

PROMPT, OUTPUT = 10, 20
UNITS = PROMPT + 2 * OUTPUT


class Scene:
    """A gate and the calls at it, by names; `key/name` is a call of `key`."""

    def __init__(self, capacity: int, max_queued: int = 100, spare: int = 0, lanes: Lanes | None = None) -> None:
        self.lanes = Lanes() if lanes is None else lanes
        self.gate: Gate[str] = Gate(self.lanes, capacity, max_queued, spare)
        self.places: dict[str, Place[str]] = {}
        self.weights: dict[str, int] = {}
        self.now = 0.0

    def come(self, name: str, *, low: bool = False, output: int = OUTPUT) -> str:
        """What becomes of a call: "in", "waits", or who is turned away."""
        key = name.partition("/")[0]
        lane = self.lanes.of(key, self.weights.get(key, 1), self.now, low=low)
        place = self.places[name] = Place(lane, PROMPT, output, self.now, name)
        if self.gate.try_enter(place):
            return "in"
        refused = self.gate.enter(place)
        if refused is not None:
            return refused.waiter or ""
        return "waits" if self.gate.waits(place) else "in"

    def go(self, name: str, used: int = UNITS) -> str | None:
        """Who is let in for a call that leaves."""
        following = self.gate.leave(self.places[name], used, self.now)
        return None if following is None else following.waiter


def test_in_then_waiting_then_turned_away() -> None:
    scene = Scene(2, 1)
    assert [scene.come(f"a/{number}") for number in range(4)] == ["in", "in", "waits", "a/3"]
    assert (scene.gate.in_flight, scene.gate.queued) == (2, 1)


def test_calls_of_one_key_keep_their_order() -> None:
    scene = Scene(1)
    for name in ("a/1", "a/2", "a/3"):
        scene.come(name)
    assert [scene.go("a/1"), scene.go("a/2"), scene.go("a/3")] == ["a/2", "a/3", None]
    assert (scene.gate.in_flight, scene.gate.queued) == (0, 0)


def test_another_key_need_not_wait_for_all_that_one_has_queued() -> None:
    scene = Scene(1)
    for number in range(50):
        scene.come(f"batch/{number}")
    scene.come("bot/1")
    assert [scene.go("batch/0"), scene.go("bot/1")] == ["bot/1", "batch/1"]


def test_nobody_overtakes_who_waits() -> None:
    scene = Scene(1)
    scene.come("a/1")
    scene.come("a/2")
    scene.gate.capacity = 5
    assert scene.come("b/1") == "waits"


def test_a_waiting_place_may_be_withdrawn_once() -> None:
    scene = Scene(1)
    for name in ("a/1", "a/2", "a/3"):
        scene.come(name)
    gate, places = scene.gate, scene.places
    assert [gate.withdraw(places[name]) for name in ("a/2", "a/2", "a/1")] == [True, False, False]
    assert scene.go("a/1") == "a/3"


def test_no_queue_at_all_turns_away_at_once() -> None:
    scene = Scene(1, 0)
    assert [scene.come("a/1"), scene.come("b/1")] == ["in", "b/1"]


def test_a_full_queue_turns_away_the_latest_of_who_holds_most_of_it() -> None:
    scene = Scene(1, 4)
    for number in range(5):
        scene.come(f"batch/{number}")
    assert scene.come("bot/1") == "batch/4"
    assert scene.come("batch/5") == "batch/5"
    assert scene.come("bot/2") == "batch/3"
    assert scene.come("bot/3") == "bot/3", "it would hold most of it itself"
    assert scene.gate.queued == 4


def test_a_key_with_nothing_waiting_is_never_turned_away() -> None:
    scene = Scene(1, 2)
    assert [scene.come(f"{name}/1") for name in "abcdefg"] == ["in", *["waits"] * 6]


def test_spare_places_are_for_keys_with_less_than_half_their_share() -> None:
    scene = Scene(4, spare=1)
    assert [scene.come(f"batch/{number}") for number in range(6)] == [*["in"] * 4, "waits", "waits"]
    assert scene.come("bot/1") == "in"
    assert scene.come("bot/2") == "waits"
    assert scene.go("bot/1") == "bot/2", "the spare place is free again, and the bot has nothing in flight"
    assert scene.go("bot/2") is None, "it is not for the batch"
    assert scene.go("batch/0") == "batch/4"
    assert scene.come("low/1", low=True) == "waits", "nor for what is not urgent"


def test_deployments_of_one_gpu_share_what_keys_have_had() -> None:
    lanes = Lanes()
    small, large = Scene(1, lanes=lanes), Scene(1, lanes=lanes)
    small.come("batch/0")
    large.come("batch/1")
    for scene in (small, large):
        scene.come("batch/2")
        scene.come("bot/1")
    assert small.go("batch/0") == "bot/1"
    for _ in range(2):
        lanes.of("bot", 1, 0.0).charge(UNITS, 0)
    assert large.go("batch/1") == "batch/2", "the bot has had its part at the other"


def test_less_is_charged_for_what_was_expected_and_more_for_what_was_not() -> None:
    scene = Scene(2)
    scene.come("a/1")
    scene.come("b/1")
    a, b = scene.places["a/1"], scene.places["b/1"]
    a.made(OUTPUT + GROWN_TOKENS - 1)
    assert a.lane.counter == UNITS
    a.made(OUTPUT + GROWN_TOKENS)
    assert a.lane.counter == UNITS + 2 * GROWN_TOKENS
    scene.go("a/1", used=1000)
    scene.go("b/1", used=0)
    assert a.lane.counter == 1000
    assert b.lane.counter == b.lane.counter - b.charged + UNITS, "as if it had never come"


def test_with_half_of_the_places_free_nothing_is_charged_unless_somebody_waits_at_the_end() -> None:
    scene = Scene(4)
    gate, lane = scene.gate, scene.lanes.of("a", 1, 0.0)
    places = [gate.step_in(lane, 0.0) for _ in range(3)]
    assert [each is not None for each in places] == [True, True, False]
    first, second = places[0], places[1]
    assert first is not None
    assert second is not None
    assert (gate.in_flight, lane.in_flight, scene.lanes.active, lane.counter) == (2, 2, 1, 0)
    assert gate.step_out(first, 0.0)
    assert (gate.in_flight, lane.in_flight, scene.lanes.active, lane.counter) == (1, 1, 1, 0)
    for number in range(4):
        scene.come(f"b/{number}")
    assert not gate.step_out(second, 0.0)
    assert gate.in_flight == 4, "nothing was done"
    assert gate.leave(second, 70, 0.0) is not None
    assert lane.counter == 70
    assert scene.lanes.active == 1


def test_counters_survive_being_taken_down() -> None:
    scene = Scene(1)
    scene.lanes.last = HIGH + 1
    scene.come("a/1")
    scene.come("a/2")
    scene.come("b/1")
    assert scene.lanes.last < HIGH
    assert scene.go("a/1") == "b/1"
    assert scene.go("b/1") == "a/2"


def test_more_room_lets_in_who_is_next() -> None:
    scene = Scene(1)
    for name in ("a/1", "a/2", "b/1", "b/2"):
        scene.come(name)
    assert [each.waiter for each in scene.gate.resize(3, 5, 0, 0.0)] == ["b/1", "a/2"]


def test_less_room_throws_nobody_out() -> None:
    scene = Scene(3)
    for number in range(4):
        scene.come(f"a/{number}")
    assert scene.gate.resize(1, 0, 0, 0.0) == []
    assert [scene.go(f"a/{number}") for number in range(3)] == [None, None, "a/3"]


def test_where_a_call_stands_is_known_before_and_while_it_waits() -> None:
    scene = Scene(2)
    for number in range(6):
        scene.come(f"batch/{number}")
    scene.come("bot/1")
    gate = scene.gate
    names = [place.waiter for place in gate.order()]
    assert names == ["bot/1", "batch/2", "batch/3", "batch/4", "batch/5"]
    late = Place[str](scene.lanes.of("batch", 1, 0.0), PROMPT, OUTPUT, 0.0)
    assert gate.ahead(late) == 5
    assert [gate.ahead(place) for place in gate.order()] == [0, 1, 2, 3, 4]
    assert gate.wait_s(5) is None
    scene.now = 4.0
    scene.go("batch/0")
    assert gate.service_s == 4.0
    assert gate.wait_s(5) == 12.0, "six turns of two at a time, 4 s each"


def test_other_gpus_are_other_lanes_and_nobody_who_waits_is_lost() -> None:
    scene, other = Scene(1), Lanes()
    for name in ("a/1", "a/2", "b/1"):
        scene.come(name)
    scene.gate.move(other, 0.0)
    assert scene.lanes.waiting == {}
    assert [scene.go("a/1"), scene.go("b/1"), scene.go("a/2")] == ["b/1", "a/2", None]
    assert other.active == 0
    assert scene.lanes.active == 0


LENGTHS = {"short": (20, 10), "middle": (100, 100), "long": (400, 600)}
"""Prompt and answer, in tokens."""


def served(weights: dict[str, int], calls: dict[str, tuple[int, int]], units: int, seed: int) -> dict[str, float]:
    """How much of the work each key gets whose calls always wait, with answers of half to one and a half times that length, of
    which nobody knows before. A step makes a token of every call in flight.
    """
    dice, lanes = random.Random(seed), Lanes()
    gate: Gate[str] = Gate(lanes, 8, 1000)
    left: dict[Place[str], int] = {}
    done = dict.fromkeys(calls, 0.0)
    total = 0.0

    def come(key: str) -> None:
        prompt, output = calls[key]
        place = Place(lanes.of(key, weights.get(key, 1), 0.0), prompt, output, 0.0, key)
        if gate.try_enter(place) or (gate.enter(place) is None and not gate.waits(place)):
            began(place)

    def began(place: Place[str]) -> None:
        left[place] = round(calls[place.waiter or ""][1] * dice.uniform(0.5, 1.5)) or 1
        done[place.waiter or ""] += place.prompt

    for _ in range(40):
        for key in calls:
            come(key)
    made: dict[Place[str], int] = {}
    while total < units:
        for place in list(left):
            key = place.waiter or ""
            made[place] = made.get(place, 0) + 1
            done[key] += 2
            left[place] -= 1
            place.made(made[place])
            if not left[place]:
                del left[place]
                following = gate.leave(place, place.prompt + 2 * made.pop(place), 0.0)
                if following is not None:
                    began(following)
                come(key)
        total = sum(done.values())
    return {key: each / total for key, each in done.items()}


@pytest.mark.parametrize("seed", range(5))
def test_keys_whose_calls_always_wait_get_equal_parts_however_long_their_answers_are(seed: int) -> None:
    shares = served({}, LENGTHS, 400_000, seed)
    assert all(abs(share - 1 / 3) < 0.05 / 3 for share in shares.values()), shares


@pytest.mark.parametrize("seed", range(5))
def test_a_key_of_weight_five_gets_five_times_as_much(seed: int) -> None:
    shares = served({"long": 5}, {"long": LENGTHS["long"], "short": LENGTHS["short"]}, 400_000, seed)
    assert 4.75 < shares["long"] / shares["short"] < 5.25, shares


KEYS = "abcd"
STEPS = st.sampled_from(
    ["enter", "enter", "step in", "enter low", "leave", "leave", "withdraw", "resize", "move", "grow"]
)


@given(
    st.integers(1, 4),
    st.integers(0, 6),
    st.integers(0, 2),
    st.lists(st.tuples(STEPS, st.integers(0, 999)), max_size=200),
)
def test_no_place_is_lost_doubled_or_left_empty(
    capacity: int, max_queued: int, spare: int, steps: list[tuple[str, int]]
) -> None:
    run(capacity, max_queued, spare, steps)


def test_ten_thousand_steps_lose_no_place() -> None:
    dice = random.Random(11)
    kinds = ["enter", "enter", "step in", "enter low", "leave", "leave", "withdraw", "resize", "move", "grow"]
    run(3, 8, 1, [(dice.choice(kinds), dice.randrange(1000)) for _ in range(examples(10_000))])
    run(2, 500, 2, [(dice.choice(kinds), dice.randrange(1000)) for _ in range(10_000)])


def run(capacity: int, max_queued: int, spare: int, steps: list[tuple[str, int]]) -> None:
    """Against lists of who must be in and who must wait."""
    gate: Gate[int] = Gate(Lanes(), capacity, max_queued, spare)
    inside: list[Place[int]] = []
    waiting: list[Place[int]] = []

    def moved(place: Place[int]) -> None:
        waiting.remove(place)
        inside.append(place)

    for number, (step, dice) in enumerate(steps):
        lanes = gate.lanes
        if step.startswith("enter"):
            lane = lanes.of(KEYS[dice % 4], 1 + dice % 3, float(number), low=step.endswith("low"))
            place = Place(lane, 1 + dice, dice % 50, float(number), number)
            if gate.try_enter(place):
                inside.append(place)
            else:
                refused = gate.enter(place)
                if refused is not place:
                    (waiting if gate.waits(place) else inside).append(place)
                if refused is not None and refused is not place:
                    waiting.remove(refused)
        elif step == "step in":
            stepped = gate.step_in(lanes.of(KEYS[dice % 4], 1, float(number)), float(number))
            if stepped is not None:
                inside.append(stepped)
        elif step == "leave" and inside:
            following = gate.leave(inside.pop(dice % len(inside)), dice, float(number))
            if following is not None:
                moved(following)
        elif step == "withdraw" and waiting:
            assert gate.withdraw(waiting.pop(dice % len(waiting)))
        elif step == "resize":
            for place in gate.resize(1 + dice % 5, max_queued, dice % 3, float(number)):
                moved(place)
        elif step == "move":
            gate.move(Lanes(), float(number))
        elif step == "grow" and inside:
            inside[dice % len(inside)].made(dice * 10)
        assert (gate.in_flight, gate.queued) == (len(inside), len(waiting))
        assert sorted(place.waiter or 0 for place in gate.order()) == sorted(place.waiter or 0 for place in waiting)
        assert not waiting or gate.in_flight >= gate.capacity
        active = {place.lane for place in (*waiting, *inside) if place.lane.all is gate.lanes}
        assert gate.lanes.active == len(active)


def test_nobody_starves() -> None:
    """A key's next call is let in before the others have had more than what may lie between two counters, twice each."""
    dice, lanes = random.Random(7), Lanes()
    gate: Gate[int] = Gate(lanes, 1, 1000)
    most, had = 1000 + 2 * 500, 0.0
    next_since: dict[Lane, float] = {}

    def come(number: int) -> Place[int] | None:
        lane = lanes.of(KEYS[number % 4], 1, 0.0)
        place = Place(lane, dice.randrange(1, 1000), dice.randrange(500), 0.0, number)
        if gate.try_enter(place):
            return place
        gate.enter(place)
        next_since.setdefault(lane, had)
        return None

    inside, *_ = filter(None, [come(number) for number in range(100)])
    for number in range(2000):
        had += inside.charged
        following = gate.leave(inside, inside.charged, 0.0)
        assert following is not None
        assert had - next_since[following.lane] <= 3 * 2 * most
        next_since[following.lane] = had
        inside = following
        come(number)


def test_what_it_costs_is_bounded_by_the_lanes_that_wait_not_by_their_calls() -> None:
    """Counted in looks at lanes, and in lines that are run for a call that leaves, one that asks where it stands, one that is
    withdrawn and one that comes: a hundred times as many calls waiting are no more of them.
    """
    looks, lines = [], []
    for calls in (12, 1200):
        scene = Scene(1, 100_000)
        for number in range(calls):
            scene.come(f"{KEYS[number % 4]}/{number}")
        looks.append(len(list(scene.gate.waiting())))
        with counted() as ran:
            scene.go("a/0")
            scene.gate.ahead(scene.places[f"c/{calls - 2}"])
            scene.gate.withdraw(scene.places["d/3"])
            scene.come("a/new")
        lines.append(len(ran))
    assert looks == [4, 4]
    assert lines[0] == lines[1] > 50


@contextmanager
def counted() -> Iterator[list[int]]:
    """The lines of the policy that are run meanwhile."""
    ran: list[int] = []

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if "/hayate/policy/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            ran.append(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield ran
    finally:
        sys.settrace(before)
