"""A gate lets in, queues in order, or refuses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hayate.policy.admission import Gate, Verdict


def test_in_then_queued_then_refused() -> None:
    gate: Gate[str] = Gate(2, 1)
    assert [gate.enter(name, "key", 1) for name in "abcd"] == [Verdict.IN, Verdict.IN, Verdict.QUEUED, Verdict.REFUSED]
    assert (gate.in_flight, gate.queued) == (2, 1)


def test_the_first_in_the_queue_takes_the_place_that_is_given_back() -> None:
    gate: Gate[str] = Gate(1, 3)
    for name in "abc":
        gate.enter(name, "key", 1)
    assert gate.leave("key", 1) == "b"
    assert gate.leave("key", 1) == "c"
    assert gate.leave("key", 1) is None
    assert (gate.in_flight, gate.queued) == (0, 0)


def test_nobody_overtakes_the_queue() -> None:
    gate: Gate[str] = Gate(1, 3)
    gate.enter("a", "key", 1)
    gate.enter("b", "key", 1)
    gate.capacity = 5
    assert not gate.try_enter("key", 1)
    assert gate.enter("c", "key", 1) is Verdict.QUEUED


def test_a_ticket_may_be_withdrawn_once() -> None:
    gate: Gate[str] = Gate(1, 3)
    for name in "abc":
        gate.enter(name, "key", 1)
    assert gate.withdraw("b")
    assert not gate.withdraw("b")
    assert not gate.withdraw("a")
    assert gate.leave("key", 1) == "c"


def test_no_queue_at_all_refuses_at_once() -> None:
    gate: Gate[str] = Gate(1, 0)
    assert [gate.enter(name, "key", 1) for name in "ab"] == [Verdict.IN, Verdict.REFUSED]


def test_more_room_lets_the_first_in() -> None:
    gate: Gate[str] = Gate(1, 5)
    for name in "abcde":
        gate.enter(name, "key", 1)
    assert gate.resize(3, 5) == ["b", "c"]
    assert gate.in_flight == 3


def test_less_room_throws_nobody_out() -> None:
    gate: Gate[str] = Gate(3, 5)
    for name in "abcd":
        gate.enter(name, "key", 1)
    assert gate.resize(1, 0) == []
    assert (gate.in_flight, gate.queued) == (3, 1)
    assert [gate.leave("key", 1), gate.leave("key", 1)] == [None, None]
    assert gate.leave("key", 1) == "d"


@given(
    st.integers(0, 4),
    st.integers(0, 4),
    st.lists(st.sampled_from(["enter", "leave", "withdraw", "resize"]), max_size=80),
)
def test_places_are_never_lost_doubled_or_left_empty(capacity: int, max_queued: int, steps: list[str]) -> None:
    gate: Gate[int] = Gate(capacity, max_queued)
    inside: list[int] = []
    waiting: list[int] = []
    for number, step in enumerate(steps):
        if step == "enter":
            verdict = gate.enter(number, "key", 1)
            if verdict is Verdict.IN:
                inside.append(number)
            elif verdict is Verdict.QUEUED:
                waiting.append(number)
        elif step == "leave" and inside:
            inside.pop()
            admitted = gate.leave("key", 1)
            if admitted is not None:
                assert waiting.pop(0) == admitted
                inside.append(admitted)
        elif step == "withdraw" and waiting:
            assert gate.withdraw(waiting.pop())
        elif step == "resize":
            for admitted in gate.resize(capacity + number % 3, max_queued):
                assert waiting.pop(0) == admitted
                inside.append(admitted)
        assert (gate.in_flight, gate.queued) == (len(inside), len(waiting))
        assert not waiting or gate.in_flight >= gate.capacity
