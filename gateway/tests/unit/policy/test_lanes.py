"""What each key has had: lanes come, are lifted, are charged by their weight, and go."""

from __future__ import annotations

import pytest

from hayate.policy.lanes import IDLE_S, LOW_SHARE, WAITS, Lanes


def test_a_key_has_one_lane_with_the_weight_that_it_has_now() -> None:
    lanes = Lanes()
    bot = lanes.of("bot", 1, 0.0)
    assert lanes.of("bot", 5, 1.0) is bot
    bot.charge(100, 50)
    assert (bot.weight, bot.counter, bot.had) == (5, 20, 10)


def test_calls_of_low_priority_have_a_lane_of_their_own_and_count_for_the_key_too() -> None:
    lanes = Lanes()
    low, bot = lanes.of("bot", 2, 0.0, low=True), lanes.of("bot", 2, 0.0)
    assert low is not bot
    assert low is lanes.of("bot", 2, 0.0, low=True)
    low.charge(10, 10)
    assert (low.counter, bot.counter) == (10 * LOW_SHARE / 2, 5)
    assert (low.had, bot.had) == (0, 0)


def test_who_comes_back_is_lifted_to_the_lowest_that_waits_or_to_who_was_let_in_last() -> None:
    lanes = Lanes()
    first, second, late = (lanes.of(name, 1, 0.0) for name in ("first", "second", "late"))
    first.counter, second.counter, lanes.last = 70, 50, 60
    lanes.lift(late)
    assert late.counter == 60
    lanes.waiting = {first: None, second: None}
    late.counter = 0
    lanes.lift(late)
    assert late.counter == 50
    late.counter = 90
    lanes.lift(late)
    assert late.counter == 90, "nobody is put back"
    second.charge(0, 20)
    late.counter = 0
    lanes.lift(late)
    assert late.counter == 30, "what calls in flight may take, the other has not had"


def test_lanes_that_nobody_uses_go_and_those_in_use_stay() -> None:
    lanes = Lanes()
    used = lanes.of("used", 1, 0.0)
    used.in_flight = 1
    for number in range(1000):
        lanes.of(f"key-{number}", 1, number * IDLE_S / 10)
    assert len(lanes) < 30
    assert lanes.of("used", 1, 0.0) is used


def test_counters_that_are_taken_down_keep_their_distances() -> None:
    lanes = Lanes()
    first, second = lanes.of("first", 1, 0.0), lanes.of("second", 1, 0.0)
    first.counter, second.counter, lanes.last = 5e12, 5e12 + 64, 5e12
    lanes.rebase()
    assert (first.counter, second.counter, lanes.last) == (0, 64, 0)


def test_waits_are_kept_from_the_first_on_that_was_one() -> None:
    lane = Lanes().of("bot", 1, 0.0)
    lane.waited(0)
    assert lane.waits is None
    for wait_s in (1.5, 0, 0):
        lane.waited(wait_s)
    assert list(lane.waits or ()) == [1.5, 0, 0]
    for _ in range(2 * WAITS):
        lane.waited(0)
    assert len(lane.waits or ()) == WAITS


@pytest.mark.parametrize(("in_flight", "waiting", "active"), [(0, 0, False), (1, 0, True), (0, 1, True)])
def test_a_lane_is_active_with_calls_in_flight_or_waiting(in_flight: int, waiting: int, active: bool) -> None:
    lane = Lanes().of("bot", 1, 0.0)
    lane.in_flight, lane.waiting = in_flight, waiting
    assert lane.active is active
