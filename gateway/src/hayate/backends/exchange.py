"""One request and its answer on one connection: bytes from an engine to whoever receives them.

Bytes are handed to the receiver in the very callback in which they arrived; nothing here copies, queues or schedules them. A
chunk that a lane takes as it is, framing and all, is not even parsed: between two chunks, the state of a parser does not depend
on the chunks before.

An exchange that is closed before its answer is whole takes its connection with it: that is how an engine learns that the
caller has left.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Protocol

from hayate.errors import AnswerTooLarge, GatewayError, StaleConnection, UpstreamBroke
from hayate.wire.content_coding import AnswerDecoder
from hayate.wire.http1 import Headers, ResponseReader, chunk_size, header
from hayate.wire.lane import Lane, Reader

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_DECODED_BYTES = 16 * 1024 * 1024
"""What one read of an encoded body may become."""
_ENDED = select.POLLIN | select.POLLHUP | select.POLLERR
"""Nothing is to come on a connection that rests, but its end."""
EARLY_BYTES = 64 * 1024
"""How much of a body that nobody takes yet is read."""


class Keeper(Protocol):
    """Whoever keeps connections: `transport.ConnectionPool`."""

    loop: asyncio.AbstractEventLoop

    def take_back(self, connection: Connection) -> None:
        """A connection whose exchange is over, to be used again."""

    def forget(self, connection: Connection) -> None:
        """A connection that is gone or going."""


class Receiver(Protocol):
    """Who takes an answer's body. All three are called from the event loop's callbacks and must not block."""

    def body_received(self, data: bytes) -> None:
        """Bytes of the body, as they arrived."""

    def body_ended(self) -> None:
        """The body is whole."""

    def body_failed(self, error: GatewayError) -> None:
        """The body will not be whole."""


class Exchange:
    """One request and its answer. Close it, always; closing early aborts the engine's work."""

    __slots__ = ("_connection", "_early", "_failure", "_passed", "_receiver", "headers", "status", "whole")

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self._receiver: Receiver | None = None
        self._early: list[bytes] = []
        self._failure: GatewayError | None = None
        self._passed = 0
        self.status = 0
        self.headers: Headers = []
        self.whole = False
        """Nothing more will come: known before the last bytes are handed over."""

    def header(self, name: bytes) -> bytes | None:
        """The answer's header `name` (lower case)."""
        return header(self.headers, name)

    def stream_to(self, receiver: Receiver) -> None:
        """From now on the body goes to `receiver`, what has already arrived first."""
        encoded = self._encoding()
        if encoded is not None:
            receiver = _Decoding(receiver, encoded)
        self._receiver = receiver
        self.headers = []  # read by now; a stream may stay open for long
        early, self._early = self._early, []
        self.resume()
        for data in early:
            receiver.body_received(data)
        if self._failure is not None:
            receiver.body_failed(self._failure)
        elif self._connection is None:
            receiver.body_ended()

    def arrived(self) -> bytes | None:
        """The whole body, if it came with the head: the common case of a short answer, without a wait."""
        if self._connection is not None or self._failure is not None or self._receiver is not None:
            return None
        if self._encoding() is not None:
            return None
        early, self._early = self._early, []
        return early[0] if len(early) == 1 else b"".join(early)

    def open_lane(self, reader: Reader, write: Callable[[bytes], None]) -> None:
        """From now on chunks that `reader` finds plain go to `write`, framing and all (`wire.lane`); the rest is read here."""
        if self._connection is not None and self._encoding() is None:
            self._connection.open_lane(reader, write)

    def close_lane(self) -> None:
        """From now on everything is read."""
        if self._connection is not None:
            self._connection.close_lane()

    @property
    def passed(self) -> int:
        """How many events went through the lane."""
        return self._passed if self._connection is None else self._connection.passed

    async def read(self, *, silence_s: float | None = None) -> bytes:
        """The whole body. Raises UpstreamError; TimeoutError when nothing of it comes for `silence_s`. At most MAX_BODY_BYTES."""
        whole = _WholeBody()
        self.stream_to(whole)
        while not whole.future.done():
            seen = whole.size
            await asyncio.wait((whole.future,), timeout=silence_s)
            if whole.size == seen and not whole.future.done():
                raise TimeoutError
        return whole.future.result()

    def pause(self) -> None:
        """Stops reading from the engine: the client is behind."""
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        """Reads on."""
        if self._connection is not None:
            self._connection.resume()

    def close(self) -> None:
        """Ends the exchange. If the answer is not whole, the connection is cut and the engine stops."""
        self._receiver = None
        connection = self._detach()
        if connection is not None:
            connection.abort()

    def _encoding(self) -> bytes | None:
        """The coding of the body, from an engine that encodes although it was asked not to."""
        named = header(self.headers, b"content-encoding")
        return named if named and named.strip().lower() != b"identity" else None

    # What the connection calls.

    def _detach(self) -> Connection | None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._passed = connection.passed
        return connection

    def _ended(self) -> None:
        self._detach()
        if self._receiver is not None:
            self._receiver.body_ended()

    def _failed(self, error: GatewayError) -> None:
        self._detach()
        self._failure = error
        if self._receiver is not None:
            self._receiver.body_failed(error)


class _Decoding:
    """A receiver in front of another: the body arrives encoded and goes on as it is."""

    __slots__ = ("_decoder", "_failed", "_receiver")

    def __init__(self, receiver: Receiver, coding: bytes) -> None:
        self._receiver = receiver
        self._failed = False
        self._decoder: AnswerDecoder | None = None
        try:
            self._decoder = AnswerDecoder(coding)
        except UpstreamBroke as error:
            self.body_failed(error)

    def body_received(self, data: bytes) -> None:
        if self._failed or self._decoder is None:
            return
        try:
            left_bytes = MAX_DECODED_BYTES
            for piece in self._decoder.feed(data):
                left_bytes -= len(piece)
                if left_bytes < 0:
                    raise _swollen()
                if piece:
                    self._receiver.body_received(piece)
        except UpstreamBroke as error:
            self.body_failed(error)

    def body_ended(self) -> None:
        if self._failed or self._decoder is None:
            return
        try:
            self._decoder.end()
        except UpstreamBroke as error:
            self.body_failed(error)
        else:
            self._receiver.body_ended()

    def body_failed(self, error: GatewayError) -> None:
        if not self._failed:
            self._failed = True
            self._receiver.body_failed(error)


def _swollen() -> UpstreamBroke:
    return UpstreamBroke(
        "The engine sent an encoded answer that is out of all proportion.",
        "エンジンの圧縮された応答が大きすぎます。",
    )


class _WholeBody:
    """A receiver that keeps everything."""

    __slots__ = ("_parts", "future", "size")

    def __init__(self) -> None:
        self.future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._parts: list[bytes] = []
        self.size = 0

    def body_received(self, data: bytes) -> None:
        self._parts.append(data)
        self.size += len(data)
        if self.size > MAX_BODY_BYTES and not self.future.done():
            self.future.set_exception(
                AnswerTooLarge("The engine's answer is too large.", "エンジンの応答が大きすぎます。")
            )

    def body_ended(self) -> None:
        if not self.future.done():
            self.future.set_result(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))

    def body_failed(self, error: GatewayError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Connection(Lane, asyncio.Protocol):
    """One connection, one exchange at a time."""

    __slots__ = (
        "_exchange",
        "_head",
        "_keep",
        "_paused",
        "_pool",
        "_reader",
        "_reused",
        "_transport",
        "idle_since",
    )

    def __init__(self, pool: Keeper) -> None:
        super().__init__()
        self._pool = pool
        self._reader = ResponseReader()
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._head: asyncio.Future[None] | None = None
        self._reused = False
        self._paused = False
        self._keep = True
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether a request may be written to it."""
        return self._transport is not None and not self._transport.is_closing()

    def has_ended(self) -> bool:
        """Whether the engine has closed a connection that rests. The system is asked: the loop may not have looked yet."""
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), _ENDED)  # type: ignore[union-attr]
        return bool(poll.poll(0))

    def begin(self, request: bytes, *, keep: bool = True) -> tuple[Exchange, asyncio.Future[None]]:
        """Writes the request; the future is done when the answer's head is there. `keep`: there may be another one after it."""
        if self._transport is None:  # lost since it was chosen
            raise gone_stale() if self._reused else broken_off()
        self._reader.begin()
        self._keep = keep
        self.passed = 0
        self._at_chunk = False
        self._exchange = exchange = Exchange(self)
        self._head = head = self._pool.loop.create_future()
        self._transport.write(request)
        return exchange, head

    def pause(self) -> None:
        """Stops reading."""
        if not self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads on."""
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Cuts the connection, whatever is under way on it."""
        self._exchange = None
        self.close_lane()
        self._pool.forget(self)
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = transport  # type: ignore[assignment]

    def _read(self, data: bytes) -> None:
        """Bytes of an answer that did not pass through the lane."""
        exchange = self._exchange
        if exchange is None:  # an answer nobody asked for
            self.abort()
            return
        reader = self._reader
        try:
            body = reader.feed(data)
        except UpstreamBroke as error:
            self.fail(error)
            return
        # Where a read ends with a chunk, or with the head of a chunked answer, the next one begins a chunk.
        if self._head is None:
            at_chunk = len(body) > 0 and chunk_size(data) == len(body)
        else:
            end = data.find(b"\r\n\r\n")
            first = data[end + 4 :] if end >= 0 else data
            if reader.head_complete:
                exchange.status, exchange.headers = reader.status, reader.take_headers()
                head, self._head = self._head, None
                if not head.done():
                    head.set_result(None)
            at_chunk = chunk_size(first) == len(body) if body else reader.chunked and not first
        if reader.complete:
            exchange.whole = True
        if body:
            receiver = exchange._receiver
            if receiver is not None:
                receiver.body_received(body)
            else:
                exchange._early.append(body)
                if sum(map(len, exchange._early)) > EARLY_BYTES:
                    self.pause()
        if reader.complete:
            self._complete()
        else:
            self._begins_chunk(at_chunk=at_chunk)

    def eof_received(self) -> bool:
        """The engine has no more to say: close."""
        return False

    def connection_lost(self, _: Exception | None) -> None:
        """It is closed; whether that ends the answer or breaks it, the answer's own framing says."""
        self._transport = None
        self._pool.forget(self)
        if self._exchange is None:
            return
        if self._reader.end():
            exchange, self._exchange = self._exchange, None
            exchange._ended()
        else:  # even before any answer: the engine may have begun to work, and once means once
            self.fail(broken_off())

    def _complete(self) -> None:
        self.close_lane()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:  # the receiver may have closed it in the last piece
            exchange._ended()
            if self._keep and self._reader.keep_alive and not self._paused:
                self._reused = True
                self._pool.take_back(self)
            else:
                self.abort()

    def fail(self, error: GatewayError) -> None:
        """Ends the exchange with `error` and cuts the connection."""
        self.close_lane()
        exchange, self._exchange = self._exchange, None
        head, self._head = self._head, None
        if self._transport is not None:
            self._transport.abort()
        if head is not None and not head.done():
            head.set_exception(error)
        if exchange is not None:
            exchange._failed(error)


def gone_stale() -> StaleConnection:
    """A kept-alive connection was closed before the request was written: it may be sent on another one."""
    return StaleConnection("The engine closed an idle connection.", "エンジンが待機中の接続を閉じました。")


def broken_off() -> UpstreamBroke:
    """The connection closed under a request that the engine may have begun to work on."""
    return UpstreamBroke(
        "The engine closed the connection before its answer was complete. Ask again.",
        "エンジンが回答の途中で接続を閉じました。もう一度お試しください。",
    )
