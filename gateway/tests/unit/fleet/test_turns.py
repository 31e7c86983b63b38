"""Many replicas are taken a few at a time, and asked at different times."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from hayate.fleet.deployment import Deployment
from hayate.fleet.turns import ASKED_AT_ONCE, LOOKED_AT_ONCE, Tasks, by_turns, part_of_interval
from tests.unit.fleet.made import QUICK, spec


@pytest.mark.anyio
@pytest.mark.parametrize("at_once", [ASKED_AT_ONCE, LOOKED_AT_ONCE])
async def test_others_have_their_turn_between(at_once: int) -> None:
    seen: list[int] = []

    async def others() -> list[int]:
        turns = []
        while len(seen) < 5 * at_once:
            turns.append(len(seen))
            await asyncio.sleep(0)
        return turns

    task = asyncio.create_task(others())
    await asyncio.sleep(0)
    async for each in by_turns(range(5 * at_once), at_once):
        seen.append(each)  # noqa: PERF401  somebody else reads it meanwhile
    turns = await task
    assert seen == list(range(5 * at_once))
    assert max(after - before for before, after in pairwise(turns)) <= at_once


@pytest.mark.parametrize("count", [1, 2, 3, 16, 256])
def test_however_many_there_are_no_two_ends_are_close(count: int) -> None:
    ends = sorted(part_of_interval(number) for number in range(count))
    assert part_of_interval(0) == 1
    assert all(0 < end <= 1 for end in ends)
    assert min((later - sooner for sooner, later in pairwise(ends)), default=1) > 0.35 / count


@pytest.mark.anyio
async def test_a_task_that_fails_is_told_with_its_replica_and_another_may_follow() -> None:
    (replica,) = Deployment(spec(), QUICK).replicas
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["message"])))
    tasks, over = Tasks("a look at {} failed"), asyncio.Event()

    async def fails() -> None:
        raise ValueError

    tasks.start(replica, fails())
    assert replica in tasks
    await asyncio.sleep(0.01)
    assert (replica in tasks, told) == (False, ["a look at qwen/0 failed"])

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            over.set()

    tasks.start(replica, waits())
    await asyncio.sleep(0)
    await tasks.end()
    assert over.is_set()
    assert len(told) == 1
