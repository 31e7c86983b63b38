"""Opens calls: the first phase of a call's life, until the engine's answer has a head.

Until then a failure has a status code, and the call may go elsewhere if the engine has seen nothing of it. The
deployments behind the model's name are tried in order (`_open_first`). At each the call takes a place, or waits for
one, or is refused, and goes to the replica with the fewest calls in flight (`_open_at`), where it is sent and its
answer's head awaited (`_attempt`). What failed unseen goes to another replica, then to the next deployment, within the
retry budget. What comes after the head is `answer`'s.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hayate.backends.base import Backend, Prepared
from hayate.errors import GatewayError, InvalidRequest, NotSupported, Overloaded, UnknownModel
from hayate.fleet.deployment import Deployment
from hayate.fleet.door import Door
from hayate.fleet.fleet import Fleet
from hayate.fleet.replica import Replica
from hayate.fleet.waiting import Waiter
from hayate.policy.estimates import Estimates
from hayate.policy.lanes import Lane
from hayate.policy.places import Place
from hayate.policy.retries import RetryBudget
from hayate.relay.answer import Answer
from hayate.relay.call import Call
from hayate.relay.heads import sends_events, settle
from hayate.relay.ticker import Ticker
from hayate.relay.turns import Turns
from hayate.telemetry.log import log_event
from hayate.telemetry.record import CallRecord
from hayate.upstream_errors import EngineError, StaleConnection, UpstreamError, UpstreamRefused
from hayate.wire.numbers import largest_limit
from hayate.wire.replies import TO_EVENTS
from hayate.wire.tool_names import tell_omitted


@dataclass(slots=True)
class _Tried:
    """What has come of a call's attempts, once one has failed."""

    served_model: str | None
    """What the engine is asked for."""
    replicas: list[Replica] = field(default_factory=list)
    conceded: bool = False
    """Whether something was left out that the engine had refused."""


class Relay:
    """Opens calls. One per gateway."""

    def __init__(self, fleet: Fleet, ticker: Ticker, estimates: Estimates | None = None) -> None:
        self.fleet = fleet
        self.estimates = estimates or Estimates()
        """What calls are expected to take."""
        self.ticker = ticker
        self.turns = Turns(ticker.members)
        self.now = time.monotonic
        self.refresh: Callable[[], Awaitable[None]] = _nothing_new
        """Asks the engines anew what they serve (`fleet.health_checks.Prober.refresh`)."""
        self._budget = RetryBudget()

    def open(self, call: Call) -> Awaitable[Answer]:
        """The first phase, to be awaited. Raises GatewayError; what comes of it is for a `with`."""
        self._budget.called(self.now())
        try:
            route = self.fleet.route(call.model)
        except UnknownModel:
            return self._open_unknown(call)
        at_once = len(route) == 1 and not self.turns.are_taken
        return self._open_at(route[0], call) if at_once else self._open_first(route, call)

    async def check_model(self, name: str | None) -> None:
        """Raises UnknownModel when no engine serves `name`, which those that may have learned it since are asked first."""
        try:
            self.fleet.route(name)
        except UnknownModel:
            await self.refresh()
            self.fleet.route(name)

    async def _open_unknown(self, call: Call) -> Answer:
        await self.check_model(call.model)
        return await self._open_first(self.fleet.route(call.model), call)

    async def _renamed(self, deployment: Deployment, call: Call, asked: str | None) -> bool:
        """The engine knows no model `asked`, which was its own: whether it serves another one now, and the call may go to that."""
        await self.refresh()
        gone = asked not in deployment.models and deployment.served_model is not None
        return gone and asked != call.model and call.record.attempts == 1

    async def _open_first(self, route: Sequence[Deployment], call: Call) -> Answer:
        """At the first deployment of the route that takes the call; in a turn of its own where many streams are open."""
        if self.turns.are_taken:
            await self.turns.take(has_begun=True)
        for deployment in route:
            try:
                return await self._open_at(deployment, call)
            except (Overloaded, UpstreamError) as error:
                movable = isinstance(error, Overloaded) or error.safe_to_retry
                if not movable or deployment is route[-1]:
                    raise
        raise UnknownModel("No deployment is configured.", "デプロイメントが設定されていません。")

    def record_failure(self, deployment: Deployment, replica: Replica, error: UpstreamError) -> None:
        """Counts a failure against a replica, and says so when that throws it out."""
        if deployment.record_failure(replica, error, self.now()):
            deployment.widen()
            log_event(
                "replica_ejected",
                replica=replica.label,
                for_s=round(replica.health.back_in_s(self.now()), 1),
                reason=error.texts,
            )

    async def _open_at(self, deployment: Deployment, call: Call) -> Answer:
        record = call.record
        record.deployment = deployment.name
        if deployment.context_tokens is not None:
            check_length(call.fields, deployment.name, deployment.context_tokens)
        door = deployment.door
        if door is None or door.open:
            served_model = _served_model(call, deployment)
            prepared = _prepared(call, deployment, served_model)
            now, gate, waits = self.now(), deployment.gate, record.waits
            lane = gate.lanes.of(record.key, waits.weight, now, low=waits.low)
            place = gate.step_in(lane, now)
            if place is None:
                place = self._place(deployment, lane, record, now)
                if not gate.try_enter(place):
                    await self._wait(deployment, place, call, deployment.spec.queue_s)
                    now = self.now()
        else:
            place, prepared = await self._wait_outside(door, deployment, call)
            now, served_model = self.now(), _served_model(call, deployment)
        replica = deployment.choose((), now)
        if replica is None:
            deployment.waiting.leave(place, 0)
            raise deployment.no_replica(now)
        so_far: _Tried | None = None
        try:
            while True:
                record.replica = replica.label
                record.attempts += 1
                try:
                    return await self._attempt(deployment, replica, call, prepared, place)
                except (UpstreamError, NotSupported) as error:
                    so_far = so_far or _Tried(served_model)
                    replica, prepared = await self._after(error, deployment, replica, call, prepared, so_far)
        except GatewayError:
            deployment.waiting.leave(place, 0)
            raise
        except BaseException:  # its client left: how much was done for it, nobody has told
            deployment.waiting.leave(place, place.charged)
            raise

    async def _after(
        self,
        error: UpstreamError | NotSupported,
        deployment: Deployment,
        replica: Replica,
        call: Call,
        prepared: Prepared,
        so_far: _Tried,
    ) -> tuple[Replica, Prepared]:
        """Where a failed call goes next, and what is asked there. Raises the error where there is no such place."""
        if _knows_better(deployment.backend, call, prepared, error, conceded=so_far.conceded):
            so_far.conceded = so_far.conceded or isinstance(error, EngineError)
            return replica, _prepared(call, deployment, so_far.served_model)
        if isinstance(error, NotSupported):
            raise error
        self.record_failure(deployment, replica, error)
        if error.code == "model_not_found" and await self._renamed(deployment, call, so_far.served_model):
            so_far.served_model = deployment.served_model
            return replica, _prepared(call, deployment, so_far.served_model)
        so_far.replicas.append(replica)
        following = deployment.choose(so_far.replicas, self.now()) if error.safe_to_retry else None
        if following is None or not self._budget.allow(self.now()):
            raise error
        return following, prepared

    def _place(self, deployment: Deployment, lane: Lane, record: CallRecord, now: float) -> Place[Waiter]:
        """What the call is expected to take. Its request has been prepared."""
        estimates, path = self.estimates, record.sent_path
        prompt = estimates.prompt_tokens(deployment.name, path, record.sent_bytes)
        output = int(estimates.answer_tokens(record.key, record.model)) if path in TO_EVENTS else 0
        return Place(lane, prompt, output, now)

    async def _wait_outside(self, door: Door, deployment: Deployment, call: Call) -> tuple[Place[Waiter], Prepared]:
        """For a model that has to be loaded first, in the queue, as for a place; and takes the place. Raises Overloaded."""
        now, record = self.now(), call.record
        door.check(now)
        with contextlib.suppress(
            UpstreamRefused
        ):  # some adapters must know the engine first; here it is for the estimate
            _prepared(call, deployment, _served_model(call, deployment))
        lane = deployment.gate.lanes.of(record.key, record.waits.weight, now, low=record.waits.low)
        place = self._place(deployment, lane, record, now)
        door.knock()
        await self._wait(deployment, place, call, deployment.spec.queue_s + door.load_timeout_s)
        try:
            return place, _prepared(call, deployment, _served_model(call, deployment))
        except GatewayError:
            deployment.waiting.leave(place, 0)
            raise

    async def _wait(self, deployment: Deployment, place: Place[Waiter], call: Call, limit_s: float) -> None:
        """For a place, and takes it. Raises Overloaded."""
        record, waits = call.record, call.record.waits
        if deployment.door is not None:
            record.standing = deployment.door.comment
        if waits.deadline_s is not None:
            waits = replace(waits, deadline_s=record.started + waits.deadline_s - place.since)
        try:
            await deployment.waiting.enter(place, waits, limit_s)
        finally:
            record.standing = None
            record.queued_s += self.now() - place.since

    async def _attempt(
        self, deployment: Deployment, replica: Replica, call: Call, prepared: Prepared, place: Place[Waiter]
    ) -> Answer:
        request, sent_at = prepared.request, self.now()
        replica.enter(sent_at)
        limit_s, limit = deployment.first_byte_limit if request.streams else deployment.whole_limit
        try:
            try:
                exchange = await replica.pool.send(request, first_byte_s=limit_s, limit=limit)
            except StaleConnection:  # the engine has not seen what is sent again
                call.record.attempts += 1
                exchange = await replica.pool.send(request, first_byte_s=limit_s, limit=limit, fresh=True)
            if exchange.status != 200 or (request.streams and not sends_events(exchange)):
                try:
                    to_events = prepared.to_events or (TO_EVENTS.get(call.path) if call.streams else None)
                    await settle(exchange, request, deployment, to_events)
                except BaseException:
                    exchange.close()
                    raise
        except BaseException:
            replica.leave()
            raise
        backend, record = deployment.backend, call.record
        decoder, assembly, retell = prepared.decoder, prepared.assembly, prepared.retell
        return Answer(self, deployment, backend, replica, exchange, record, decoder, assembly, retell, place, sent_at)


def _knows_better(
    backend: Backend, call: Call, prepared: Prepared, error: UpstreamError | NotSupported, *, conceded: bool
) -> bool:
    """Whether the adapter can ask in another way than the engine has just refused. `conceded`: something was left out before,
    and that was not what it minded.
    """
    if isinstance(error, NotSupported):
        return backend.lacks(prepared.request.path)
    if not isinstance(error, EngineError) or not (call.takes_additions or prepared.to_events is not None):
        return False
    if conceded:
        backend.restore()
        return False
    return backend.concede(error)


def _served_model(call: Call, deployment: Deployment) -> str | None:
    """An engine may serve several models (LoRA adapters, say): asked for by its own name, each is that one."""
    return call.model if call.model in deployment.models else deployment.served_model


def _prepared(call: Call, deployment: Deployment, served_model: str | None) -> Prepared:
    prepared = deployment.backend.prepare(call, served_model)
    record = call.record
    request = prepared.request
    record.sent_path, record.streamed = call.path, request.streams
    record.sent_bytes = len(request.body) if call.form is None else 0
    request.headers = (*request.headers, (b"x-request-id", record.upstream_id or record.request_id.encode()))
    if call.answer_headers is not None:
        tell_omitted(call.answer_headers, prepared.tools_omitted)
    return prepared


async def _nothing_new() -> None:
    """What a relay that nobody watches for hears."""


def check_length(fields: dict[str, Any], deployment: str, context_tokens: int) -> None:
    """More output than the whole context holds is a mistake on every engine; some would take it. Raises InvalidRequest."""
    name = largest_limit(fields)
    if name is not None and fields[name] > context_tokens:
        raise InvalidRequest(
            f"'{name}' is {fields[name]}, but the context of {deployment} is {context_tokens} tokens in all.",
            f"'{name}' が {fields[name]} ですが、{deployment} のコンテキストは全体で {context_tokens} トークンです。",
            param=name,
        )
