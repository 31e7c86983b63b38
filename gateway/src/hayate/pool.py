"""What stands behind the names: deployments, their replicas, live counters, and the probes that watch them.

Rule: counters change here and in `relay` only, always in pairs (in, out), and a call that is under way keeps the objects it
was started with, whatever a reload does to the tables.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

import orjson

from hayate.backends.base import Backend, Served
from hayate.backends.transport import ConnectionPool, UpstreamRequest
from hayate.errors import ConnectFailed, GatewayError, Overloaded, UpstreamError
from hayate.policy.admission import Gate, Verdict
from hayate.policy.health import Health
from hayate.policy.routing import least_in_flight, resolve


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one attempt, in seconds; `total_s` None means none."""

    connect_s: float = 5.0
    first_byte_s: float = 300.0
    silence_s: float = 60.0
    total_s: float | None = None


@dataclass(frozen=True, slots=True)
class Probing:
    """How replicas are watched, in seconds."""

    interval_s: float = 5.0
    timeout_s: float = 2.0
    eject_after: int = 5
    eject_s: float = 30.0


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    """One deployment as configured, with its adapter already made."""

    name: str
    backend: Backend
    model: str | None
    replicas: tuple[str, ...]
    credentials: tuple[tuple[bytes, bytes], ...] = ()
    max_in_flight: int = 4096
    max_queued: int = 512
    queue_timeout_s: float = 60.0
    context_tokens: int | None = None
    timeouts: Timeouts = Timeouts()


class Replica:
    """One running engine at one URL."""

    def __init__(self, spec: DeploymentSpec, url: str, number: int, probing: Probing) -> None:
        self.url = url
        self.label = f"{spec.name}/{number}"
        self.credentials = spec.credentials
        self.pool = ConnectionPool(url, connect_s=spec.timeouts.connect_s, credentials=spec.credentials)
        self.health = Health(eject_after=probing.eject_after, eject_s=probing.eject_s)
        self.served = Served(())
        self.told: list[object] | None = None
        """What the engine answered to `describe`: an adapter that replaces another reads it anew."""
        self.in_flight = 0

    def available(self, now: float) -> bool:
        """Whether calls may go there."""
        return self.health.available(now)


class Deployment:
    """Interchangeable replicas of one model."""

    def __init__(self, spec: DeploymentSpec, probing: Probing) -> None:
        self.name = spec.name
        self.replicas: list[Replica] = []
        self.gate: Gate[asyncio.Future[None]] = Gate(0, spec.max_queued)
        self._probing = probing
        self.served_model: str | None = None
        """The engine's own name for the model."""
        self.models: set[str] = set()
        """Every model id that means this deployment."""
        self.context_tokens: int | None = None
        """The smallest context among the replicas."""
        self.adopt(spec)

    def adopt(self, spec: DeploymentSpec) -> None:
        """Takes a new configuration; replicas that stay keep their connections and counters."""
        old = {replica.url: replica for replica in self.replicas if replica.credentials == spec.credentials}
        self.spec = spec
        self.backend = spec.backend
        self.replicas = [
            old.pop(url) if url in old else Replica(spec, url, number, self._probing)
            for number, url in enumerate(spec.replicas)
        ]
        for replica in old.values():
            replica.pool.close()
        for replica in self.replicas:
            if replica.told is not None:
                self.listen(replica, replica.told)
        self.learn()

    def listen(self, replica: Replica, told: list[object]) -> None:
        """Reads what an engine said of itself; what is no answer to `describe` changes nothing."""
        with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError):  # an engine may answer anything
            replica.served = self.backend.read_served(told)
            replica.told = told

    def learn(self) -> None:
        """Takes in what the replicas said; what is configured comes first. The gate opens as wide as the replicas are:
        `max_in_flight` each, or the slots an engine has, if fewer.
        """
        spec, served = self.spec, [replica.served for replica in self.replicas]
        found = [model for each in served for model in each.models]
        self.served_model = spec.model if spec.model is not None else next(iter(found), None)
        self.models = {*found, spec.model} if spec.model else set(found)
        self.context_tokens = spec.context_tokens or min(
            filter(None, (each.context_tokens for each in served)), default=None
        )
        capacity = sum(min(spec.max_in_flight, each.slots or spec.max_in_flight) for each in served)
        for ticket in self.gate.resize(capacity, spec.max_queued):
            if ticket.done():  # its caller has left
                self.leave()
            else:
                ticket.set_result(None)

    def ready(self, now: float) -> bool:
        """Whether some replica has been seen to answer."""
        return any(replica.health.ready(now) for replica in self.replicas)

    async def enter(self) -> None:
        """Takes a place, waiting in the queue if need be. Raises Overloaded. Every success must `leave` once."""
        if self.gate.try_enter():
            return
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        verdict = self.gate.enter(ticket)
        if verdict is Verdict.IN:
            return
        if verdict is Verdict.REFUSED:
            raise Overloaded(
                f"{self.name} is at capacity and its queue of {self.gate.max_queued} is full. Try again shortly.",
                f"{self.name} は満員で、待ち行列（{self.gate.max_queued}件）もいっぱいです。少し待ってからお試しください。",
                retry_after_s=1.0,
            )
        try:
            async with asyncio.timeout(self.spec.queue_timeout_s):
                await ticket
        except TimeoutError:
            self._step_back(ticket)
            raise Overloaded(
                f"No place became free at {self.name} within {self.spec.queue_timeout_s:g} s (queue_timeout_s). Try again later.",
                f"{self.spec.queue_timeout_s:g}秒待っても {self.name} に空きができませんでした。しばらくしてからお試しください。",
                retry_after_s=5.0,
            ) from None
        except BaseException:
            self._step_back(ticket)
            raise

    def leave(self) -> None:
        """Gives the place back; the first in the queue takes it."""
        ticket = self.gate.leave()
        while ticket is not None and ticket.done():  # its caller has left
            ticket = self.gate.leave()
        if ticket is not None:
            ticket.set_result(None)

    def choose(self, tried: Collection[Replica], now: float, last: UpstreamError | None = None) -> Replica:
        """The next replica to try. When there is none, raises `last`, what the one before said, or Overloaded."""
        replica = least_in_flight(self.replicas, tried, now)
        if replica is None:
            raise last or self._no_replica(now)
        return replica

    def _no_replica(self, now: float) -> Overloaded:
        """What to say when `choose` found none."""
        wait_s = min((replica.health.back_in_s(now) for replica in self.replicas), default=0.0)
        return Overloaded(
            f"No replica of {self.name} is healthy right now. Try again shortly.",
            f"{self.name} のエンジンが現在応答していません。少し待ってからお試しください。",
            retry_after_s=max(1.0, wait_s),
        )

    def _step_back(self, ticket: asyncio.Future[None]) -> None:
        """Undoes a wait: out of the queue, or, when let in at this very moment, out again."""
        if not self.gate.withdraw(ticket) and ticket.done() and not ticket.cancelled():
            self.leave()


class Fleet:
    """The tables: deployments by name, aliases. `apply` swaps them in one step."""

    def __init__(
        self, specs: Iterable[DeploymentSpec], aliases: Mapping[str, Sequence[str]], probing: Probing | None = None
    ) -> None:
        self.probing = probing or Probing()
        self.deployments: dict[str, Deployment] = {}
        self.aliases: Mapping[str, Sequence[str]] = {}
        self._routes: dict[str, list[Deployment]] = {}  # only names that resolve, so a caller can't fill it
        self.apply(specs, aliases)

    def apply(self, specs: Iterable[DeploymentSpec], aliases: Mapping[str, Sequence[str]]) -> None:
        """A new configuration. Calls under way are not touched; deployments and replicas that stay keep their state."""
        old = self.deployments
        new: dict[str, Deployment] = {}
        for spec in specs:
            kept = old.get(spec.name)
            if kept is None or type(kept.backend) is not type(spec.backend):
                new[spec.name] = Deployment(spec, self.probing)
            else:
                kept.adopt(spec)
                new[spec.name] = kept
        for name, deployment in old.items():
            if new.get(name) is not deployment:
                for replica in deployment.replicas:
                    replica.pool.close()
        self.deployments = new
        self._routes = {}
        self.aliases = aliases if "default" in aliases or not new else {"default": (next(iter(new)),), **aliases}

    def route(self, name: str | None) -> list[Deployment]:
        """The deployments behind a model's name, in the order to try. Raises UnknownModel."""
        route = self._routes.get(name or "default")
        if route is None:
            targets = resolve(name, self.aliases, {each.name: each.models for each in self.deployments.values()})
            route = self._routes[name or "default"] = [self.deployments[target] for target in targets]
        return route

    def learned(self, deployment: Deployment) -> None:
        """A replica has said what it serves: names may mean something else now."""
        deployment.learn()
        self._routes.clear()

    def ready(self, now: float) -> bool:
        """Whether the alias `default` can be served."""
        return any(deployment.ready(now) for deployment in self.route(None))

    def close(self) -> None:
        """Closes every idle connection."""
        for deployment in self.deployments.values():
            for replica in deployment.replicas:
                replica.pool.close()


class Prober:
    """Asks every replica's health endpoint, every `interval_s`, sooner while it does not answer; learns what it serves."""

    def __init__(self, fleet: Fleet, *, on_change: Callable[[Replica, bool], None]) -> None:
        self._fleet = fleet
        self._on_change = on_change
        self._due: dict[Replica, float] = {}

    async def run(self) -> None:
        """Until cancelled."""
        tick_s = min(0.5, self._fleet.probing.interval_s / 4)
        while True:
            now = monotonic()
            pairs = [(each, replica) for each in self._fleet.deployments.values() for replica in each.replicas]
            self._due = {replica: self._due.get(replica, 0.0) for _, replica in pairs}
            due = [pair for pair in pairs if self._due[pair[1]] <= now]
            await asyncio.gather(*(self._probe(deployment, replica) for deployment, replica in due))
            await asyncio.sleep(tick_s)

    async def _probe(self, deployment: Deployment, replica: Replica) -> None:
        was_ready = replica.health.ready(monotonic())
        answer = await self._ask(replica, deployment.backend.probe())
        now = monotonic()
        if answer is None:
            replica.health.probe_failed()
            self._due[replica] = now + min(1.0, self._fleet.probing.interval_s)
        else:
            # What it serves comes first: who is ready can be asked at once, and some adapters must know the engine's inputs.
            if not was_ready or not replica.served.models:
                answers = [await self._ask(replica, each) for each in deployment.backend.describe()]
                deployment.listen(replica, [_parsed(each) for each in answers])
                self._fleet.learned(deployment)
                now = monotonic()
            replica.health.probe_succeeded(now)
            self._due[replica] = now + self._fleet.probing.interval_s
        if replica.health.ready(now) != was_ready:
            self._on_change(replica, not was_ready)

    async def _ask(self, replica: Replica, request: UpstreamRequest) -> bytes | None:
        """The answer's body when its status is 200, else None."""
        limit_s = self._fleet.probing.timeout_s
        try:
            async with asyncio.timeout(limit_s):
                exchange = await replica.pool.send(request, first_byte_s=limit_s, fresh=True, keep=False)
                try:
                    body = await exchange.read()
                finally:
                    exchange.close()
        except (TimeoutError, GatewayError):
            return None
        return body if exchange.status == 200 else None


def blame(replica: Replica, error: UpstreamError, now: float) -> bool:
    """Holds a failed attempt against its replica, if it was the replica's fault. True when that threw it out."""
    if not error.counts_against_replica:
        return False
    return replica.health.failed(now, connecting=isinstance(error, ConnectFailed))


def _parsed(body: bytes | None) -> object:
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None
