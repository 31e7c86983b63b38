"""Carries out what the arbiter decides: loads models, unloads them, opens and shuts the doors of their deployments.

One at a time is asked of each engine, and each has a task of its own for it, so that one that hangs holds up no other. What
the arbiter may do next is asked whenever something has happened: a call knocked, a load ended, an engine died; and ten times
a second while anything is under way. Without a deployment whose model comes and goes, none of this runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from time import monotonic
from typing import Final, Literal

from hayate.engines.base import Engine, LoadFailed
from hayate.engines.refusals import NotSwitched, refusal_of
from hayate.fleet.deployment import Deployment
from hayate.fleet.door import Door
from hayate.fleet.engine_view import EngineView, view_of
from hayate.fleet.fleet import Fleet
from hayate.fleet.resident import Resident, gpu_terms, terms_of
from hayate.policy.arbiter import Arbiter
from hayate.policy.tenant import GpuTerms, State
from hayate.reasons import Reason
from hayate.settings import Gpu

TICK_S: Final = 0.1
"""Between two looks while calls wait, or something drains or loads."""
IDLE_TICK_S: Final = 1.0
LOOK_S: Final = 5.0
"""Between two questions to an engine that others may load and unload, too."""
SETTLED: Final = frozenset({State.READY, State.UNLOADED, State.FAILED})
OPERATOR_S: Final = 3600.0
"""How long an operator waits at most for an engine to be loaded or unloaded."""

Event = Literal["engine_loading", "engine_loaded", "engine_unloaded", "engine_failed"]
"""Its name in the log."""
Make = Callable[[Deployment], Engine | None]
"""The engine of a deployment whose model the gateway loads and unloads; None for one that it does not."""
Meet = Callable[[Deployment], Awaitable[None]]
"""Learns what the engines serve that have just come (`health_checks.Prober.meet`)."""
Tell = Callable[[Event, Resident], None]
"""Told of what happens."""


class Engines:
    """One per gateway."""

    def __init__(self, fleet: Fleet, make: Make, meet: Meet, tell: Tell, look_s: float = LOOK_S) -> None:
        self._fleet = fleet
        self._make = make
        self._meet = meet
        self._tell = tell
        self._look_s = look_s
        self._residents: dict[str, Resident] = {}
        self._leaving: list[Resident] = []
        self._arbiter = Arbiter({})
        self._wake = asyncio.Event()

    def configure(self, gpus: Mapping[str, Gpu], preload: Collection[str] = ()) -> None:
        """The fleet has other deployments, or these on other terms. Engines whose `run` did not change stay as they are."""
        now, before, deployments = monotonic(), self._residents, self._fleet.deployments
        changed = {name for name, each in before.items() if each.is_another(deployments.get(name))}
        engines: dict[str, Engine] = {}
        for name, deployment in deployments.items():
            engine = before[name].engine if name in before and name not in changed else self._make(deployment)
            if engine is not None:
                engines[name] = engine
            elif deployment.door is not None:
                deployment.door = None
                deployment.widen()
        terms = [terms_of(deployments[name], gpus, preload) for name in engines]
        self._arbiter.configure({name: gpu_terms(each) for name, each in gpus.items()}, terms, now, changed)
        self._residents = {
            name: before[name]
            if before.get(name) is not None and before[name].engine is engine
            else self._take_in(deployments[name], engine, before.get(name))
            for name, engine in engines.items()
        }
        for name, resident in before.items():
            if self._residents.get(name) is not resident:
                self._leave(resident)
        self._wake.set()

    def _take_in(self, deployment: Deployment, engine: Engine, before: Resident | None) -> Resident:
        door = deployment.door = Door(deployment.name, deployment.spec.load_timeout_s, self._wake.set)
        resident = Resident(deployment, engine, self._arbiter.tenants[deployment.name], door, before)
        engine.ended = lambda why: self._ended(resident, why)
        resident.shut()
        return resident

    def _leave(self, resident: Resident) -> None:
        """It goes for good, once its calls have ended. Calls that wait go on waiting for what comes in its place."""
        self._leaving.append(resident)
        resident.shut()
        if resident.tenant not in self._arbiter.removed:  # nothing of it is in memory
            resident.start(self._gone_for_good, self._fault)
        elif self._fleet.deployments.get(resident.deployment.name) is not resident.deployment:
            resident.start(self._refuse, self._fault)

    # What runs.

    async def run(self) -> None:
        """Until cancelled; then the engines that are children of the gateway are ended."""
        try:
            while True:
                busy = self._step()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S if busy else IDLE_TICK_S):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            await self._close()

    async def _close(self) -> None:
        every = [*self._residents.values(), *self._leaving]
        tasks = [each.task for each in every if each.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(each.engine.close() for each in every), return_exceptions=True)

    def _step(self) -> bool:
        """Whether something is under way."""
        if not self._residents and not self._leaving:
            return False
        now = monotonic()
        by_tenant = {each.tenant: each for each in (*self._residents.values(), *self._leaving)}
        for resident in by_tenant.values():
            resident.notice(now)
        steps = self._arbiter.step(now)
        for tenant in steps.keep:
            by_tenant[tenant].admit()
        for tenant in steps.drain:
            by_tenant[tenant].shut()
        for work, these in (self._unload, steps.unload), (self._load, steps.load), (self._refuse, steps.refuse):
            for tenant in these:
                by_tenant[tenant].start(work, self._fault)
        self._look_after(by_tenant.values(), now)
        return any(
            each.task is not None or each.tenant.waiting or each.tenant.state in (State.DRAINING, State.LOADING)
            for each in by_tenant.values()
        )

    def _fault(self, resident: Resident, error: BaseException) -> None:
        """A fault of ours: told, and taken for one of the engine, which is tried again."""
        name = resident.deployment.name
        asyncio.get_running_loop().call_exception_handler({"message": f"switching {name} failed", "exception": error})
        told = LoadFailed(f"{name} could not be switched.", f"{name}を切り替えられませんでした。", Reason.REFUSED)
        self._failed(resident, told)

    async def _load(self, resident: Resident) -> None:
        door, began = resident.door, monotonic()
        door.loading_since = began
        resident.deployment.waiting.news += 1
        try:
            await resident.free_of_its_forerunner()
            self._tell("engine_loading", resident)
            await resident.engine.load(resident.deployment.spec.load_timeout_s)
            door.loaded = True
            await self._meet(resident.deployment)
        except LoadFailed as error:
            self._failed(resident, error)
            await self._refuse(resident)
            return
        if resident.tenant.state is not State.LOADING:  # it has just ended
            return
        door.last_load_s = monotonic() - began
        self._arbiter.loading_done(resident.tenant, monotonic())
        resident.admit()
        self._tell("engine_loaded", resident)

    async def _unload(self, resident: Resident) -> None:
        resident.gone()
        try:
            await resident.engine.unload()
        except LoadFailed as error:
            resident.error = error
            self._arbiter.unload_failed(resident.tenant, monotonic())
            resident.admit()
            self._tell("engine_failed", resident)
            return
        self._arbiter.unloaded(resident.tenant, monotonic())
        self._tell("engine_unloaded", resident)
        if resident in self._leaving:
            await self._gone_for_good(resident)

    async def _gone_for_good(self, resident: Resident) -> None:
        await resident.engine.close()
        self._leaving.remove(resident)
        resident.gone_for_good.set()

    @staticmethod
    async def _refuse(resident: Resident) -> None:
        resident.explain()
        await resident.deployment.waiting.turn_away_all(lambda: resident.door.refusal(monotonic()))

    def _failed(self, resident: Resident, error: LoadFailed) -> None:
        resident.error = error
        tenant = resident.tenant
        self._arbiter.load_failed(tenant, monotonic())
        resident.door.barred, resident.door.retry_at = error, tenant.retry_at
        resident.gone()
        for replica in resident.replicas:
            replica.note(error.texts, error.reason)
        self._tell("engine_failed", resident)

    def _ended(self, resident: Resident, why: LoadFailed) -> None:
        """A loaded engine is gone: calls in flight there fail by themselves, those that wait wait for it to be loaded again."""
        resident.error = why
        resident.gone()
        for replica in resident.replicas:
            replica.note(why.texts, why.reason)
        self._arbiter.crashed(resident.tenant, monotonic())
        resident.door.barred, resident.door.retry_at = why, resident.tenant.retry_at
        self._tell("engine_failed", resident)
        resident.changed()
        self._wake.set()

    # Engines that others may load and unload, too.

    def _look_after(self, residents: Iterable[Resident], now: float) -> None:
        for resident in residents:
            settled = resident.task is None and resident.tenant.state in SETTLED
            if settled and resident.engine.how != "run" and now - resident.looked_at >= self._look_s:
                resident.looked_at = now
                resident.start(self._look, self._fault)

    async def _look(self, resident: Resident) -> None:
        loaded = await resident.engine.state()
        resident.looked_at = monotonic()
        tenant = resident.tenant
        if loaded is None or loaded == (tenant.state is State.READY) or tenant.state not in SETTLED:
            return
        if loaded:
            self._arbiter.found(tenant, monotonic())
            resident.door.loaded = True
            await self._meet(resident.deployment)
            if tenant.state is State.READY:
                resident.admit()
            self._tell("engine_loaded", resident)
        else:
            self._arbiter.lost(tenant, monotonic())
            resident.gone()
            self._tell("engine_unloaded", resident)

    # The operator's.

    def view(self, now: float) -> list[EngineView]:
        """Every deployment, in the order of the configuration."""
        return [view_of(each, self._residents.get(each.name), now) for each in self._fleet.deployments.values()]

    async def load(self, name: str) -> None:
        """Has a model loaded, and returns once it is. Raises UnknownEngine, NotSwitched, Overloaded."""
        resident = self.resident(name)
        tenant = resident.tenant
        self._arbiter.load(tenant, monotonic())
        resident.door.barred = None
        await self._until(resident, lambda: tenant.state is State.READY)

    async def unload(self, name: str) -> None:
        """Has a model unloaded once its calls have ended, and returns then. Raises UnknownEngine, NotSwitched, Overloaded."""
        resident = self.resident(name)
        tenant = resident.tenant
        self._arbiter.unload(tenant, monotonic())
        await self._until(resident, lambda: tenant.leaving is None)
        if tenant.why == "stuck" and resident.error is not None:
            raise NotSwitched(resident.error.english, resident.error.japanese)

    async def _until(self, resident: Resident, done: Callable[[], bool]) -> None:
        tenant, failures, wakes_at = resident.tenant, resident.tenant.failures, monotonic() + OPERATOR_S
        self._wake.set()
        while not done():
            if tenant.failures > failures and tenant.state is State.FAILED:
                raise resident.door.refusal(monotonic())
            try:
                await resident.next_change(wakes_at - monotonic())
            except TimeoutError:
                raise NotSwitched(
                    f"{resident.deployment.name} is {tenant.state.value} for too long by now.",
                    f"{resident.deployment.name}の切り替えが終わりません（{tenant.state.value}）。",
                ) from None

    @property
    def gpus(self) -> Mapping[str, GpuTerms]:
        """What the models share, by name."""
        return self._arbiter.gpus

    @property
    def residents(self) -> Mapping[str, Resident]:
        """Those whose models come and go, by their deployment's name."""
        return self._residents

    def resident(self, name: str) -> Resident:
        """Of the deployment of that name. Raises UnknownEngine, NotSwitched."""
        resident = self._residents.get(name)
        if resident is not None:
            return resident
        raise refusal_of(name, self._fleet.deployments)
