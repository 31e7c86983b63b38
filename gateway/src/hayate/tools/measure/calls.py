"""One call from its first byte to its last, with a stopwatch.

The watch starts before a connection is chosen, as it does for whoever waits; `ttft_s` ends with the read that brings
the first non-empty delta (text, reasoning or a tool call), `total_s` with the one that brings the end of the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import orjson

from hayate.errors import GatewayError
from hayate.tools.measure.dialects import AnswerReader, message_of
from hayate.tools.measure.failure import Failure
from hayate.upstream.connection_pool import ConnectionPool
from hayate.upstream.exchange import Exchange
from hayate.upstream_errors import ConnectFailed, ConnectTimedOut, StaleConnection, UpstreamError, UpstreamTimeout
from hayate.wire.upstream_request import UpstreamRequest

CLOSE_S = 1.0
"""How long a connection may stay open after its answer has ended before it is dropped instead of used again."""
SILENT = "no output yet"


@dataclass(frozen=True, slots=True)
class MeasuredCall:
    """What one call came to. `started_s` counts from the start of its model's measurement."""

    number: int
    started_s: float
    total_s: float
    ttft_s: float | None = None
    output_tokens: int = 0
    tokens_told: bool = False
    """Whether the server counted them; otherwise they are the deltas that arrived."""
    chars: int = 0
    prompt_tokens: int | None = None
    finish_reason: str | None = None
    served_model: str | None = None
    failure: Failure | None = None

    @property
    def decode_s(self) -> float | None:
        """From the first output to the end; None when there was no time in between."""
        return self.total_s - self.ttft_s if self.ttft_s is not None and self.total_s > self.ttft_s else None

    @property
    def tpot_s(self) -> float | None:
        """Seconds a token after the first; None for an answer of one token, or one that came all at once."""
        return (
            self.decode_s / (self.output_tokens - 1) if self.decode_s is not None and self.output_tokens > 1 else None
        )


class _Watch:
    """Takes the body as it arrives and notes the moments. One per call."""

    __slots__ = ("_reader", "ended", "ended_at", "finished", "first_at", "trouble")

    def __init__(self, reader: AnswerReader) -> None:
        loop = asyncio.get_running_loop()
        self._reader = reader
        self.first_at: float | None = None
        self.ended_at: float | None = None
        self.trouble: GatewayError | None = None
        self.finished: asyncio.Future[None] = loop.create_future()
        """The answer has said that it is over."""
        self.ended: asyncio.Future[None] = loop.create_future()
        """The body is over."""

    def body_received(self, data: bytes) -> None:
        now = perf_counter()
        if self.ended_at is not None:
            return
        if self._reader.feed(data) and self.first_at is None:
            self.first_at = now
        if self._reader.finished:
            self._reader.end()
            self._finish(now)

    def body_ended(self) -> None:
        if self.ended_at is None:
            now = perf_counter()
            self._reader.end()
            self._finish(now)
        self._end()

    def body_failed(self, error: GatewayError) -> None:
        if self.ended_at is None:
            self.trouble = error
            self._finish(perf_counter())
        self._end()

    def _finish(self, now: float) -> None:
        self.ended_at = now
        if not self.finished.done():
            self.finished.set_result(None)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


@dataclass(frozen=True, slots=True)
class Caller:
    """Makes calls to one server. `new_reader` makes what reads its dialect."""

    pool: ConnectionPool
    new_reader: Callable[[], AnswerReader]
    timeout_s: float
    secret: str | None

    async def call(self, number: int, request: UpstreamRequest, epoch: float) -> MeasuredCall:
        """One call; what goes wrong is in its result."""
        reader, began = self.new_reader(), perf_counter()
        watch = _Watch(reader)
        try:
            async with asyncio.timeout(self.timeout_s):
                failure = await self._converse(request, watch)
        except TimeoutError:
            failure = Failure("timeout", SILENT if watch.first_at is None else "in the middle of the answer")
        except GatewayError as error:
            failure = _failure_of(error)
        failure = failure or reader.failure
        ended = watch.ended_at if watch.ended_at is not None else perf_counter()
        return MeasuredCall(
            number=number,
            started_s=began - epoch,
            total_s=ended - began,
            ttft_s=None if watch.first_at is None else watch.first_at - began,
            output_tokens=reader.output_tokens or reader.deltas,
            tokens_told=reader.output_tokens is not None,
            chars=reader.chars,
            prompt_tokens=reader.prompt_tokens,
            finish_reason=reader.finish_reason,
            served_model=reader.served_model,
            failure=failure.told(self.secret) if failure else None,
        )

    async def _converse(self, request: UpstreamRequest, watch: _Watch) -> Failure | None:
        exchange = await self._send(request)
        try:
            if exchange.status != 200:
                return Failure(f"status_{exchange.status}", _error_text(await exchange.read()))
            exchange.stream_to(watch)
            await watch.finished
            if not watch.ended.done():
                await asyncio.wait((watch.ended,), timeout=CLOSE_S)
        finally:
            exchange.close()
        return _failure_of(watch.trouble) if watch.trouble is not None else None

    async def _send(self, request: UpstreamRequest) -> Exchange:
        try:
            return await self.pool.send(request, first_byte_s=self.timeout_s)
        except StaleConnection:
            return await self.pool.send(request, first_byte_s=self.timeout_s, fresh=True)


def _failure_of(error: GatewayError) -> Failure:
    """The connection's trouble in this tool's words: the error's own speak to a gateway's operator (BACKEND_URL, timeouts)."""
    said = error.cause if isinstance(error, UpstreamError) else ""
    if isinstance(error, ConnectTimedOut):
        return Failure("connect", "no connection in time")
    if isinstance(error, ConnectFailed):
        return Failure("connect", said)
    if isinstance(error, UpstreamTimeout):
        return Failure("timeout", SILENT)
    return Failure("broken", said or "closed before the answer was complete")


def _error_text(body: bytes) -> str:
    try:
        return message_of(orjson.loads(body))
    except orjson.JSONDecodeError:
        return body[:400].decode("utf-8", "replace")
