"""One line for each deployment, whoever loads its model."""

from __future__ import annotations

from time import monotonic

import pytest

from hayate.fleet.engine_view import gpu_views
from hayate.settings import Gpu
from tests.support.waiting import NEVER_S
from tests.unit.fleet.made import spec
from tests.unit.fleet.switched import GIB, managed, switching

pytestmark = pytest.mark.anyio


async def test_what_is_known_is_told() -> None:
    gpus = {"gpu0": Gpu(memory=24 * GIB, quantum_s=NEVER_S)}
    async with switching(managed("fast"), spec("plain"), gpus=gpus) as switched:
        before = {each.name: each for each in switched.driver.view(monotonic())}
        assert (before["fast"].state, before["fast"].how, before["fast"].memory_bytes) == ("unloaded", "run", 16 * GIB)
        assert before["plain"].how is None
        assert [each.used_bytes for each in gpu_views(switched.driver.gpus, switched.driver.residents.values())] == [0]
        place = await switched.call("fast")
        [gpu] = gpu_views(switched.driver.gpus, switched.driver.residents.values())
        assert (gpu.name, gpu.memory_bytes, gpu.used_bytes) == ("gpu0", 24 * GIB, 16 * GIB)
        loaded = switched.driver.view(monotonic())[0]
        assert (loaded.state, loaded.in_flight, loaded.idle_s) == ("ready", 1, None)
        assert loaded.last_load_s is not None
        switched.over("fast", place)
        assert switched.driver.view(monotonic())[0].idle_s is not None
