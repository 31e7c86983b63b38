"""Interchangeable replicas of one model: the gate in front of them, which one a call goes to, and what they say of
themselves.

Counters change here and in `relay` only, always in pairs (in, out), and a call that is under way keeps the objects it
was started with, whatever a reload does to the tables.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from time import monotonic

from hayate.backends.told import common, weakest
from hayate.errors import Overloaded
from hayate.fleet.door import Door
from hayate.fleet.replica import Replica
from hayate.fleet.spec import NO_PROBE, DeploymentSpec, first_byte_limit, whole_limit
from hayate.fleet.waiting import Waiter, Waiting
from hayate.policy.admission import Gate
from hayate.policy.lanes import Lanes
from hayate.policy.routing import least_in_flight
from hayate.reasons import AGAIN, NOT_AGAIN, Reason
from hayate.settings import Probing
from hayate.upstream_errors import UpstreamError
from hayate.wire.upstream_request import UpstreamRequest


class Deployment:
    """Interchangeable replicas of one model."""

    def __init__(self, spec: DeploymentSpec, probing: Probing) -> None:
        self.name = spec.name
        self.replicas: list[Replica] = []
        self.gate: Gate[Waiter] = Gate(Lanes(), 0, spec.max_queued)
        self.waiting = Waiting(spec.name, self.gate)
        self._probing = probing
        self.door: Door | None = None
        """Of a deployment whose model comes and goes (`fleet.engines`)."""
        self.served_model: str | None = None
        """The engine's own name for the model."""
        self.models: set[str] = set()
        """Every model id that means this deployment."""
        self.context_tokens: int | None = None
        """The smallest context among the replicas."""
        self.images: bool | None = None
        """Whether its model takes pictures; None: no engine tells."""
        self.defaults: dict[str, float] = {}
        """What its engines sample with unless a request says otherwise, as far as they tell."""
        self.adopt(spec)

    def adopt(self, spec: DeploymentSpec) -> None:
        """Takes a new configuration; replicas that stay keep their connections and counters."""
        old = {replica.url: replica for replica in self.replicas if replica.credentials == spec.credentials}
        self.spec = spec
        self.backend = spec.backend
        self.first_byte_limit = first_byte_limit(spec.timeouts)
        self.whole_limit = whole_limit(spec.timeouts)
        self.replicas = [
            old.pop(url) if url in old else Replica(spec, url, number, self._probing)
            for number, url in enumerate(spec.replicas)
        ]
        for replica in old.values():
            replica.pool.close()
        for replica in self.replicas:
            replica.health.probing = spec.probe != NO_PROBE
            replica.pool.configure(connect_s=spec.timeouts.connect_s, ahead_s=spec.timeouts.spare_s)
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
        if spec.named is not None:
            self.served_model = spec.named
        elif self.served_model not in found:  # more models change nothing; one that is gone is followed by what came
            self.served_model = next(iter(found), None)
        self.models = {*found, spec.named} if spec.named else set(found)
        self.context_tokens = spec.context_tokens or min(
            filter(None, (each.context_tokens for each in served)), default=None
        )
        self.images = weakest(each.images for each in served) if spec.images is None else spec.images
        self.defaults = common(each.defaults for each in served)
        for replica in self.replicas:
            replica.ceiling.configure(spec.max_in_flight, replica.served.slots, spec.min_tokens_per_s)
            replica.progress.watch_pace(wanted=spec.min_tokens_per_s is not None)
        self.widen()

    def widen(self) -> None:
        """The gate is as wide as the ceilings of the replicas that can be called are together, or of all where none can; whoever
        has room now is let in.
        """
        now = monotonic()
        used = [each.ceiling for each in self.replicas if each.health.out is None and each.available(now)]
        used = used or [each.ceiling for each in self.replicas]
        capacity, spare = sum(each.places for each in used), sum(each.spare for each in used)
        if self.door is not None and not self.door.open:
            capacity = spare = 0
        for place in self.gate.resize(capacity, self.spec.max_queued, spare, now):
            self.waiting.let_in(place)

    @property
    def loaded(self) -> bool:
        """Whether its engines are there to be asked; not so only where its model comes and goes."""
        return self.door is None or self.door.loaded

    @property
    def gpus(self) -> tuple[str, ...]:
        """The names of those that it stands on; none: on GPUs of its own."""
        return self.spec.gpu

    def stand_on(self, lanes: Lanes) -> None:
        """Shares these lanes with whatever else stands on its GPUs."""
        if lanes is not self.gate.lanes:
            self.gate.move(lanes, monotonic())

    def ready(self, now: float) -> bool:
        """Whether some replica has been seen to answer and may be called, or is loaded as soon as somebody calls."""
        if not self.loaded:
            return self.door is not None and self.door.barred is None
        return any(replica.health.ready(now) for replica in self.replicas)

    def choose(self, tried: Collection[Replica], now: float) -> Replica | None:
        """The next replica to try, the available ones first; None when there is none."""
        if len(self.replicas) == 1 and not tried and self.replicas[0].health.clean:
            return self.replicas[0]
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
        if self.door is not None and not self.door.loaded:
            return None if self.door.barred is None else self.door.barred.reason
        if self.ready(now):
            return None
        found = [each for each in (replica.trouble(now) for replica in self.replicas) if each is not None]
        return next((each for each in found if each.retry_s is not None), found[0] if found else None)


def unavailable(deployment: str, reason: Reason | None) -> Overloaded:
    """For a call to a deployment of which no replica can be used, and why, in a word."""
    if reason is None:
        return Overloaded(
            f"No replica of {deployment} can be used at the moment. Try again shortly.",
            f"{deployment}は現在利用できません。{AGAIN.ja}",
            retry_after_s=1.0,
        )
    end = NOT_AGAIN if reason.retry_s is None else AGAIN
    return Overloaded(
        f"{deployment} can't be used at the moment: {reason.to_callers.en}. {end.en}",
        f"{deployment}は現在利用できません（{reason.to_callers.ja}）。{end.ja}",
        retry_after_s=reason.retry_s,
    )
