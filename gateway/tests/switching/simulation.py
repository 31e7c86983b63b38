"""Models that take turns, in simulated time: the arbiter, models that load and unload as long as they are said to, and callers,
of a fixed trace or in closed loops (each asks again when it has thought about its answer). What comes out is a trace of calls.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random

from hayate.policy.arbiter import Arbiter
from hayate.policy.tenant import GpuTerms, State, Steps, Tenant, TenantTerms
from tests.support.tenants import terms
from tests.switching.trace import Call, Trace

TICK_S = 0.1
"""How often the driver looks while anything waits, drains or loads."""


@dataclass(frozen=True)
class Model:
    """One that is simulated; seconds."""

    name: str
    needs: Mapping[str, int] = field(default_factory=lambda: {"gpu": 1})
    load_s: float = 5.0
    unload_s: float = 1.0
    places: int = 1000
    pin: bool = False
    preload: bool = False
    idle_unload_s: float | None = None
    fails: Callable[[], bool] = lambda: False
    """Whether a load that ends now fails."""

    @property
    def terms(self) -> TenantTerms:
        """As configured."""
        return terms(self.name, self.needs, pin=self.pin, idle_unload_s=self.idle_unload_s, preload=self.preload)


@dataclass
class Place:
    """One model's gate."""

    model: Model
    tenant: Tenant
    open: bool = False
    queue: deque[Call] = field(default_factory=deque)
    in_flight: list[Call] = field(default_factory=list)


class World:
    """GPUs with so much memory, what is loaded there, and a clock."""

    def __init__(
        self, memory: Mapping[str, int], models: Iterable[Model], *, quantum_s: float = 15.0, max_wait_s: float = 60.0
    ) -> None:
        gpus = {name: GpuTerms(each, quantum_s, max_wait_s) for name, each in memory.items()}
        self.arbiter = Arbiter(gpus)
        models = list(models)
        self.arbiter.configure(gpus, [each.terms for each in models], 0.0)
        self.places = {each.name: Place(each, self.arbiter.tenants[each.name]) for each in models}
        self.now = 0.0
        self.trace = Trace()
        self.refused: list[Call] = []
        self.broken: list[Call] = []
        """Those that were in flight when their model ended by itself."""
        self.check: Callable[[Steps], None] = lambda _: None
        """Called with each step, before it is carried out."""
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._ticking = False

    def at(self, when: float, what: Callable[[], None]) -> None:
        """It happens then, or now where that is over."""
        heapq.heappush(self._events, (max(when, self.now), next(self._order), what))

    def ask(self, model: str, when: float, service_s: float, then: Callable[[], None] = lambda: None) -> None:
        """A call comes; `then` when its answer has ended."""
        self.at(when, lambda: self._arrive(Call(model, when, service_s), then))

    def loop(
        self, model: Callable[[], str], service_s: Callable[[], float], think_s: Callable[[], float], until: float
    ) -> None:
        """A caller who asks again and again."""

        def next_call() -> None:
            if self.now < until:
                self.ask(model(), self.now + think_s(), service_s(), next_call)

        next_call()

    def run(self, until: float = 1e6) -> Trace:
        """Until nothing happens any more."""
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            what()
        return self.trace

    def _arrive(self, call: Call, then: Callable[[], None]) -> None:
        call.then = then
        self.trace.calls.append(call)
        place = self.places[call.model]
        place.queue.append(call)
        self._let_in(place)
        if place.queue:
            self._step()

    def _let_in(self, place: Place) -> None:
        while place.open and place.queue and len(place.in_flight) < place.model.places:
            call = place.queue.popleft()
            call.started = self.now
            place.in_flight.append(call)
            self.at(self.now + call.service_s, partial(self._leave, place, call))

    def _leave(self, place: Place, call: Call) -> None:
        if call not in place.in_flight:
            return
        place.in_flight.remove(call)
        call.ended = place.tenant.used_at = self.now
        call.then()
        self._let_in(place)
        if place.model.idle_unload_s is not None:
            self.at(self.now + place.model.idle_unload_s, self._step)
        if place.tenant.state is State.DRAINING and not place.in_flight:
            self._step()

    def crash(self, model: str) -> None:
        """It ends by itself, if it is in memory."""
        place = self.places[model]
        if place.tenant.state in (State.READY, State.DRAINING):
            self.broken += place.in_flight
            place.in_flight.clear()
            place.open = False
            self.arbiter.crashed(place.tenant, self.now)
            self._step()

    def operator(self, model: str, *, load: bool) -> None:
        """Wants it loaded, or unloaded."""
        (self.arbiter.load if load else self.arbiter.unload)(self.places[model].tenant, self.now)
        self._step()

    def leave(self, model: str) -> None:
        """Whoever waits for it does not any more."""
        self.refused += self.places[model].queue
        self.places[model].queue.clear()
        self._step()

    def _tick(self) -> None:
        self._ticking = False
        self._step()

    def _step(self) -> None:
        for place in self.places.values():
            tenant = place.tenant
            tenant.in_flight, tenant.waiting = len(place.in_flight), len(place.queue)
            tenant.oldest_at = place.queue[0].arrived if place.queue else None
        steps = self.arbiter.step(self.now)
        self.check(steps)
        self._do(steps)
        if not self._ticking and not self.quiet:
            self._ticking = True
            self.at(self.now + TICK_S, self._tick)

    @property
    def quiet(self) -> bool:
        """Whether nobody waits, and nothing is under way but answers."""
        moving = (State.LOADING, State.DRAINING, State.UNLOADING)
        return not any(each.queue or each.tenant.state in moving for each in self.places.values())

    def _do(self, steps: Steps) -> None:
        for tenant in steps.keep:
            self._open(tenant)
        for tenant in steps.drain:
            self.places[tenant.name].open = False
        for tenant in steps.unload:
            place = self.places[tenant.name]
            assert not place.open
            assert not place.in_flight
            self.trace.drains.append(tenant.drain_s or 0.0)
            self.at(self.now + place.model.unload_s, partial(self._unloaded, tenant))
        for tenant in steps.load:
            self.trace.loads.append((self.now, tenant.name))
            self.at(self.now + self.places[tenant.name].model.load_s, partial(self._loaded, tenant))
        for tenant in steps.refuse:
            queue = self.places[tenant.name].queue
            self.refused += queue
            queue.clear()

    def _open(self, tenant: Tenant) -> None:
        place = self.places[tenant.name]
        place.open = True
        self._let_in(place)

    def _unloaded(self, tenant: Tenant) -> None:
        self.arbiter.unloaded(tenant, self.now)
        self._step()

    def _loaded(self, tenant: Tenant) -> None:
        if self.places[tenant.name].model.fails():
            self.arbiter.load_failed(tenant, self.now)
        else:
            self.arbiter.loading_done(tenant, self.now)
            self._open(tenant)
        self._step()


def closed_loops(
    world: World, callers: Mapping[str, int], seconds: float, *, service_s: float, think_s: float, seed: int = 1
) -> Trace:
    """So many callers for each model, whose answers take from half to one and a half times as long as said."""
    random = Random(seed)
    for model, number in callers.items():
        for _ in range(number):
            world.loop(
                lambda model=model: model,  # type: ignore[misc]
                lambda: service_s * random.uniform(0.5, 1.5),
                lambda: think_s * random.uniform(0.0, 2.0),
                seconds,
            )
    return world.run()
