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
from dataclasses import dataclass
from typing import TypeVar

from hayate.backends.base import Backend, WholeAnswer
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
from hayate.wire.numbers import OutputLimit
from hayate.wire.replies import ToEvents
from hayate.wire.upstream_request import UpstreamRequest

Read = TypeVar("Read")

Render = Callable[[Backend, str | None], UpstreamRequest]
"""Makes the upstream request for the adapter and served model of the deployment that was chosen."""


@dataclass(slots=True)
class Call:
    """One client request on its way to an engine. `model` is the name the client sent."""

    record: CallRecord
    model: str | None
    render: Render
    limit: OutputLimit | None = None
    to_events: ToEvents | None = None
    """Puts a whole answer that came in place of a stream into the stream's events, where the caller wants such."""
    adds: bool = False
    """Whether the engine's adapter adds to the fields what the caller has not sent: if that is refused, the call is not."""


class Answer:
    """An engine's answer under way; holds a place at the deployment and the replica until it is closed."""

    __slots__ = ("_closed", "_relay", "backend", "deployment", "exchange", "record", "replica", "sent_at")

    def __init__(
        self,
        relay: Relay,
        deployment: Deployment,
        replica: Replica,
        exchange: Exchange,
        record: CallRecord,
        sent_at: float,
    ) -> None:
        self._relay = relay
        self._closed = False
        self.deployment = deployment
        self.backend = deployment.backend  # a reload may give the deployment another one
        self.replica = replica
        self.exchange = exchange
        self.record = record
        self.sent_at = sent_at

    async def pump(self, decoder: StreamDecoder, sink: Sink, *, client_stall_s: float) -> None:
        """Streams the answer to `sink`. Raises GatewayError when it broke; what came before has been written."""
        record = self.record
        limits = self.deployment.spec.timeouts
        watch = Watch(self._relay.ticker, limits, client_stall_s, self.sent_at, self.replica.progress)
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
        self.replica.succeeded(self._relay.now(), self.sent_at)

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
        self.replica.succeeded(self._relay.now(), self.sent_at)
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
            self.replica.succeeded(self._relay.now(), self.sent_at)
        return raw

    def _in_time(self, limits: Timeouts, reading: Awaitable[Read]) -> Awaitable[Read]:
        """`reading`, to be awaited, within the limits of a whole answer. Raises UpstreamTimeout beyond them."""
        limit_s, name = whole_limit(limits)
        if limit_s is None:
            return reading
        return _within(reading, self.sent_at + limit_s - self._relay.now(), took_too_long(name, limit_s))

    def close(self) -> None:
        """Gives everything back. An answer that is not whole is cut off, and the engine stops."""
        if not self._closed:
            self._closed = True
            self.exchange.close()
            self.replica.leave()
            self.deployment.leave()

    def _failed(self, error: UpstreamError) -> None:
        self._relay.blame(self.deployment, self.replica, error)


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
        check_length(call.limit, deployment)
        # An engine may serve several models (LoRA adapters, say): asked for by its own name, each is that one.
        served_model = call.model if call.model in deployment.models else deployment.served_model
        request = _rendered(call, deployment, served_model)
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
                    return await self._attempt(deployment, replica, call, request)
                except UpstreamError as error:
                    if isinstance(error, EngineError) and call.adds:
                        if conceded:  # it was not what we add
                            deployment.backend.restore()
                        elif conceded := deployment.backend.concede(error):
                            request = _rendered(call, deployment, served_model)
                            continue
                    self.blame(deployment, replica, error)
                    if error.code == "model_not_found" and await self._renamed(deployment, call, served_model):
                        served_model = deployment.served_model
                        request = _rendered(call, deployment, served_model)
                        continue
                    if not error.safe_to_retry or not self._budget.allow(self.now()):
                        raise
                    tried.append(replica)
                    last = error
        except BaseException:
            deployment.leave()
            raise

    async def _attempt(self, deployment: Deployment, replica: Replica, call: Call, request: UpstreamRequest) -> Answer:
        sent_at = self.now()
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
                    await settle(exchange, request, deployment, call.to_events)
                except BaseException:
                    exchange.close()
                    raise
        except BaseException:
            replica.leave()
            raise
        return Answer(self, deployment, replica, exchange, call.record, sent_at)


def _rendered(call: Call, deployment: Deployment, served_model: str | None) -> UpstreamRequest:
    request = call.render(deployment.backend, served_model)
    request.headers.append((b"x-request-id", call.record.upstream_id or call.record.request_id.encode()))
    return request


async def _within(reading: Awaitable[Read], limit_s: float, too_late: UpstreamError) -> Read:
    try:
        async with asyncio.timeout(limit_s):
            return await reading
    except TimeoutError:
        raise too_late from None


async def _nothing_new() -> None:
    """What a relay that nobody watches for hears."""


def check_length(limit: OutputLimit | None, deployment: Deployment) -> None:
    """More output than the whole context holds is a mistake on every engine; some would take it. Raises InvalidRequest."""
    context = deployment.context_tokens
    if context is not None and limit is not None and limit.tokens > context:
        raise InvalidRequest(
            f"'{limit.field}' is {limit.tokens}, but the context of {deployment.name} is {context} tokens in all.",
            f"'{limit.field}' が {limit.tokens} ですが、{deployment.name} のコンテキストは全体で {context} トークンです。",
            param=limit.field,
        )
