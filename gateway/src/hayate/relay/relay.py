"""The life of one call, in two phases.

Before the engine's answer has a head, a failure has a status code, and the call may go to another replica if the engine has
seen nothing of it: that is `Relay.open`. After that nothing is retried; a failure ends what has been sent: that is the
`Answer`. The line between the two is where `open` returns.

    (1) the route: deployments behind the model's name, tried in order
    (2) a place at the deployment: in, queued or refused
    (3) the replica with the fewest calls in flight
    (4) connect, send, wait for the head
    (5) a failure that the engine saw nothing of goes back to (3), then to (1), within the retry budget
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hayate.backends.base import Asked, Assembly, Backend, Prepared, WholeAnswer
from hayate.errors import EngineError, InvalidRequest, Overloaded, StaleConnection, UnknownModel, UpstreamError
from hayate.fleet.deployment import Deployment
from hayate.fleet.fleet import Fleet
from hayate.fleet.replica import Replica
from hayate.policy.retries import RetryBudget
from hayate.relay.heads import first_byte_limit, sends_events, settle, whole_limit
from hayate.relay.pump import Pump, Sink, Watch
from hayate.relay.ticker import Ticker
from hayate.settings import Timeouts
from hayate.telemetry.log import log_event
from hayate.telemetry.record import CallRecord
from hayate.upstream.bodies import took_too_long
from hayate.upstream.connection import Exchange
from hayate.wire.decoder import StreamDecoder
from hayate.wire.numbers import output_limit
from hayate.wire.paths import COMPLETIONS
from hayate.wire.replies import TO_EVENTS

Read = TypeVar("Read")


@dataclass(slots=True)
class Call(Asked):
    """What a client asks for, on its way to an engine, and the record of how it fares."""

    record: CallRecord = field(kw_only=True)


@dataclass(slots=True, eq=False)
class Answer:
    """An engine's answer under way; holds a place at the deployment and the replica until it is closed.

    Of what was prepared for the call only what reads the answer is kept: the request, as large as its prompt, has been sent.
    """

    relay: Relay
    deployment: Deployment
    backend: Backend
    """The deployment's when the answer began: a reload may give it another one."""
    replica: Replica
    exchange: Exchange
    record: CallRecord
    decoder: StreamDecoder | None
    assembly: Assembly | None
    sent_at: float
    closed: bool = False

    async def pump(self, decoder: StreamDecoder, sink: Sink, *, client_stall_s: float) -> None:
        """Streams the answer to `sink`. Raises GatewayError when it broke; what came before has been written."""
        record = self.record
        limits = self.deployment.spec.timeouts
        watch = Watch(self.relay.ticker, limits, client_stall_s, self.sent_at, self.replica.progress)
        pump = Pump(self.exchange, decoder, sink, watch)
        try:
            await pump.run()
        except UpstreamError as error:
            self._failed(error)
            raise
        finally:
            record.usage = decoder.usage
            record.finish_reason = decoder.finish_reason
            if pump.first_delta_at:
                record.ttft_s = pump.first_delta_at - record.started
        self.replica.succeeded(self.relay.now(), self.sent_at)

    async def whole(self) -> WholeAnswer:
        """Reads a non-streaming answer. Raises GatewayError."""
        try:
            raw = self.exchange.arrived()
            if raw is None:
                limits = self.deployment.spec.timeouts
                raw = await self._in_time(limits, self.exchange.read(silence_s=limits.silence_s))
            whole = self.backend.whole_answer(raw)
        except UpstreamError as error:
            self._failed(error)
            raise
        self.replica.succeeded(self.relay.now(), self.sent_at)
        self.record.usage = whole.usage
        self.record.finish_reason = whole.finish_reason
        return whole

    async def read(self, hold_bytes: int) -> bytes | None:
        """The answer's body, whatever it says; None when it is over `hold_bytes`: then it is to be pumped. Raises UpstreamError."""
        limits = self.deployment.spec.timeouts
        try:
            raw = await self._in_time(limits, self.exchange.read_held(hold_bytes, silence_s=limits.silence_s))
        except UpstreamError as error:
            self._failed(error)
            raise
        if raw is not None:
            self.replica.succeeded(self.relay.now(), self.sent_at)
        return raw

    def _in_time(self, limits: Timeouts, reading: Awaitable[Read]) -> Awaitable[Read]:
        """`reading`, to be awaited, within the limits of a whole answer. Raises UpstreamTimeout beyond them."""
        limit_s, name = whole_limit(limits)
        if limit_s is None:
            return reading
        return _within(reading, self.sent_at + limit_s - self.relay.now(), took_too_long(name, limit_s))

    def close(self) -> None:
        """Gives everything back. An answer that is not whole is cut off, and the engine stops."""
        if not self.closed:
            self.closed = True
            self.exchange.close()
            self.replica.leave()
            self.deployment.leave()

    def _failed(self, error: UpstreamError) -> None:
        self.relay.blame(self.deployment, self.replica, error)


class Relay:
    """Opens calls. One per gateway."""

    def __init__(self, fleet: Fleet, ticker: Ticker) -> None:
        self.fleet = fleet
        self.ticker = ticker
        self.now = time.monotonic
        self.refresh: Callable[[], Awaitable[None]] = _nothing_new
        """Asks the engines anew what they serve (`probing.Prober.refresh`)."""
        self._budget = RetryBudget()

    def open(self, call: Call) -> Awaitable[Answer]:
        """The first phase, to be awaited. Raises GatewayError; after it, the caller must close the answer."""
        self._budget.called(self.now())
        try:
            route = self.fleet.route(call.model)
        except UnknownModel:
            return self._open_unknown(call)
        return self._open_at(route[0], call) if len(route) == 1 else self._open_first(route, call)

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
        """At the first deployment of the route that takes the call."""
        for deployment in route:
            try:
                return await self._open_at(deployment, call)
            except (Overloaded, UpstreamError) as error:
                movable = isinstance(error, Overloaded) or error.safe_to_retry
                if not movable or deployment is route[-1]:
                    raise
        raise UnknownModel("No deployment is configured.", "デプロイメントが設定されていません。")

    def blame(self, deployment: Deployment, replica: Replica, error: UpstreamError) -> None:
        """Counts a failure against a replica, and says so when that throws it out."""
        if deployment.record_failure(replica, error, self.now()):
            log_event(
                "replica_ejected",
                replica=replica.label,
                for_s=round(replica.health.back_in_s(self.now()), 1),
                reason=error.english,
            )

    async def _open_at(self, deployment: Deployment, call: Call) -> Answer:
        record = call.record
        record.deployment = deployment.name
        check_length(call.fields, deployment)
        # An engine may serve several models (LoRA adapters, say): asked for by its own name, each is that one.
        served_model = call.model if call.model in deployment.models else deployment.served_model
        prepared = _prepared(call, deployment, served_model)
        if not deployment.gate.try_enter():
            waited_from = self.now()
            try:
                await deployment.enter()
            finally:
                record.queued_s += self.now() - waited_from
        tried: list[Replica] = []
        last: UpstreamError | None = None
        conceded = False
        try:
            while True:
                replica = deployment.choose(tried, self.now(), last)
                record.replica = replica.label
                record.attempts += 1
                try:
                    return await self._attempt(deployment, replica, call, prepared)
                except UpstreamError as error:
                    if isinstance(error, EngineError) and _may_be_ours(call):
                        if conceded:  # it was not what we add
                            deployment.backend.restore()
                        elif conceded := deployment.backend.concede(error):
                            prepared = _prepared(call, deployment, served_model)
                            continue
                    self.blame(deployment, replica, error)
                    if error.code == "model_not_found" and await self._renamed(deployment, call, served_model):
                        served_model = deployment.served_model
                        prepared = _prepared(call, deployment, served_model)
                        continue
                    if not error.safe_to_retry or not self._budget.allow(self.now()):
                        raise
                    tried.append(replica)
                    last = error
        except BaseException:
            deployment.leave()
            raise

    async def _attempt(self, deployment: Deployment, replica: Replica, call: Call, prepared: Prepared) -> Answer:
        request, sent_at = prepared.request, self.now()
        replica.enter(sent_at)
        limits = deployment.spec.timeouts
        limit_s, limit = first_byte_limit(limits) if request.streams else whole_limit(limits)
        try:
            try:
                exchange = await replica.pool.send(request, first_byte_s=limit_s, limit=limit)
            except StaleConnection:  # the engine has not seen what is sent again
                call.record.attempts += 1
                exchange = await replica.pool.send(request, first_byte_s=limit_s, limit=limit, fresh=True)
            if exchange.status != 200 or (request.streams and not sends_events(exchange)):
                try:
                    await settle(exchange, request, deployment, TO_EVENTS.get(call.path) if call.streams else None)
                except BaseException:
                    exchange.close()
                    raise
        except BaseException:
            replica.leave()
            raise
        decoder, assembly = prepared.decoder, prepared.assembly
        return Answer(self, deployment, deployment.backend, replica, exchange, call.record, decoder, assembly, sent_at)


def _prepared(call: Call, deployment: Deployment, served_model: str | None) -> Prepared:
    prepared = deployment.backend.prepare(call, served_model)
    record = call.record
    prepared.request.headers.append((b"x-request-id", record.upstream_id or record.request_id.encode()))
    return prepared


def _may_be_ours(call: Call) -> bool:
    """Whether an adapter may have added to the fields what the caller has not sent: if that is refused, the call is not."""
    return call.path in COMPLETIONS and not call.fields.get("stream_options")


async def _within(reading: Awaitable[Read], limit_s: float, too_late: UpstreamError) -> Read:
    try:
        async with asyncio.timeout(limit_s):
            return await reading
    except TimeoutError:
        raise too_late from None


async def _nothing_new() -> None:
    """What a relay that nobody watches for hears."""


def check_length(fields: dict[str, Any], deployment: Deployment) -> None:
    """More output than the whole context holds is a mistake on every engine; some would take it. Raises InvalidRequest."""
    context = deployment.context_tokens
    limit = None if context is None else output_limit(fields)
    if context is not None and limit is not None and limit.tokens > context:
        raise InvalidRequest(
            f"'{limit.field}' is {limit.tokens}, but the context of {deployment.name} is {context} tokens in all.",
            f"'{limit.field}' が {limit.tokens} ですが、{deployment.name} のコンテキストは全体で {context} トークンです。",
            param=limit.field,
        )
