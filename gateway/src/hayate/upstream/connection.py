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
import socket
import sys
from collections.abc import Callable
from typing import Protocol

from hayate.errors import GatewayError, StaleConnection, UpstreamBroke
from hayate.upstream.bodies import Collected, FirstBytes
from hayate.wire.expand import Expander
from hayate.wire.http1 import Headers, ResponseReader, chunk_size, header, idle_limit_s
from hayate.wire.plain_event import Lane, Reader

_CAN_POLL = hasattr(select, "poll")
_TELLS_ACKNOWLEDGED = sys.platform == "linux"
_ACKNOWLEDGED = slice(120, 128)
"""Where `tcpi_bytes_acked` stands in Linux's tcp_info (linux/tcp.h), since 4.1."""
IDLE_S = 3.0
"""vLLM's and llama.cpp's servers close an idle connection after 5.0 s; ours goes well before that, however late it is seen to rest:
a call that meets the engine's end of it is lost, because it may not be sent twice.
"""
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
        early, self._early = self._early, []
        return early[0] if len(early) == 1 else b"".join(early)

    def open_lane(self, reader: Reader, write: Callable[[bytes], None]) -> None:
        """From now on chunks that `reader` finds plain go to `write`, framing and all (`wire.lane`); the rest is read here."""
        if self._connection is not None and not self._connection.expands:
            self._connection.open_lane(reader, write)

    def close_lane(self) -> None:
        """From now on everything is read."""
        if self._connection is not None:
            self._connection.close_lane()

    @property
    def passed(self) -> int:
        """How many events went through the lane."""
        return self._passed if self._connection is None else self._connection.passed

    def replace(self, body: bytes, headers: Headers) -> None:
        """The whole answer in other words: the dialect that was asked for, where the engine spoke another."""
        self._early = [body]
        self.headers = headers

    async def read(self, *, silence_s: float | None = None) -> bytes:
        """The whole body. Raises UpstreamError, also when it is over `bodies.MAX_BODY_BYTES`."""
        arrived = self.arrived()
        return (await self._collect(Collected(silence_s)))[0] if arrived is None else arrived

    async def read_held(self, hold_bytes: int, *, silence_s: float) -> bytes | None:
        """The whole body up to `hold_bytes`; None when it is larger: it can be streamed from its start. Raises UpstreamError."""
        arrived = self.arrived()
        if arrived is not None:
            return arrived
        body, ended = await self._collect(Collected(silence_s, hold_bytes=hold_bytes))
        if ended:
            return body
        self._early = [body]
        return None

    async def peek(self, *, silence_s: float) -> bytes:
        """The body so far, once one byte of it is no blank or it has ended; it can still be read. Raises UpstreamError."""
        if self._failure is None and (self._connection is None or b"".join(self._early).strip()):
            return b"".join(self._early)
        body, _ = await self._collect(FirstBytes(silence_s))
        self._early = [body]
        return body

    async def _collect(self, collected: Collected) -> tuple[bytes, bool]:
        headers = self.headers
        self.stream_to(collected)
        self.headers = headers
        try:
            await collected.future
        finally:
            collected.close()
            self._receiver = None
        if not collected.ended:
            self.pause()
        return collected.take(), collected.ended

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


class Connection(Lane, asyncio.Protocol):
    """One connection, one exchange at a time."""

    __slots__ = (
        "_exchange",
        "_expander",
        "_head",
        "_keep",
        "_paused",
        "_poll",
        "_pool",
        "_reader",
        "_reused",
        "_sent",
        "_sent_before",
        "_transport",
        "idle_limit_s",
        "idle_since",
        "streamed",
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
        self._expander: Expander | None = None
        self._poll: Callable[[int], list[tuple[int, int]]] | None = None
        self._sent = self._sent_before = 0
        """How many bytes have been written, and before the request under way."""
        self.streamed = False
        """Whether its last answer came in chunks."""
        self.idle_since = 0.0
        self.idle_limit_s = IDLE_S
        """How long it may be kept unused."""

    @property
    def usable(self) -> bool:
        """Whether a request may be written to it."""
        return self._transport is not None and not self._transport.is_closing()

    def is_stale(self) -> bool:
        """Whether the engine has closed it, or said something that nobody asked for, and the event loop does not know yet.

        Asked before a request is written: after that, only `_unseen` can tell that the engine has not begun to work on it.
        """
        poll = self._poll
        if poll is None:
            if self._transport is None or not _CAN_POLL:
                return False
            polled = select.poll()
            polled.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
            self._poll = poll = polled.poll
        return bool(poll(0))

    @property
    def expands(self) -> bool:
        """Whether the answer under way comes compressed."""
        return self._expander is not None

    def begin(self, request: bytes, *, keep: bool = True) -> tuple[Exchange, asyncio.Future[None]]:
        """Writes the request; the future is done when the answer's head is there. `keep`: there may be another one after it."""
        if self._transport is None:  # lost since it was chosen
            raise gone_stale()
        self._reader.begin()
        self._keep = keep
        self._expander = None
        self._sent_before = self._sent
        self._sent += len(request)
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
            size = len(body)
            if self._head is not None:
                data = self._take_head(exchange, data)
            if self._expander is not None:
                body = self._expander.feed(body, last=reader.complete)
        except UpstreamBroke as error:
            self.fail(error)
            return
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
        else:  # one whole chunk is followed by another
            self._begins_chunk(at_chunk=reader.chunked and (chunk_size(data) == size if size else not data))

    def _take_head(self, exchange: Exchange, data: bytes) -> bytes:
        """Hands over the head, if it is whole. Returns what of `data` is not the head's. Raises UpstreamBroke."""
        reader = self._reader
        if reader.head_complete:
            exchange.status, exchange.headers = reader.status, reader.take_headers()
            self.streamed = reader.chunked
            if reader.coding is not None:
                self._expander = Expander.of(reader.coding)
            if reader.idle_limit is not None:
                self.idle_limit_s = min(IDLE_S, idle_limit_s(reader.idle_limit))
            head, self._head = self._head, None
            if head is not None and not head.done():
                head.set_result(None)
        end = data.find(b"\r\n\r\n") if reader.chunked else -1
        return data if end < 0 else data[end + 4 :]

    def eof_received(self) -> bool:
        """The engine has no more to say: close."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """It is closed; whether that ends the answer or breaks it, the answer's own framing says."""
        transport, self._transport = self._transport, None
        self._pool.forget(self)
        if self._exchange is None:
            return
        if self._reader.end() and (self._expander is None or self._expander.complete):
            exchange, self._exchange = self._exchange, None
            exchange._ended()
        elif self._reused and not self._reader.started and self._unseen(transport, error):
            self.fail(gone_stale())
        else:  # even before any answer: the engine may have begun to work, and once means once
            self.fail(broken_off())

    def _unseen(self, transport: asyncio.Transport | None, error: Exception | None) -> bool:
        """Whether the engine's system had closed the connection before any byte of the request came: their ways crossed.

        An orderly end acknowledges whatever came before it; a reset (`ConnectionResetError`) does not, and tells nothing.
        """
        if transport is None or isinstance(error, ConnectionResetError) or not _TELLS_ACKNOWLEDGED:
            return False
        if transport.get_extra_info("ssl_object") is not None:  # what is counted is not what is sent
            return False
        info = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.stop)
        if len(info) < _ACKNOWLEDGED.stop:
            return False
        return (
            int.from_bytes(info[_ACKNOWLEDGED], sys.byteorder) - 1 <= self._sent_before
        )  # the first is the connection's own

    def _complete(self) -> None:
        if self._decoder is not None:
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
    """The connection was closed before the engine took anything of the request: it may be sent on another one."""
    return StaleConnection("The engine closed an idle connection.", "エンジンが待機中の接続を閉じました。")


def broken_off() -> UpstreamBroke:
    """The connection closed under a request that the engine may have begun to work on."""
    return UpstreamBroke(
        "The engine closed the connection before its answer was complete. Ask again.",
        "エンジンが回答の途中で接続を閉じました。もう一度お試しください。",
    )
