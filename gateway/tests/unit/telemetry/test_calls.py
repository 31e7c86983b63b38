"""What follows a call: each observer hears of every call once, in order, a few at a time, and none waits for long."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hayate.telemetry.calls import LATE_S, MAX_TOGETHER, EndedCalls
from hayate.telemetry.record import CallRecord
from tests.unit.telemetry.records import record


class Observer:
    """Remembers what it was told of."""

    def __init__(self) -> None:
        self.batches: list[list[CallRecord]] = []

    def calls_ended(self, batch: Sequence[CallRecord]) -> None:
        self.batches.append(list(batch))

    @property
    def sizes(self) -> list[int]:
        return [len(each) for each in self.batches]


def test_every_observer_hears_of_every_call() -> None:
    one, other = Observer(), Observer()
    calls = EndedCalls([one, other])
    ended = [record(), record()]
    for each in ended:
        calls.add(each, 102.0)
    assert one.batches == other.batches == [[ended[0]], [ended[1]]]


def test_calls_that_end_within_a_while_are_told_of_together() -> None:
    observer, due = Observer(), list[tuple[float, Callable[[], None]]]()
    calls = EndedCalls([observer], later=lambda after_s, flush: due.append((after_s, flush)))
    for _ in range(3):
        calls.add(record(), 102.0)
    assert ([after_s for after_s, _ in due], observer.sizes) == ([LATE_S], [])
    due.pop()[1]()
    assert observer.sizes == [3]
    calls.add(record(), 102.0)
    assert len(due) == 1


def test_many_calls_do_not_wait_and_set_no_second_timer() -> None:
    observer, due = Observer(), list[Callable[[], None]]()
    calls = EndedCalls([observer], later=lambda _, flush: due.append(flush))
    for _ in range(2 * MAX_TOGETHER + 1):
        calls.add(record(), 102.0)
    assert observer.sizes == [MAX_TOGETHER, MAX_TOGETHER]
    assert len(due) == 1
    due.pop()()
    assert observer.sizes == [MAX_TOGETHER, MAX_TOGETHER, 1]


def test_a_call_that_waits_is_told_of_when_somebody_asks_and_keeps_its_own_time() -> None:
    observer, clock = Observer(), iter([1_790_000_000.5, 1_790_000_001.5])
    calls = EndedCalls([observer], wall_clock=lambda: next(clock), later=lambda *_: None)
    calls.add(record(), 102.0)
    calls.add(record(), 103.0)
    calls.flush()
    calls.flush()
    [both] = observer.batches
    assert [(each.ended, each.ended_at) for each in both] == [(102.0, 1_790_000_000.5), (103.0, 1_790_000_001.5)]
