"""The second phase of a call: its answer has begun. Nothing is retried any more, and a failure ends what has been sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from hayate.backends.base import Assembly, Backend, WholeAnswer
from hayate.fleet.deployment import Deployment
from hayate.fleet.replica import Replica
from hayate.fleet.waiting import Waiter
from hayate.policy.lanes import OUTPUT_UNITS
from hayate.policy.places import Place
from hayate.relay.pump import Pump, Sink
from hayate.relay.ticker import Ticker
from hayate.relay.watch import Watch
from hayate.telemetry.record import CallRecord
from hayate.upstream.bodies import took_too_long
from hayate.upstream.exchange import Exchange
from hayate.upstream_errors import UpstreamError
from hayate.wire.decoder import StreamDecoder
from hayate.wire.faults import UNREADABLE, unreadable

Read = TypeVar("Read")


class Opener(Protocol):
    """Whoever opened the answer: the relay."""

    ticker: Ticker
    now: Callable[[], float]

    def record_failure(self, deployment: Deployment, replica: Replica, error: UpstreamError) -> None:
        """Counts a failure against a replica."""


@dataclass(slots=True, eq=False)
class Answer:
    """An engine's answer under way, to be used in `with`: it holds a place at the deployment and the replica until
    then.

    Of what was prepared for the call only what reads the answer is kept: the request, as large as its prompt, has been
    sent.
    """

    opener: Opener
    deployment: Deployment
    backend: Backend
    """The deployment's when the answer began: a reload may give it another one."""
    replica: Replica
    exchange: Exchange
    record: CallRecord
    decoder: StreamDecoder | None
    assembly: Assembly | None
    retell: Callable[[WholeAnswer], WholeAnswer] | None
    """Puts a whole answer into the client's dialect, where the engine was asked in another one."""
    place: Place[Waiter]
    sent_at: float

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Gives everything back. An answer that is not whole is cut off, and the engine stops."""
        self.exchange.close()
        self.replica.leave()
        if not self.deployment.gate.step_out(self.place, self.opener.now()):
            self.deployment.waiting.leave(self.place, self._used())

    def _used(self) -> int:
        """The work that was done for the call, in units: what was expected, where nobody has told."""
        usage, place = self.record.usage, self.place
        if not usage.told_prompt and not usage.completion_tokens:
            return place.charged
        prompt = max(0, usage.prompt_tokens - usage.cached_tokens) if usage.told_prompt else place.prompt
        return prompt + OUTPUT_UNITS * usage.completion_tokens

    async def pump(self, decoder: StreamDecoder, sink: Sink, *, client_stall_s: float) -> None:
        """Streams the answer to `sink`. Raises GatewayError when it broke; what came before has been written."""
        record = self.record
        limits = self.deployment.spec.timeouts
        watch = Watch(self.opener.ticker, limits, client_stall_s, self.sent_at, self.replica.progress, self.place)
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
        self.replica.succeeded(self.opener.now(), self.sent_at)

    async def whole(self) -> WholeAnswer:
        """Reads a non-streaming answer. Raises GatewayError."""
        try:
            raw = self.exchange.arrived()
            if raw is None:
                silence_s = self.deployment.spec.timeouts.silence_s
                raw = await self._in_time(self.exchange.read(silence_s=silence_s))
            whole = self.backend.whole_answer(raw)
            if self.retell is not None:
                whole = _retold(self.retell, whole)
        except UpstreamError as error:
            self._failed(error)
            raise
        self.replica.succeeded(self.opener.now(), self.sent_at)
        record = self.record
        record.usage = whole.usage
        whole.usage.settle(whole=True)
        record.finish_reason = whole.finish_reason
        return whole

    async def read(self, hold_bytes: int) -> bytes | None:
        """The answer's body, whatever it says; None when it is over `hold_bytes`: then it is to be pumped. Raises UpstreamError."""
        silence_s = self.deployment.spec.timeouts.silence_s
        try:
            raw = await self._in_time(self.exchange.read_held(hold_bytes, silence_s=silence_s))
        except UpstreamError as error:
            self._failed(error)
            raise
        if raw is not None:
            self.replica.succeeded(self.opener.now(), self.sent_at)
        return raw

    def _in_time(self, reading: Awaitable[Read]) -> Awaitable[Read]:
        """`reading`, to be awaited, within the limits of a whole answer. Raises UpstreamTimeout beyond them."""
        limit_s, name = self.deployment.whole_limit
        if limit_s is None:
            return reading
        return _within(reading, self.sent_at + limit_s - self.opener.now(), took_too_long(name, limit_s))

    def _failed(self, error: UpstreamError) -> None:
        self.opener.record_failure(self.deployment, self.replica, error)


def _retold(retell: Callable[[WholeAnswer], WholeAnswer], whole: WholeAnswer) -> WholeAnswer:
    try:
        return retell(whole)
    except UNREADABLE:  # an engine may answer anything
        raise unreadable() from None


async def _within(reading: Awaitable[Read], limit_s: float, too_late: UpstreamError) -> Read:
    try:
        async with asyncio.timeout(limit_s):
            return await reading
    except TimeoutError:
        raise too_late from None
