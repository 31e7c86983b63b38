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

from hayate.backends.base import Backend, StreamDecoder, WholeAnswer
from hayate.backends.exchange import Exchange
from hayate.backends.transport import UpstreamRequest
from hayate.errors import (
    InvalidRequest,
    Overloaded,
    StaleConnection,
    UnknownModel,
    UpstreamBroke,
    UpstreamError,
    UpstreamTimeout,
)
from hayate.policy.retries import RetryBudget
from hayate.pool import Deployment, Fleet
from hayate.pump import Pump, Sink, Watch
from hayate.replica import Replica
from hayate.telemetry import CallRecord, notice
from hayate.ticker import Ticker
from hayate.wire.numbers import OutputLimit
from hayate.wire.retry_after import retry_after_s

MAX_ERROR_BYTES = 64 * 1024

Render = Callable[[Backend, str | None], UpstreamRequest]
"""Makes the upstream request for the adapter and served model of the deployment that was chosen."""


@dataclass(slots=True)
class Call:
    """One client request on its way to an engine. `model` is the name the client sent."""

    record: CallRecord
    model: str | None
    render: Render
    limit: OutputLimit | None = None


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
        self._succeeded()

    async def whole(self) -> WholeAnswer:
        """Reads a non-streaming answer. Raises GatewayError."""
        raw = await self._body()
        try:
            whole = self.backend.whole_answer(raw)
        except UpstreamError as error:
            self._failed(error)
            raise
        self._succeeded()
        self.record.usage = whole.usage
        self.record.finish_reason = whole.finish_reason
        return whole

    async def read(self) -> bytes:
        """The answer's body, whatever it says. Raises UpstreamError."""
        raw = await self._body()
        self._succeeded()
        return raw

    async def _body(self) -> bytes:
        """Raises UpstreamError, also when it takes longer than the silence or the total allows."""
        arrived = self.exchange.arrived()
        if arrived is not None:
            return arrived
        limits = self.deployment.spec.timeouts
        try:
            async with asyncio.timeout(limits.total_s):
                raw = await self.exchange.read(silence_s=limits.silence_s)
        except TimeoutError:
            error: UpstreamError = _body_timeout(limits.silence_s)
            self._failed(error)
            raise error from None
        except UpstreamError as error:
            self._failed(error)
            raise
        return raw

    def close(self) -> None:
        """Gives everything back. An answer that is not whole is cut off, and the engine stops."""
        if not self._closed:
            self._closed = True
            self.exchange.close()
            self.replica.leave()
            self.deployment.leave()

    def _succeeded(self) -> None:
        self.replica.succeeded(self._relay.now(), self.sent_at)

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
        if deployment.blame(replica, error, self.now()):
            notice(
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
        request = self._render(call, deployment, served_model)
        if not deployment.gate.try_enter():
            waited_from = self.now()
            try:
                await deployment.enter()
            finally:
                record.queued_s += self.now() - waited_from
        tried: list[Replica] = []
        last: UpstreamError | None = None
        learned = False
        try:
            while True:
                replica = deployment.choose(tried, self.now(), last)
                record.replica = replica.label
                record.attempts += 1
                try:
                    return await self._attempt(deployment, replica, request, record)
                except UpstreamError as error:
                    self.blame(deployment, replica, error)
                    if error.code == "model_not_found" and await self._renamed(deployment, call, served_model):
                        served_model = deployment.served_model
                        request = self._render(call, deployment, served_model)
                        continue
                    if not learned and deployment.backend.learn(error):
                        learned = True
                        request = self._render(call, deployment, served_model)
                        continue
                    if not error.safe_to_retry or not self._budget.allow(self.now()):
                        raise
                    tried.append(replica)
                    last = error
        except BaseException:
            deployment.leave()
            raise

    def _render(self, call: Call, deployment: Deployment, served_model: str | None) -> UpstreamRequest:
        request = call.render(deployment.backend, served_model)
        record = call.record
        request.headers.append((b"x-request-id", (record.upstream_id or record.request_id).encode()))
        return request

    async def _attempt(
        self, deployment: Deployment, replica: Replica, request: UpstreamRequest, record: CallRecord
    ) -> Answer:
        limits = deployment.spec.timeouts
        first_byte_s = min(limits.first_byte_s, limits.total_s or limits.first_byte_s)
        sent_at = self.now()
        replica.enter(sent_at)
        try:
            try:
                exchange = await replica.pool.send(request, first_byte_s=first_byte_s)
            except StaleConnection:
                exchange = await replica.pool.send(request, first_byte_s=first_byte_s, fresh=True)
            if exchange.status >= 300 and exchange.status != 304:
                await self._refused(deployment, exchange)
        except BaseException:
            replica.leave()
            raise
        return Answer(self, deployment, replica, exchange, record, sent_at)

    async def _refused(self, deployment: Deployment, exchange: Exchange) -> None:
        """Raises what the engine's error answer means."""
        wait_s = retry_after_s(exchange.headers, time.time())
        try:
            if exchange.status < 400:
                raise _redirected(exchange.status, exchange.header(b"location"))
            async with asyncio.timeout(deployment.spec.timeouts.silence_s):
                raw = await exchange.read()
        except TimeoutError:
            raise _body_timeout(deployment.spec.timeouts.silence_s) from None
        finally:
            exchange.close()
        raise deployment.backend.error(exchange.status, raw[:MAX_ERROR_BYTES], retry_after_s=wait_s)


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


def _redirected(status: int, location: bytes | None) -> UpstreamError:
    """Calls do not follow an engine elsewhere: keys and prompts would go along."""
    to = (location or b"").partition(b"?")[0][:120].decode("latin-1")
    to = f" to {to}" if to.isprintable() and to else ""
    return UpstreamBroke(
        f"The engine answered with a redirect ({status}{to}). Its URL in the gateway's configuration must name where its API is.",
        f"エンジンがリダイレクト（{status}{to}）を返しました。設定のURLをAPIの本来の場所にしてください。",
    )


def _body_timeout(limit_s: float) -> UpstreamError:
    return UpstreamTimeout(
        f"The engine's answer did not arrive within {limit_s:g} s (timeouts.silence_s).",
        f"エンジンの回答が{limit_s:g}秒以内に届きませんでした（timeouts.silence_s）。",
    )
