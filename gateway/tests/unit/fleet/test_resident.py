"""What the arbiter is told of a model's calls."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from tests.unit.fleet.switched import managed, switching

pytestmark = pytest.mark.anyio


async def test_calls_that_came_and_went_between_two_looks_count_as_use() -> None:
    async with switching(managed("fast")) as switched:
        switched.over("fast", await switched.call("fast"))
        resident = switched.driver.resident("fast")
        before = resident.tenant.used_at
        resident.notice(before + 10)
        switched.over("fast", await switched.call("fast"))
        resident.notice(before + 20)
        assert resident.tenant.used_at == before + 20
        resident.notice(before + 30)
        assert resident.tenant.used_at == before + 20


async def test_the_first_of_those_that_wait_is_told() -> None:
    async with switching(managed("fast")) as switched:
        switched.engines["fast"].holds.clear()
        began = monotonic()
        calls = [asyncio.create_task(switched.call("fast")) for _ in range(3)]
        await asyncio.sleep(0.01)
        resident = switched.driver.resident("fast")
        resident.notice(monotonic())
        assert (resident.tenant.in_flight, resident.tenant.waiting) == (0, 3)
        assert resident.tenant.oldest_at is not None
        assert began <= resident.tenant.oldest_at <= monotonic()
        switched.engines["fast"].holds.set()
        for call in calls:
            switched.over("fast", await call)
