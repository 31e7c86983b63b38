"""When a replica is thrown out, and when it is taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.policy.health import CLOSE_FOR_S, CLOSE_S, KNOWN, NOT_SO_CLOSE_S, PROBES_TO_FAIL, TRIAL_S, Health, Out

MISSED: dict[str, Callable[[Health, float], object]] = {
    "refused": lambda health, now: health.probe_failed(now),
    "late": lambda health, now: health.probe_timed_out(now, calls=False, moved=False),
}


def fail(health: Health, now: float, times: int = 1, *, connecting: bool = False, alone: bool = True) -> list[bool]:
    return [health.failed(now, connecting=connecting, alone=alone) for _ in range(times)]


def well() -> Health:
    health = Health()
    health.probe_succeeded(0.0)
    return health


def always_answers() -> Health:
    health = well()
    for _ in range(KNOWN):
        health.probe_succeeded(0.0, beside=True)
    return health


# What answers do.


def test_answers_alone_never_take_out_the_last_replica() -> None:
    health = well()
    assert not any(fail(health, 1.0, 1000))
    assert health.available(1.0)
    assert health.ready(1.0)


@pytest.mark.parametrize("missed", MISSED)
def test_answers_with_one_failing_probe_do(missed: str) -> None:
    health = well()
    fail(health, 1.0, 5)
    assert MISSED[missed](health, 1.1)
    assert not health.available(1.1)
    assert not health.spare()
    assert not health.ready(1.1)


def test_a_failing_probe_and_then_answers_do_too() -> None:
    health = well()
    health.probe_failed(1.0)
    assert fail(health, 1.1, 5) == [False] * 4 + [True]
    assert not health.available(1.1)


def test_answers_set_a_replica_aside_while_another_is_available() -> None:
    health = well()
    assert fail(health, 1.0, 5, alone=False) == [False] * 4 + [True]
    assert not health.available(30.9)
    assert health.spare()  # should the others go
    assert health.ready(1.0)
    assert health.state(1.0) == "answers"
    assert health.back_in_s(11.0) == 20.0
    assert health.available(31.0)


def test_failures_of_calls_that_were_under_way_do_not_extend_an_ejection() -> None:
    health = well()
    fail(health, 0.0, 5, alone=False)
    fail(health, 1.0, 20, alone=False)
    assert health.back_in_s(1.0) == 29.0
    assert health.ejections == 1


def test_each_ejection_lasts_longer_than_the_one_before_and_good_times_make_it_short_again() -> None:
    health, now = well(), 0.0
    for number in (1, 2, 3):
        fail(health, now, 5, alone=False)
        assert health.back_in_s(now) == 30.0 * number
        now += 30.0 * number
    health.succeeded(now)
    for _ in range(3):
        now += 31.0
        health.succeeded(now)
    assert health.ejections == 0


def test_after_its_time_one_call_tries_and_the_others_wait_for_what_it_says() -> None:
    health = well()
    fail(health, 0.0, 5, alone=False)
    assert health.available(30.0)
    health.chosen(30.0)
    assert not health.available(30.0)
    assert health.available(30.0 + TRIAL_S)  # it may have left without a word
    assert fail(health, 30.5, alone=False) == [True]
    assert health.back_in_s(30.5) == 60.0


def test_a_trial_call_that_is_answered_ends_the_ejection() -> None:
    health = well()
    fail(health, 0.0, 5, alone=False)
    health.chosen(30.0)
    health.succeeded(30.1)
    assert health.available(30.1)
    assert health.out is None


@pytest.mark.parametrize("accuse", ["answers", "connections", "probe"])
def test_a_call_that_began_before_the_replica_was_accused_does_not_bring_it_back(accuse: str) -> None:
    """An engine that is shutting down ends its calls well."""
    health = well()
    if accuse == "probe":
        for _ in range(PROBES_TO_FAIL):
            health.probe_failed(5.0)
    else:
        fail(health, 5.0, 5, connecting=accuse == "connections", alone=False)
    health.succeeded(6.0, began=4.9)
    assert not health.available(6.0)
    health.succeeded(6.0, began=5.0)
    assert health.available(6.0)


def test_a_success_ends_the_row() -> None:
    health = well()
    fail(health, 0.0, 4, connecting=True)
    health.succeeded(0.0)
    assert not any(fail(health, 0.0, 4, connecting=True))


def test_a_good_probe_does_not_bring_back_a_replica_whose_answers_fail() -> None:
    """A hung engine still answers it."""
    health = well()
    fail(health, 0.0, 5, alone=False)
    health.probe_succeeded(1.0)
    assert not health.available(1.0)


@pytest.mark.parametrize("missed", MISSED)
def test_it_does_when_a_probe_has_failed_since_the_engine_was_restarted(missed: str) -> None:
    health = well()
    fail(health, 0.0, 5, alone=False)
    MISSED[missed](health, 0.1)
    assert not health.spare()
    health.probe_succeeded(1.0)
    assert health.available(1.0)
    assert health.failures == 0


# What connections do.


@pytest.mark.parametrize("alone", [True, False])
def test_connections_that_fail_throw_out_any_replica_and_its_first_good_probe_takes_it_back(alone: bool) -> None:
    health = well()
    assert fail(health, 0.0, 5, connecting=True, alone=alone) == [False] * 4 + [True]
    assert not health.available(2.0)
    assert not health.spare()
    health.probe_succeeded(2.0)
    assert health.available(2.0)
    assert fail(health, 2.0, 4, connecting=True) == [False] * 4


def test_answers_between_them_make_no_row_of_failed_connections() -> None:
    health = well()
    for _ in range(20):
        assert not any(fail(health, 0.0, 4, connecting=True))
        assert not any(fail(health, 0.0))


def test_an_engine_that_was_killed_under_many_calls_is_back_with_its_first_good_probe() -> None:
    health = well()
    fail(health, 0.0, 150)
    health.probe_failed(0.01)
    fail(health, 0.02, 50, connecting=True)
    assert not health.available(0.1)
    health.probe_succeeded(0.5)
    assert health.available(0.5)


def test_where_nothing_probes_a_call_a_second_finds_out() -> None:
    health = Health(probing=False)
    assert health.ready(0.0)
    fail(health, 0.0, 5, connecting=True)
    assert not health.ready(0.0)
    health.chosen(TRIAL_S)
    assert fail(health, TRIAL_S, connecting=True) == [True]
    assert not health.available(TRIAL_S)
    assert health.available(2 * TRIAL_S)
    health.chosen(2 * TRIAL_S)
    health.succeeded(2 * TRIAL_S)
    assert health.available(2 * TRIAL_S)


# What probes do.


@pytest.mark.parametrize("missed", MISSED)
def test_failed_probes_take_a_replica_out_until_one_succeeds(missed: str) -> None:
    health = well()
    for _ in range(PROBES_TO_FAIL):
        assert health.available(0.0)
        assert health.ready(0.0)  # one slow probe flips nothing
        MISSED[missed](health, 1.0)
    assert not health.available(1000.0)
    assert health.state(1000.0) == "unreachable"
    health.probe_succeeded(1000.0)
    assert health.available(1000.0)


def test_a_call_that_is_answered_ends_it_too() -> None:
    health = well()
    for _ in range(PROBES_TO_FAIL):
        health.probe_failed(1.0)
    health.succeeded(2.0)
    assert health.available(2.0)


def test_a_replica_is_ready_once_seen_to_answer() -> None:
    health = Health()
    assert health.available(0.0)  # it may be tried
    assert not health.ready(0.0)
    health.probe_succeeded(0.0)
    assert health.ready(0.0)


def test_bytes_that_flow_excuse_a_late_probe() -> None:
    health = always_answers()
    for _ in range(100):
        health.probe_timed_out(1.0, calls=True, moved=True)
    assert health.ready(1.0)


def test_an_engine_that_always_answers_has_no_excuse_when_nothing_moves() -> None:
    health = always_answers()
    for _ in range(PROBES_TO_FAIL):
        health.probe_timed_out(1.0, calls=True, moved=False)
    assert not health.available(1.0)


def test_an_engine_that_may_work_on_one_thing_at_a_time_is_given_the_time() -> None:
    health = well()
    for _ in range(100):
        health.probe_timed_out(1.0, calls=True, moved=False)
    assert health.ready(1.0)
    assert not health.serial  # it may be dead as well: nothing is learned yet
    health.succeeded(30.0)
    assert health.serial
    for _ in range(100):
        health.probe_timed_out(31.0, calls=False, moved=False)  # busy with somebody else's
    assert health.ready(31.0)


def test_probes_that_are_answered_beside_a_call_show_that_it_is_no_such_engine() -> None:
    health = well()
    health.probe_timed_out(1.0, calls=True, moved=False)
    health.succeeded(2.0)
    for _ in range(KNOWN):
        assert health.serial
        health.probe_succeeded(3.0, beside=True)
    assert not health.serial


def test_even_a_serial_engine_that_refuses_is_out() -> None:
    health = well()
    health.probe_timed_out(1.0, calls=True, moved=False)
    health.succeeded(2.0)
    for _ in range(PROBES_TO_FAIL):
        health.probe_failed(3.0)
    assert not health.available(3.0)


def test_what_is_not_well_is_probed_closely_for_a_while() -> None:
    health = Health()
    assert health.probe_in_s(0.0, 5.0) == CLOSE_S
    health.probe_succeeded(1.0)
    assert health.probe_in_s(1.0, 5.0) == 5.0
    reasons: list[Callable[[], object]] = [
        lambda: health.probe_failed(10.0),
        health.made_nothing,
        lambda: fail(health, 10.0, 5, connecting=True),
    ]
    for reason in reasons:
        reason()
        assert health.probe_in_s(10.0, 5.0) == CLOSE_S
        assert health.probe_in_s(10.0 + CLOSE_FOR_S, 5.0) == NOT_SO_CLOSE_S
        assert health.probe_in_s(10.0, 0.05) == 0.05
        health.succeeded(80.0)
        assert health.probe_in_s(80.0, 5.0) == 5.0


# What canaries do.


def test_an_engine_that_makes_nothing_is_out_until_it_makes_something() -> None:
    health = well()
    health.made_nothing()
    health.probe_succeeded(1.0)
    assert not health.available(1.0)
    assert not health.ready(1.0)
    assert health.state(1.0) == "stuck"
    health.made_something(2.0)
    assert health.ready(2.0)


def test_or_until_it_was_restarted() -> None:
    health = well()
    health.made_nothing()
    health.probe_failed(1.0)
    health.probe_succeeded(2.0)
    assert health.ready(2.0)


# Whatever happens.

events = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "succeeded",
                "failed",
                "refused",
                "probe ok",
                "beside",
                "probe failed",
                "late",
                "busy",
                "chosen",
                "stuck",
                "made",
            ]
        ),
        st.booleans(),
        st.floats(0, 50),
    ),
    max_size=80,
)


def happen(health: Health, what: str, flag: bool, now: float) -> None:
    actions: dict[str, Callable[[], object]] = {
        "succeeded": lambda: health.succeeded(now),
        "failed": lambda: health.failed(now, alone=flag),
        "refused": lambda: health.failed(now, connecting=True, alone=flag),
        "probe ok": lambda: health.probe_succeeded(now),
        "beside": lambda: health.probe_succeeded(now, beside=True),
        "probe failed": lambda: health.probe_failed(now),
        "late": lambda: health.probe_timed_out(now, calls=False, moved=False),
        "busy": lambda: health.probe_timed_out(now, calls=True, moved=flag),
        "chosen": lambda: health.chosen(now),
        "stuck": health.made_nothing,
        "made": lambda: health.made_something(now),
    }
    actions[what]()


@given(events, st.booleans())
def test_a_replica_is_never_out_for_good(happened: list[tuple[str, bool, float]], probing: bool) -> None:
    health, now = Health(probing=probing), 0.0
    for what, flag, after_s in happened:
        now += after_s
        happen(health, what, flag, now)
        assert 0 <= health.back_in_s(now) <= 30.0 * max(1, health.ejections) + 1e-6
        assert health.ejections >= 0
        assert CLOSE_S <= health.probe_in_s(now, 5.0) <= 5.0
        assert not health.ready(now) or health.available(now) or health.spare()
    health.succeeded(now)
    assert health.available(now)
    assert health.out is None


@given(events, st.booleans())
def test_where_nothing_is_held_against_a_replica_a_success_changes_nothing(
    happened: list[tuple[str, bool, float]], probing: bool
) -> None:
    health, now = Health(probing=probing), 0.0
    for what, flag, after_s in happened:
        now += after_s
        happen(health, what, flag, now)
        if health.clean:
            told = replace(health)
            told.succeeded(now)
            assert told == health
            assert health.available(now), "who chooses need not ask"


@given(events)
def test_no_answer_takes_out_a_lone_replica_whose_probe_is_good(happened: list[tuple[str, bool, float]]) -> None:
    health, now = well(), 0.0
    for what, _, after_s in happened:
        now += after_s
        if what in ("failed", "succeeded", "probe ok", "beside", "busy", "chosen"):
            happen(health, what, True, now)
            assert health.available(now)
            assert health.out is None


@given(events)
def test_a_replica_that_was_reached_again_may_be_called_at_once(happened: list[tuple[str, bool, float]]) -> None:
    health, now = Health(), 0.0
    for what, flag, after_s in happened:
        now += after_s
        happen(health, what, flag, now)
    gone = health.out is not Out.ASIDE and not health.stuck
    health.probe_succeeded(now)
    assert health.available(now) or not gone
