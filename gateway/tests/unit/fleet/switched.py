"""Deployments whose models come and go, without engines behind: what loads them does as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from hayate.engines.base import How, LoadFailed
from hayate.fleet.deployment import Deployment
from hayate.fleet.engines import Engines, Event, Tell
from hayate.fleet.fleet import Fleet
from hayate.fleet.resident import Resident
from hayate.fleet.waiting import Waiter
from hayate.policy.places import Place
from hayate.policy.waits import PLAIN, Waits
from hayate.reasons import Reason
from hayate.settings import Gpu
from tests.support.waiting import LAST_RESORT_S
from tests.unit.fleet.made import QUICK, spec

GIB = 1024**3
GPU = Gpu(memory=24 * GIB, quantum_s=0.01, max_wait_s=0.05)


class ScriptedEngine:
    """Loads and unloads in no time, unless told otherwise."""

    how: How = "run"
    pid: int | None = None
    log: Path | None = None

    def __init__(self, deployment: Deployment, happened: list[str]) -> None:
        self.name = deployment.name
        self.ended: Callable[[LoadFailed], None] | None = None
        self.happened = happened
        """What was done to all engines of the test, in order."""
        self.in_memory: bool | None = False
        self.fails: LoadFailed | None = None
        self.keeps: LoadFailed | None = None
        """Why it does not let go of its memory."""
        self.holds = asyncio.Event()
        """Cleared: loading goes on until it is set."""
        self.holds.set()

    async def state(self) -> bool | None:
        return self.in_memory

    async def load(self, limit_s: float) -> None:
        self.happened.append(f"load {self.name}")
        await self.holds.wait()
        if self.fails is not None:
            raise self.fails
        self.in_memory = True

    async def unload(self) -> None:
        self.happened.append(f"unload {self.name}")
        if self.keeps is not None:
            raise self.keeps
        self.in_memory = False

    async def close(self) -> None:
        self.happened.append(f"close {self.name}")

    def dies(self) -> None:
        """By itself."""
        self.in_memory = False
        assert self.ended is not None
        self.ended(LoadFailed(f"{self.name} broke.", f"{self.name}が異常終了しました。", Reason.CUT))


class Switched:
    """A fleet, its engines by name, and the driver that switches them."""

    def __init__(
        self, *specs: Any, gpus: dict[str, Gpu] | None = None, preload: tuple[str, ...] = (), how: How = "run"
    ) -> None:
        self.fleet = Fleet(specs, {}, QUICK)
        self.engines: dict[str, ScriptedEngine] = {}
        self.happened: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.dies_when_met = ""
        """Whose engine ends right after it was loaded, once."""
        self.counts: Tell | None = None
        """Who else is told."""
        self.how = how
        self.driver = Engines(self.fleet, self._make, self._meet, self._tell, look_s=0.02)
        self.gpus = {"gpu0": GPU} if gpus is None else gpus
        self.driver.configure(self.gpus, preload)

    def _make(self, deployment: Deployment) -> ScriptedEngine | None:
        if deployment.spec.run is None:
            return None
        engine = self.engines[deployment.name] = ScriptedEngine(deployment, self.happened)
        engine.how = self.how
        return engine

    async def _meet(self, deployment: Deployment) -> None:
        if self.dies_when_met == deployment.name:
            self.dies_when_met = ""
            self.engines[deployment.name].dies()
        for replica in deployment.replicas:
            replica.renew()
            replica.health.probe_succeeded(monotonic())

    def _tell(self, event: Event, resident: Resident) -> None:
        self.told.append((event, resident.deployment.name))
        if self.counts is not None:
            self.counts(event, resident)

    def loaded(self) -> set[str]:
        return {name for name, engine in self.engines.items() if engine.in_memory}

    async def call(self, name: str, waits: Waits = PLAIN) -> Place[Waiter]:
        """Takes a place at a deployment, as a call does, and waits for it."""
        deployment = self.fleet.deployments[name]
        place: Place[Waiter] = Place(deployment.gate.lanes.of("key", 1, monotonic()), 1, 1, monotonic())
        if deployment.door is not None and not deployment.door.open:
            deployment.door.check(monotonic())
            deployment.door.knock()
        await deployment.waiting.enter(place, waits, LAST_RESORT_S)
        return place

    def over(self, name: str, place: Place[Waiter]) -> None:
        """A call has ended."""
        deployment = self.fleet.deployments[name]
        deployment.replicas[0].ended += 1
        deployment.waiting.leave(place, 0)


def managed(name: str, **more: Any) -> Any:
    """A deployment that the gateway runs; it takes two thirds of the GPU."""
    return spec(name, **{"run": "llamacpp", "gpu": ("gpu0",), "memory": 16 * GIB, "max_in_flight": 4, **more})


@asynccontextmanager
async def switching(*specs: Any, **more: Any) -> AsyncIterator[Switched]:
    switched = Switched(*specs, **more)
    task = asyncio.create_task(switched.driver.run())
    try:
        yield switched
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        switched.fleet.close()
