"""Interchangeable replicas of one model: the gate in front of them, which one a call goes to, and what they say of
themselves.

Counters change here and in `relay` only, always in pairs (in, out), and a call that is under way keeps the objects it
was started with, whatever a reload does to the tables.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from hayate.errors import Overloaded
from hayate.fleet.replica import Replica
from hayate.fleet.spec import NO_PROBE, DeploymentSpec
from hayate.language import Text
from hayate.policy.admission import Gate, Verdict
from hayate.policy.routing import least_in_flight
from hayate.reasons import Reason
from hayate.settings import Probing
from hayate.upstream_errors import UpstreamError
from hayate.wire.upstream_request import UpstreamRequest


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """A call that waits for its place: the future is done when it has one."""

    let_in: asyncio.Future[None]
    key: str


class Deployment:
    """Interchangeable replicas of one model."""

    def __init__(self, spec: DeploymentSpec, probing: Probing) -> None:
        self.name = spec.name
        self.replicas: list[Replica] = []
        self.gate: Gate[Ticket] = Gate(0, spec.max_queued)
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
            replica.health.probing = spec.probe != NO_PROBE
            # The adapter is another object, with other options: what the engine said is read anew.
            if replica.description is not None:
                self.describe(replica, replica.description)
        self.refresh()

    def probe(self) -> UpstreamRequest | None:
        """What asks a replica whether it lives; None when only calls may."""
        path = self.spec.probe
        if path == NO_PROBE:
            return None
        return self.backend.probe() if path is None else UpstreamRequest(path, method=b"GET")

    def describe(self, replica: Replica, description: list[object]) -> None:
        """Reads what an engine says of itself (`Backend.describe`). What it did not answer this time is as it was; what
        is no answer changes nothing.
        """
        known = replica.description
        if known is not None and len(known) == len(description):
            description = [was if now is None else now for was, now in zip(known, description, strict=True)]
        with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError):  # an engine may answer anything
            replica.served = self.backend.read_served(description)
            replica.description = description

    def refresh(self) -> None:
        """Takes in what the replicas said; what is configured comes first."""
        spec, served = self.spec, [replica.served for replica in self.replicas]
        found = [model for each in served for model in each.models]
        if spec.model is not None:
            self.served_model = spec.model
        elif self.served_model not in found:  # more models change nothing; one that is gone is followed by what came
            self.served_model = next(iter(found), None)
        self.models = {*found, spec.model} if spec.model else set(found)
        self.context_tokens = spec.context_tokens or min(
            filter(None, (each.context_tokens for each in served)), default=None
        )
        for replica in self.replicas:
            replica.ceiling.configure(spec.max_in_flight, replica.served.slots, spec.min_tokens_per_s)
            replica.progress.watch_pace(wanted=spec.min_tokens_per_s is not None)
        self.widen()

    def widen(self) -> None:
        """The gate is as wide as the replicas' ceilings are together; whoever has room now is let in."""
        capacity = sum(replica.ceiling.places + replica.ceiling.spare for replica in self.replicas)
        for ticket in self.gate.resize(capacity, self.spec.max_queued):
            self._let_in(ticket)

    def ready(self, now: float) -> bool:
        """Whether some replica has been seen to answer and may be called."""
        return any(replica.health.ready(now) for replica in self.replicas)

    async def enter(self, key: str, cost: int) -> None:
        """Takes a place, waiting in the queue if need be. Raises Overloaded. Every success must `leave` once."""
        ticket = Ticket(asyncio.get_running_loop().create_future(), key)
        verdict = self.gate.enter(ticket, key, cost)
        if verdict is Verdict.IN:
            return
        if verdict is Verdict.REFUSED:
            raise Overloaded(
                f"{self.name} is at capacity and its queue of {self.gate.max_queued} is full. Try again shortly.",
                f"{self.name}は同時実行数の上限に達し、キュー（{self.gate.max_queued}件）も埋まっています。少し待ってからお試しください。",
                retry_after_s=1.0,
            )
        try:
            async with asyncio.timeout(self.spec.queue_s):
                await ticket.let_in
        except TimeoutError:
            self._step_back(ticket)
            raise Overloaded(
                f"No place became free at {self.name} within {self.spec.queue_s:g} s (queue_timeout_s). Try again later.",
                f"{self.spec.queue_s:g}秒待っても {self.name} に空きができませんでした。しばらくしてからお試しください。",
                retry_after_s=5.0,
            ) from None
        except BaseException:  # the client left, or the gateway stops
            self._step_back(ticket)
            raise

    def leave(self, key: str, used: int) -> None:
        """Gives the place of a call of `key` back, which has used so many tokens; whoever is next takes it."""
        following = self.gate.leave(key, used)
        if following is not None:
            self._let_in(following)

    def _let_in(self, ticket: Ticket) -> None:
        """Tells a ticket's owner that it is in; when that has left meanwhile, the next one."""
        following: Ticket | None = ticket
        while following is not None and following.let_in.done():
            following = self.gate.leave(following.key, 0)
        if following is not None:
            following.let_in.set_result(None)

    def choose(self, tried: Collection[Replica], now: float) -> Replica | None:
        """The next replica to try, the available ones first; None when there is none."""
        replica = least_in_flight(self.replicas, tried, now)
        if replica is None:  # one whose answers fail is better than none: it may have been the requests
            spare = [each for each in self.replicas if each.health.spare() and each not in tried]
            replica = min(spare, key=lambda each: each.in_flight, default=None)
        if replica is not None and replica.health.out is not None:
            replica.health.chosen(now)
        return replica

    def record_failure(self, replica: Replica, error: UpstreamError, now: float) -> bool:
        """Holds a failed attempt against its replica, if it was the replica's fault. True when that ejected it."""
        alone = not any(each is not replica and each.available(now) for each in self.replicas)
        return replica.failed(error, now, alone=alone)

    def no_replica(self, now: float) -> Overloaded:
        """What to say when `choose` found none. All are probed closely: each is back as soon as it answers."""
        return unavailable(self.name, self.trouble(now))

    def trouble(self, now: float) -> Reason | None:
        """Why it can't be used, the most hopeful of its replicas' reasons; None when it can, or when nobody knows."""
        if self.ready(now):
            return None
        found = [each for each in (replica.trouble(now) for replica in self.replicas) if each is not None]
        return next((each for each in found if each.retry_s is not None), found[0] if found else None)

    def _step_back(self, ticket: Ticket) -> None:
        """Undoes a wait: out of the queue, or, when let in at this very moment, out again."""
        if not self.gate.withdraw(ticket) and ticket.let_in.done() and not ticket.let_in.cancelled():
            self.leave(ticket.key, 0)


def unavailable(deployment: str, reason: Reason | None) -> Overloaded:
    """For a call to a deployment of which no replica can be used, and why, in a word."""
    if reason is None:
        return Overloaded(
            f"No replica of {deployment} can be used at the moment. Try again shortly.",
            f"{deployment}は現在利用できません。{_AGAIN.ja}",
            retry_after_s=1.0,
        )
    end = _NOT_AGAIN if reason.retry_s is None else _AGAIN
    return Overloaded(
        f"{deployment} can't be used at the moment: {reason.to_callers.en}. {end.en}",
        f"{deployment}は現在利用できません（{reason.to_callers.ja}）。{end.ja}",
        retry_after_s=reason.retry_s,
    )


_AGAIN: Final = Text("Try again shortly.", "しばらくしてからもう一度お試しください。")
_NOT_AGAIN: Final = Text("Tell whoever runs this gateway.", "ゲートウェイの管理者に連絡してください。")
