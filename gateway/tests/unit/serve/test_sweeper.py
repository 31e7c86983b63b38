"""The collector does not run by itself; circles are found in small steps, when nothing else is to do, or when memory is short."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from hayate.serve.sweeper import CALL_BYTES, FORCED_BYTES, IDLE_LOOKS, LEAST_S, LOOK_S, MEMORY_LOOKS, Sweeper


class Circle:
    """What only a collector frees."""

    def __init__(self) -> None:
        self.itself = self


class Process:
    """What a sweeper sees of the process, and time."""

    def __init__(self) -> None:
        self.calls = self.memory_bytes = 0
        self.now = self.busy_s = 0.0
        self.sweeper = Sweeper(
            lambda: self.calls,
            now=lambda: self.now,
            busy_s=lambda: self.busy_s,
            memory_bytes=lambda: self.memory_bytes,
        )

    def looks(self, count: int, *, busy: float = 0.0) -> None:
        for _ in range(count):
            self.now += LOOK_S
            self.busy_s += busy * LOOK_S
            self.sweeper.look()

    def ran(self) -> dict[str, int]:
        return {when: runs.count for when, runs in self.sweeper.runs.items() if when != "step" and runs.count}


@pytest.fixture
def process() -> Iterator[Process]:
    found = Process()
    found.sweeper.start()
    yield found
    found.sweeper.stop()
    gc.unfreeze()


def old_circle() -> weakref.ref[Circle]:
    """One that has been looked at by two steps while it was in use, and is in use no more."""
    circle = Circle()
    gc.collect(1)
    return weakref.ref(circle)


def test_the_collector_does_not_run_by_itself_until_the_end(process: Process) -> None:
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0
    process.sweeper.stop()
    assert gc.isenabled()


def test_one_that_was_never_started_changes_nothing() -> None:
    Process().sweeper.stop()
    assert gc.isenabled()


def test_a_step_finds_what_was_made_since_the_last_one(process: Process) -> None:
    process.calls = 1
    circle = weakref.ref(Circle())
    assert circle() is not None
    process.looks(1, busy=1)
    assert circle() is None
    assert process.sweeper.runs["step"].count == 1
    assert process.sweeper.runs["step"].found >= 1


def test_everything_is_looked_at_when_nothing_has_been_done_for_a_while_once(process: Process) -> None:
    circle = old_circle()
    process.looks(1, busy=1)
    process.looks(IDLE_LOOKS - 1)
    assert circle() is not None
    process.now += LEAST_S
    process.looks(1)
    assert circle() is None
    process.now += LEAST_S
    process.looks(3 * IDLE_LOOKS)
    assert process.ran() == {"idle": 1}


@pytest.mark.parametrize(("calls", "busy"), [(1, 0.0), (0, 0.5)])
def test_never_while_there_are_calls_or_work(process: Process, calls: int, busy: float) -> None:
    process.looks(1, busy=1)
    process.now += LEAST_S
    process.calls = calls
    process.looks(3 * IDLE_LOOKS, busy=busy)
    assert process.ran() == {}


def test_not_too_often_however_idle(process: Process) -> None:
    process.now += LEAST_S
    for _ in range(3):
        process.looks(1, busy=1)
        process.looks(IDLE_LOOKS)
    assert process.ran() == {"idle": 1}


def test_memory_that_grows_by_more_than_its_calls_forces_a_run(process: Process) -> None:
    circle = old_circle()
    process.calls = 10
    process.memory_bytes = FORCED_BYTES + 10 * CALL_BYTES
    process.looks(2 * MEMORY_LOOKS, busy=1)
    assert process.ran() == {}
    assert circle() is not None
    process.memory_bytes += 1
    process.looks(2 * MEMORY_LOOKS, busy=1)
    assert process.ran() == {"forced": 1}
    assert circle() is None


def test_prometheus_is_told(process: Process) -> None:
    process.looks(2, busy=1)
    told = {
        each.name: {sample.labels["when"]: sample.value for sample in each.samples}
        for each in process.sweeper.collect()
    }
    assert told["hayate_sweeps"] == {"step": 2, "idle": 0, "forced": 0}
    assert set(told) == {"hayate_sweeps", "hayate_sweep_seconds", "hayate_sweep_objects"}


def test_what_the_process_has_of_the_machines_memory_is_known() -> None:
    sweeper = Sweeper(lambda: 0)
    assert 1_000_000 < sweeper._memory_bytes() < 100_000_000_000
