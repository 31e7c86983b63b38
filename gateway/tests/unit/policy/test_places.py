"""A call's place: what it is charged while its answer grows; and the queue of a lane."""

from __future__ import annotations

from hayate.policy.lanes import Lanes
from hayate.policy.places import GROWN_TOKENS, Place, Queue


def test_a_place_is_charged_in_steps_for_what_goes_beyond_the_expected() -> None:
    lane = Lanes().of("a", 1, 0.0)
    place: Place[str] = Place(lane, 10, 20, 0.0)
    assert place.charged == 50
    place.made(20 + GROWN_TOKENS - 1)
    assert (place.charged, lane.counter) == (50, 0)
    place.made(20 + GROWN_TOKENS)
    assert (place.charged, lane.counter, lane.pending) == (50 + 2 * GROWN_TOKENS, 2 * GROWN_TOKENS, 2 * GROWN_TOKENS)


def test_a_queue_counts_its_units_and_who_has_come() -> None:
    lane, queue = Lanes().of("a", 1, 0.0), Queue[str]()
    places: list[Place[str]] = [Place(lane, number, 1, 0.0) for number in (1, 2, 3)]
    for place in places:
        queue.add(place)
    assert (queue.units, [place.number for place in places]) == (12, [1, 2, 3])
    queue.take(places[1])
    assert (queue.units, list(queue.places)) == (8, [places[0], places[2]])
