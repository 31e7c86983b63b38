"""What a queue looks like: its lanes, the longest first."""

from __future__ import annotations

from hayate.policy.admission import Gate
from hayate.policy.lanes import IDLE_S, Lanes
from hayate.policy.places import Place
from hayate.policy.queue_view import LaneView, view


def test_a_gate_and_its_lanes() -> None:
    lanes = Lanes()
    gate: Gate[str] = Gate(lanes, 1, 7, 0)
    places = []
    for number, key in enumerate(["batch", "batch", "batch", "bot"]):
        place = Place[str](lanes.of(key, 1, 0.0), 10, 20, float(number))
        if not gate.try_enter(place):
            gate.enter(place)
        places.append(place)
    lanes.of("gone", 1, 0.0)
    seen = view(gate, 10.0)
    assert (seen.capacity, seen.spare, seen.in_flight, seen.queued, seen.max_queued) == (1, 0, 1, 3, 7)
    assert seen.service_s is None
    batch, bot = seen.lanes
    assert batch == LaneView("batch", False, 1, 50, 1, 2, 9.0, ())
    assert bot == LaneView("bot", False, 1, 0, 0, 1, 7.0, ())
    gate.leave(places[0], 50, 10.0)
    later = view(gate, 10.0)
    assert {each.key: (each.in_flight, each.waiting, each.wait_p50_s, each.wait_p95_s) for each in later.lanes} == {
        "batch": (0, 2, None, None),
        "bot": (1, 0, 7.0, 7.0),
    }


def test_a_lane_whose_calls_have_waited_is_seen_for_a_while() -> None:
    lanes = Lanes()
    gate: Gate[str] = Gate(lanes, 1, 200, 0)
    first = Place[str](lanes.of("batch", 1, 0.0), 10, 20, 0.0)
    assert gate.try_enter(first)
    waiting = [Place[str](lanes.of("bot", 1, 0.0), 10, 20, 0.0) for _ in range(100)]
    for place in waiting:
        gate.enter(place)
    gate.leave(first, 50, 1.0)
    for number, place in enumerate(waiting, 2):
        gate.leave(place, 50, float(number))
    assert (gate.in_flight, gate.queued) == (0, 0)
    [bot] = view(gate, 110.0).lanes
    assert (bot.key, bot.in_flight, bot.waiting, bot.oldest_s, bot.counter) == ("bot", 0, 0, 0.0, bot.counter)
    assert (bot.wait_p50_s, bot.wait_p95_s) == (51.0, 96.0)
    assert view(gate, 101.0 + IDLE_S).lanes == ()


def test_an_idle_gate_has_no_lanes() -> None:
    assert view(Gate[str](Lanes(), 4, 7, 1), 0.0).lanes == ()
