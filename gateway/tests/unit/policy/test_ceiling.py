"""A ceiling is what is set, or what the engine is known to have, or what is found by its signals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.policy.ceiling import (
    AWAY_S,
    LONGEST_S,
    MOST,
    REMEMBERED_S,
    SILENT_LOOKS,
    SPARE,
    START,
    UNSEEN,
    Ceiling,
    Load,
)

QUIET = Load(running=1, waiting=0, kv_use=0.1)


def auto(min_tokens_per_s: float | None = None) -> Ceiling:
    ceiling = Ceiling()
    ceiling.configure("auto", None, min_tokens_per_s)
    return ceiling


def settled(places: int, min_tokens_per_s: float | None = None) -> Ceiling:
    """One whose engine has been seen to work on one call more than that."""
    ceiling = auto(min_tokens_per_s)
    while ceiling.places < places:
        ceiling.look(0.0, QUIET, ceiling.places, 1)
    for now in (1.0, 2.0):
        ceiling.look(now, Load(places + 1, 5), places + 6, 1)
    assert (ceiling.places, ceiling.why) == (places, "engine_queue")
    return ceiling


@pytest.mark.parametrize(
    ("number", "slots", "places", "why"), [(7, None, 7, "fixed"), (7, 4, 4, "slots"), (3, 4, 3, "fixed")]
)
def test_a_number_or_the_engines_slots_are_a_hard_limit(number: int, slots: int | None, places: int, why: str) -> None:
    ceiling = Ceiling()
    ceiling.configure(number, slots)
    ceiling.look(9.0, Load(1, 9, 1.0), 9, 9)
    ceiling.refused(9.0, 0)
    assert (ceiling.places, ceiling.spare, ceiling.why) == (places, 0, why)
    assert not ceiling.matters(places, 100)


def test_known_slots_are_the_ceiling_where_none_is_set() -> None:
    ceiling = auto()
    ceiling.configure("auto", 4)
    assert (ceiling.places, ceiling.spare, ceiling.why) == (4, 0, "slots")


def test_what_was_found_stays_when_nothing_new_is_told() -> None:
    ceiling = settled(9)
    ceiling.configure("auto", None)
    assert ceiling.places == 9
    ceiling.configure(5, None)
    ceiling.configure("auto", None)
    assert (ceiling.places, ceiling.why) == (START, "starting")


def test_it_is_looked_at_while_it_matters_alone() -> None:
    ceiling = auto()
    assert not ceiling.matters(START // 2, 0)
    assert ceiling.matters(START * 3 // 4, 0)
    assert ceiling.matters(0, 1)


def test_an_engine_that_takes_all_gets_a_quarter_more_until_its_limit_is_met() -> None:
    ceiling = auto()
    for places in (20, 25, 31, 38, 47, 58, 72):
        ceiling.look(places / 10, QUIET, ceiling.places, 100)
        assert (ceiling.places, ceiling.why) == (places, "starting")
    ceiling.look(9.0, Load(64, 8), 72, 100)
    assert ceiling.places == 72, "one look may have met a moment"
    ceiling.look(10.0, Load(62, 10), 72, 100)
    assert (ceiling.places, ceiling.why, ceiling.since) == (62, "engine_queue", 10.0)


@pytest.mark.parametrize(("ran", "places"), [(1, 1), (7, 7), (8, 7), (33, 32), (64, 62), (256, 248)])
def test_a_few_of_the_engines_places_are_left_free(ran: int, places: int) -> None:
    ceiling = auto()
    while ceiling.places < ran:
        ceiling.look(0.0, QUIET, ceiling.places, 1)
    for now in (1.0, 2.0):
        ceiling.look(now, Load(ran, 5), ran + 5, 1)
    assert ceiling.places == places


def test_what_runs_while_prompts_are_read_is_not_all_that_could() -> None:
    ceiling = settled(31)
    ceiling.look(3.0, Load(31, 0), 31, 9)
    ceiling.look(4.0, Load(9, 22), 31, 9)
    ceiling.look(5.0, Load(20, 11), 31, 9)
    assert ceiling.places == 30


def test_no_more_is_given_where_nobody_waits_or_places_are_free() -> None:
    ceiling = auto()
    ceiling.look(1.0, QUIET, ceiling.places, 0)
    ceiling.look(2.0, QUIET, ceiling.places - 1, 9)
    assert ceiling.places == START


def test_the_limit_is_remembered_and_then_passed_by_one() -> None:
    ceiling = settled(40)
    for now in range(3, int(REMEMBERED_S) + 3):
        ceiling.look(float(now), Load(40, 0), 40, 9)
        assert ceiling.places == 40
    ceiling.look(REMEMBERED_S + 3, Load(40, 0), 40, 9)
    assert (ceiling.places, ceiling.why) == (41, "raised")


def tried_again(ceiling: Ceiling, running: int, now: float) -> tuple[float, float]:
    """Looks each second, at an engine that works on so many at once, until its limit has been passed and met again: when was it
    passed, and when met?
    """
    places, passed = ceiling.places, 0.0
    while ceiling.places >= places:
        now += 1
        waiting = max(0, ceiling.places - running)
        ceiling.look(now, Load(ceiling.places - waiting, waiting), ceiling.places, 9)
        if ceiling.places > places and not passed:
            passed = now
        if passed and ceiling.why == "engine_queue":
            break
    return passed, now


def test_a_limit_that_is_what_it_was_is_tried_less_and_less_often_and_another_soon() -> None:
    ceiling, met_at, pauses = settled(40), 2.0, []
    for running in (41, 41, 41, 41, 20, 20):
        for number in range(4 * (ceiling.places > running)):
            met_at += 1
            ceiling.look(met_at, Load(running, 5 + number), ceiling.places, 9)
        passed_at, again_at = tried_again(ceiling, running, met_at)
        pauses.append(passed_at - met_at)
        met_at = again_at
    often = [REMEMBERED_S + 1, 2 * REMEMBERED_S + 1]
    assert pauses == [*often, LONGEST_S + 1, LONGEST_S + 1, *often]


def test_after_a_while_without_a_look_a_limit_is_tried_as_soon_as_a_new_one() -> None:
    ceiling, met_at = settled(40), 2.0
    for _ in range(3):
        _, met_at = tried_again(ceiling, 41, met_at)
    passed_at, _ = tried_again(ceiling, 41, met_at + AWAY_S)
    assert passed_at - met_at == REMEMBERED_S + 1


def test_a_limit_that_is_gone_is_left_behind_quickly() -> None:
    ceiling = settled(40)
    looks = 0
    while ceiling.places < 200:
        looks += 1
        ceiling.look(REMEMBERED_S + 3 + looks, Load(ceiling.places, 0), ceiling.places, 9)
    assert looks < 25


def test_others_at_the_engine_are_not_counted_as_ours() -> None:
    ceiling = settled(30)
    for now in (3.0, 4.0, 5.0):
        ceiling.look(now, Load(100, 3), 20, 1)
    assert ceiling.places == 19


def test_a_cache_that_is_nearly_full_takes_one_away() -> None:
    ceiling = settled(20)
    ceiling.look(3.0, Load(20, 0, 0.95), 20, 9)
    assert (ceiling.places, ceiling.why) == (19, "kv_cache")


@pytest.mark.parametrize(("uses", "more"), [((0.7, 0.7), 1), ((0.9, 0.9), 0), ((0.5, 0.56), 0), ((0.56, 0.5), 1)])
def test_none_is_given_to_a_cache_that_is_full_or_fills(uses: tuple[float, float], more: int) -> None:
    ceiling = settled(20)
    before, after = uses
    for now, use in enumerate((before, before, before, after)):
        ceiling.look(REMEMBERED_S + 3 + now, Load(20, 0, use), 20 if now == 3 else 19, 9)
    assert ceiling.places == 20 + more


def test_answers_that_are_too_slow_are_fewer() -> None:
    ceiling = settled(40, min_tokens_per_s=10)
    ceiling.look(3.0, Load(40, 0), 40, 9, gap_s=0.2)
    assert (ceiling.places, ceiling.why) == (36, "too_slow")
    ceiling.look(4.0, Load(36, 0), 36, 9, gap_s=0.095)
    assert ceiling.places == 36
    ceiling.look(5.0, Load(36, 0), 36, 9, gap_s=0.05)
    assert ceiling.places == 37


def test_an_engine_that_tells_nothing_gets_a_number_that_its_refusals_lower() -> None:
    ceiling = auto()
    for now in range(SILENT_LOOKS):
        ceiling.look(float(now), None, START, 9)
    assert (ceiling.places, ceiling.spare, ceiling.why) == (UNSEEN, UNSEEN // SPARE, "no_signals")
    for left in range(120, 60, -1):
        ceiling.refused(5.0, left)
    assert (ceiling.places, ceiling.why) == (192, "engine_refused")
    ceiling.refused(6.0, 170)
    assert ceiling.places == 170
    ceiling.look(7.0, None, 170, 9)
    assert ceiling.places == 170
    ceiling.look(REMEMBERED_S + 7, None, 170, 9)
    assert (ceiling.places, ceiling.why) == (191, "no_signals")


def test_one_that_told_something_and_is_silent_keeps_its_number() -> None:
    ceiling = settled(12)
    for now in range(3, 90):
        ceiling.look(float(now), None, 12, 9)
    assert (ceiling.places, ceiling.why) == (12, "stale")
    ceiling.look(90.0, Load(12, 0), 11, 9)
    assert (ceiling.places, ceiling.why) == (12, "raised")


def test_one_that_begins_to_tell_is_followed() -> None:
    ceiling = auto()
    for now in range(SILENT_LOOKS):
        ceiling.look(float(now), None, START, 9)
    ceiling.look(4.0, QUIET, 40, 0)
    assert (ceiling.places, ceiling.why) == (40, "starting")


LOADS = st.none() | st.builds(
    Load,
    st.none() | st.integers(0, 10**12),
    st.none() | st.integers(0, 10**12),
    st.none() | st.floats(allow_nan=True, allow_infinity=True),
)


@given(st.lists(st.tuples(LOADS, st.integers(0, 5000), st.integers(0, 512), st.booleans()), max_size=60))
def test_whatever_an_engine_says_there_is_a_place_and_an_end_to_them(
    looks: list[tuple[Load | None, int, int, bool]],
) -> None:
    ceiling = auto(min_tokens_per_s=5)
    for now, (load, in_flight, queued, refuses) in enumerate(looks):
        ceiling.look(float(now), load, in_flight, queued, gap_s=0.1 * (now % 4))
        if refuses:
            ceiling.refused(float(now), in_flight)
        assert 1 <= ceiling.places <= MOST
        assert 1 <= ceiling.spare <= max(1, MOST // SPARE)
