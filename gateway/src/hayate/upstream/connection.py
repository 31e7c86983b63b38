"""One connection to an engine: a request out, its answer in, one exchange at a time.

Bytes are handed to the receiver in the very callback in which they arrived; nothing here copies, queues or schedules
them. A chunk that the fast path takes as it is, framing and all, is not even parsed: between two chunks, the state of a
parser does not depend on the chunks before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from hayate.errors import GatewayError
from hayate.upstream.endings import Poll, broken_off, gone_stale, poll_of, was_unseen
from hayate.upstream.exchange import Exchange
from hayate.upstream.fast_path import FastPath
from hayate.upstream_errors import UpstreamBroke
from hayate.wire.expand import Expander
from hayate.wire.http1 import ResponseReader, chunk_size, idle_limit_s

IDLE_S = 4.0
"""vLLM's and llama.cpp's servers close an idle connection after 5.0 s; ours goes a second before that, as before any time that
an engine states (`idle_limit_s`): a call that meets the engine's end of it may be lost, because it may not be sent twice.
"""
EARLY_BYTES = 64 * 1024
"""How much of a body that nobody takes yet is read."""


class Keeper(Protocol):
    """Whoever keeps connections: `connection_pool.ConnectionPool`."""

    loop: asyncio.AbstractEventLoop

    def take_back(self, connection: Connection) -> None:
        """A connection whose exchange is over, to be used again."""

    def forget(self, connection: Connection) -> None:
        """A connection that is gone or going."""


class Connection(FastPath, asyncio.Protocol):
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
        "_sent",
        "_sent_before",
        "_transport",
        "idle_limit_s",
        "idle_since",
        "rested",
        "streamed",
    )

    def __init__(self, pool: Keeper) -> None:
        super().__init__()
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._head: asyncio.Future[None] | None = None
        self.rested = False
        """Whether it was open, and idle, before its request."""
        self._paused = False
        self._keep = True
        self._expander: Expander | None = None
        self._poll: Poll | None = None
        self._sent = self._sent_before = 0
        """How many bytes have been written, and before the request under way."""
        self.streamed = False
        """Whether its last answer came in chunks."""
        self.idle_since = 0.0
        self.idle_limit_s = IDLE_S
        """How long it may be kept unused."""

    def is_stale(self) -> bool:
        """Whether the engine has closed it, or said something that nobody asked for, and the event loop does not know
        yet.

        Asked before a request is written: after that, only `was_unseen` can tell that the engine has not begun to work
        on it.
        """
        poll = self._poll
        if poll is None:
            self._poll = poll = poll_of(self._transport)
        return poll is not None and bool(poll(0))

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
        self._at_chunk = self._over = False
        self._exchange = exchange = Exchange(self)
        self._head = head = self._pool.loop.create_future()
        self._transport.write(request)
        return exchange, head

    def pause(self) -> None:
        """Stops reading: what the engine sends on waits in its system, and then in the engine."""
        if not self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads on, if it was paused and has not been lost since."""
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def ask_for(self, options: Iterable[tuple[int, int, int]]) -> None:
        """Sets options of its socket, if it is still open: level, name, value."""
        if self._transport is not None and not self._transport.is_closing():
            sock = self._transport.get_extra_info("socket")
            for option in options:
                sock.setsockopt(*option)

    def abandon(self) -> None:
        """Nobody waits for it any more: uvloop closes one that has come about meanwhile, and tells it nothing."""
        if self._transport is not None:
            self._transport = None
            self._reader.close()

    def abort(self) -> None:
        """Cuts the connection, whatever is under way on it."""
        self._exchange = None
        self._head = None  # whose error, if its time is over, holds the frame that holds this
        self.close_fast_path()
        self._pool.forget(self)
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open, and a request may be written. What reads the answers is made here: whoever makes it must see its end
        (`ResponseReader.close`), which a connection that never comes about has not.
        """
        self._reader = ResponseReader()
        self._transport = transport  # type: ignore[assignment]

    def _read(self, data: bytes) -> None:
        """Bytes of an answer that did not take the fast path."""
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
            receiver = exchange.receiver
            if receiver is not None:
                receiver.body_received(body)
            else:
                exchange.early.append(body)
                if sum(map(len, exchange.early)) > EARLY_BYTES:
                    exchange.pause()
        if reader.complete:
            self._complete()
        elif not self._over:  # one whole chunk is followed by another
            self._begins_chunk(at_chunk=reader.chunked and (chunk_size(data) == size if size else not data))

    def _take_head(self, exchange: Exchange, data: bytes) -> bytes:
        """Hands over the head, if it is whole. Returns what of `data` is not the head's. Raises UpstreamBroke."""
        reader = self._reader
        if reader.head_complete:
            exchange.status, exchange.headers = reader.status, reader.take_headers()
            self.streamed = reader.chunked
            if reader.coding is not None:
                self._expander = Expander.of(reader.coding)
                self.close_fast_path()  # what comes is not what the client gets
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
        if transport is None:
            return
        self._pool.forget(self)
        self._reader.close()
        if self._exchange is None:
            return
        if self._reader.end() and (self._expander is None or self._expander.complete):
            exchange, self._exchange = self._exchange, None
            exchange.ended()
        elif self.rested and not self._reader.started and was_unseen(transport, error, self._sent_before):
            self.fail(gone_stale())
        else:  # even before any answer: the engine may have begun to work, and once means once
            self.fail(broken_off())

    def _complete(self) -> None:
        if self._decoder is not None:
            self.close_fast_path()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:  # the receiver may have closed it in the last piece
            exchange.ended()
            transport = self._transport
            usable = transport is not None and not transport.is_closing() and not self._paused
            if usable and self._keep and self._reader.keep_alive:
                self.rested = True
                self._pool.take_back(self)
            else:
                self.abort()

    def fail(self, error: GatewayError) -> None:
        """Ends the exchange with `error` and cuts the connection."""
        self.close_fast_path()
        exchange, self._exchange = self._exchange, None
        head, self._head = self._head, None
        if self._transport is not None:
            self._transport.abort()
        if head is not None and not head.done():
            head.set_exception(error)
        if exchange is not None:
            exchange.failed(error)
