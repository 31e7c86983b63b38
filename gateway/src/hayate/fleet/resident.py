"""A model that comes and goes: its deployment, what runs it, and what the arbiter knows of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from time import monotonic

from hayate.engines.base import Engine, LoadFailed
from hayate.fleet.deployment import Deployment
from hayate.fleet.door import Door
from hayate.fleet.replica import Replica
from hayate.policy.tenant import GpuTerms, Tenant, TenantTerms
from hayate.reasons import Reason
from hayate.settings import Gpu

Work = Callable[["Resident"], Awaitable[None]]


class Resident:
    """One switched deployment's. It ends with the engine that it was made for: another configuration makes another one."""

    def __init__(
        self, deployment: Deployment, engine: Engine, tenant: Tenant, door: Door, before: Resident | None = None
    ) -> None:
        self.deployment = deployment
        self.engine = engine
        self.tenant = tenant
        self.door = door
        self.identity = deployment.spec.identity
        self.task: asyncio.Task[None] | None = None
        """What is being done with the engine."""
        self.todo: deque[Work] = deque()
        """What is to be done next."""
        self.error: LoadFailed | None = None
        """What last went wrong."""
        self.looked_at = 0.0
        self._before = before
        self._ended = 0
        self.gone_for_good = asyncio.Event()
        """The configuration has no such engine any more, and it has ended."""
        self._changed = asyncio.Event()

    @property
    def replicas(self) -> list[Replica]:
        """What the deployment calls."""
        return self.deployment.replicas

    def is_another(self, deployment: Deployment | None) -> bool:
        """Whether a deployment needs another engine than this."""
        return deployment is not self.deployment or deployment.spec.identity != self.identity

    async def free_of_its_forerunner(self) -> None:
        """Waits until the engine has ended that this one takes the place of: they would share a port."""
        if self._before is not None:
            await self._before.gone_for_good.wait()
            self._before = None

    def notice(self, now: float) -> None:
        """Fills in what the arbiter has to know of the calls."""
        gate, tenant = self.deployment.gate, self.tenant
        ended = sum(each.ended for each in self.replicas)
        if ended != self._ended:
            self._ended, tenant.used_at = ended, now
        tenant.in_flight, tenant.waiting = gate.in_flight, gate.queued
        tenant.oldest_at = min((place.since for _, _, place in gate.waiting()), default=None) if gate.queued else None

    def admit(self) -> None:
        """Its model is loaded: calls may come in."""
        door = self.door
        door.open = door.loaded = True
        door.barred, door.loading_since = None, None
        self.deployment.widen()

    def shut(self) -> None:
        """Calls that are under way go on; others wait."""
        self.door.open = False
        self.deployment.widen()

    def gone(self) -> None:
        """Its model is not in memory any more."""
        self.door.loaded = False
        self.shut()
        for replica in self.replicas:
            replica.pool.shed()

    def start(self, work: Work, fault: Callable[[Resident, BaseException], None]) -> None:
        """Has it done once what is being done is over. `fault` is told of an error that `work` did not expect."""
        if work in self.todo:
            return
        self.todo.append(work)
        if self.task is None:
            self.task = asyncio.create_task(self._work(), name=f"engine-{self.deployment.name}")
            self.task.add_done_callback(partial(self._over, fault))

    async def _work(self) -> None:
        try:
            while self.todo:
                await self.todo.popleft()(self)
                self.changed()
                self.door.knock()
        finally:
            self.task = None

    def _over(self, fault: Callable[[Resident, BaseException], None], task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            fault(self, error)

    def explain(self) -> None:
        """One that does not fit, whoever goes, has never failed to load: why it is not tried is told all the same."""
        if self.tenant.why == "too_large":
            name, gpus, advice = self.deployment.name, ", ".join(self.tenant.needs), Reason.TOO_LARGE.advice
            self.error = self.door.barred = LoadFailed(
                f"{name}: it does not fit on {gpus}, also when all is unloaded that may go. {advice.en}",
                f"{name}: ほかのモデルをすべて解放しても{gpus}に収まりません。{advice.ja}",
                Reason.TOO_LARGE,
            )

    def changed(self) -> None:
        """Tells those that wait for what becomes of it."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def next_change(self, limit_s: float) -> None:
        """Waits for it, for so long at most. Raises TimeoutError."""
        async with asyncio.timeout(limit_s):
            await self._changed.wait()

    @property
    def idle_s(self) -> float | None:
        """Since when it has nothing to do; None while it has, or is not loaded."""
        if not self.door.loaded or self.deployment.gate.in_flight or self.deployment.gate.queued:
            return None
        return max(0.0, monotonic() - self.tenant.used_at)


def terms_of(deployment: Deployment, gpus: Mapping[str, Gpu], preload: Collection[str]) -> TenantTerms:
    """What the arbiter is told of a deployment: of GPUs that are not in `gpus` it takes nothing."""
    spec = deployment.spec
    needs = {gpu: spec.memory or 0 for gpu in spec.gpu if gpu in gpus}
    return TenantTerms(spec.name, needs, pin=spec.pin, idle_unload_s=spec.idle_unload_s, preload=spec.name in preload)


def gpu_terms(gpu: Gpu) -> GpuTerms:
    """The same of a GPU."""
    return GpuTerms(gpu.memory, gpu.quantum_s, gpu.max_wait_s)
