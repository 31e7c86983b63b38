"""Many limits on one timer: whoever is late is told, in time, and nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hayate.upstream.deadlines import Deadlines

pytestmark = pytest.mark.anyio


class Loop:
    """A clock moved by hand, with the timers set on it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Any, Any]] = []
        self.made = 0

    def time(self) -> float:
        return self.now

    def call_at(self, at: float, function: Any) -> Any:
        loop = self

        class Timer:
            def cancel(self) -> None:
                loop.timers = [each for each in loop.timers if each[2] is not self]

        timer = Timer()
        self.made += 1
        self.timers.append((at, function, timer))
        return timer

    def run_to(self, until: float) -> None:
        while due := sorted((each for each in self.timers if each[0] <= until), key=lambda each: each[0]):
            self.timers.remove(due[0])
            self.now = due[0][0]
            due[0][1]()
        self.now = until


def waiting() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


def late() -> Exception:
    return TimeoutError("late")


@pytest.fixture
def loop() -> Loop:
    return Loop()


def deadlines(loop: Any) -> Deadlines:
    return Deadlines(loop)


async def test_who_is_late_is_told_and_nobody_before(loop: Loop) -> None:
    limits = deadlines(loop)
    futures = [waiting() for _ in range(3)]
    for future, limit_s in zip(futures, (3.0, 1.0, 2.0), strict=True):
        limits.add(future, limit_s, late)
    for at, done in ((0.9, [False, False, False]), (1.0, [False, True, False]), (2.5, [False, True, True])):
        loop.run_to(at)
        assert [future.done() for future in futures] == done
    loop.run_to(3.0)
    assert all(isinstance(future.exception(), TimeoutError) for future in futures)
    assert not loop.timers


async def test_who_was_in_time_is_left_alone(loop: Loop) -> None:
    limits = deadlines(loop)
    discarded, done = waiting(), waiting()
    limits.add(discarded, 1.0, late)
    limits.add(done, 1.0, late)
    limits.discard(discarded)
    done.set_result(None)
    loop.run_to(5.0)
    assert not discarded.done()
    assert done.exception() is None
    assert not loop.timers


async def test_a_thousand_waits_cost_one_timer(loop: Loop) -> None:
    limits = deadlines(loop)
    for _ in range(1000):
        future = waiting()
        limits.add(future, 300.0, late)
        limits.discard(future)
        loop.now += 0.01
    assert loop.made == 1


async def test_a_shorter_limit_is_kept_beside_a_longer_one(loop: Loop) -> None:
    limits = deadlines(loop)
    long, short = waiting(), waiting()
    limits.add(long, 300.0, late)
    limits.add(short, 2.0, late)
    loop.run_to(2.0)
    assert isinstance(short.exception(), TimeoutError)
    assert not long.done()
    loop.run_to(300.0)
    assert isinstance(long.exception(), TimeoutError)
