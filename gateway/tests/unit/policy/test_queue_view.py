"""What a queue looks like: its lanes, the longest first."""

from __future__ import annotations

from hayate.policy.admission import Gate, Place
from hayate.policy.lanes import Lanes
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
    assert batch == LaneView("batch", False, 1, 50, 1, 2, 9.0, None, None)
    assert bot == LaneView("bot", False, 1, 0, 0, 1, 7.0, None, None)
    gate.leave(places[0], 50, 10.0)
    later = view(gate, 10.0)
    assert {each.key: (each.in_flight, each.waiting, each.wait_p50_s, each.wait_p95_s) for each in later.lanes} == {
        "batch": (0, 2, None, None),
        "bot": (1, 0, 7.0, 7.0),
    }


def test_an_idle_gate_has_no_lanes() -> None:
    assert view(Gate[str](Lanes(), 4, 7, 1), 0.0).lanes == ()
