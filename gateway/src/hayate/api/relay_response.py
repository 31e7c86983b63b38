"""The client's side of one call: its body in, an answer or a stream out, and the watch for its leaving.

A stream's bytes go straight to the client's transport, in chunked framing, when the server lends it out (`server`); the start
and the end of the response still go through ASGI, so the server keeps its state. On another server the same calls fall back to
ASGI `send`. A client that leaves cancels the task that serves it, whatever that task awaits: queue, connect, prefill or stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

from starlette.types import Message, Receive, Scope, Send

from hayate.errors import BodyTooLarge
from hayate.pump import Pump
from hayate.ticker import Ticker
from hayate.wire import sse

EXTENSION = "hayate.transport"

Headers = list[tuple[bytes, bytes]]
SSE_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class ClientGone(Exception):
    """The client left before its request was whole."""


class Lent(Protocol):
    """What `server` lends out: the client's own connection."""

    call: LentCall | None
    chunks: int
    """How many pieces have been written."""

    @property
    def lost(self) -> bool:
        """Whether the connection is gone or going."""

    def write_chunk(self, data: bytes) -> None:
        """Writes a piece of a chunked body to the client now, or holds it."""

    def write_framed(self, chunk: bytes) -> None:
        """The same with a piece that is framed already."""

    def end_by_closing(self) -> None:
        """The answer that is about to start has no framing: its end is the connection's."""

    def hold(self) -> None:
        """Keeps what is written back until `release`."""

    def release(self) -> None:
        """Writes what was held, in one piece."""

    def keep_reading(self) -> None:
        """Reads on, so that the client's leaving is seen."""

    def abort(self) -> None:
        """Cuts the connection."""


class LentCall(Protocol):
    """Whom the connection tells."""

    def client_gone(self) -> None:
        """The connection was lost."""

    def client_full(self) -> None:
        """The client does not read as fast as we write."""

    def client_drained(self) -> None:
        """It has caught up."""


class Client:
    """One per call; the sink of its stream. `heartbeat_s`: how long a stream may stay silent."""

    __slots__ = (
        "_backlog",
        "_chunks_seen",
        "_heartbeat_s",
        "_last_write",
        "_lent",
        "_loop",
        "_pump",
        "_receive",
        "_send",
        "_starting",
        "_task",
        "_ticker",
        "_watcher",
        "answer_headers",
        "events",
        "full",
        "gone",
        "headers",
        "scope",
        "started",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, ticker: Ticker, heartbeat_s: float) -> None:
        self.scope = scope
        self.headers: Headers = scope["headers"]
        self.answer_headers: Headers = []
        self.started = False
        self.events = False
        self.gone = False
        self.full = False
        self._receive = receive
        self._send = send
        self._lent: Lent | None = scope.get("extensions", {}).get(EXTENSION)
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[Any] | None = None
        self._pump: Pump | None = None
        self._ticker = ticker
        self._heartbeat_s = heartbeat_s
        self._last_write = monotonic()
        self._chunks_seen = 0
        self._starting: asyncio.Task[None] | None = None
        self._backlog: _Backlog | None = None
        self._watcher: asyncio.Task[None] | None = None

    def header(self, name: bytes) -> bytes | None:
        """The request's header `name` (lower case)."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    async def body(self, limit: int) -> bytes:
        """The whole request body. Raises BodyTooLarge, before reading when its length is declared; ClientGone."""
        declared = self.header(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            if not message.get("more_body", False):
                return b"".join((*parts, part)) if parts else part
            parts.append(part)

    def __enter__(self) -> None:
        """Within, a client that leaves cancels this task. The request's body must have been read."""
        self._task = asyncio.current_task(self._loop)
        if self._lent is not None:
            if self._lent.lost:  # between its last byte and now
                raise ClientGone
            self._lent.call = self
            self._lent.keep_reading()
        else:
            self._watcher = self._loop.create_task(self._watch())

    def __exit__(self, *_: object) -> None:
        """No more watching, no more heartbeats."""
        self._task = None
        if self._lent is not None:
            self._lent.call = None
        elif self._watcher is not None:
            self._watcher.cancel()
        self._ticker.discard(self)

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer."""
        self.started = True
        headers = [*headers, *self.answer_headers, (b"content-length", b"%d" % len(body))]
        self.hold()
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
        self.flush()

    def expect_stream(self) -> None:
        """From now on the client gets a `: ping` whenever nothing has flowed for a while: in the queue, during a cold
        start, in prefill, between tokens. The first one commits the response to 200.
        """
        self._ticker.add(self)

    async def start_stream(self, status: int = 200, headers: Headers | None = None) -> None:
        """The head of a streamed answer; SSE's unless `headers` says otherwise."""
        await self.settled()
        if self.started:
            return
        self.started = True
        self.events = headers is None
        headers = [*(SSE_HEADERS if headers is None else headers), *self.answer_headers]
        self.hold()
        await self._send_stream_head(status, headers)

    async def _send_stream_head(self, status: int, headers: Headers) -> None:
        if self._lent is None:
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
            self._backlog = _Backlog(self._send, self)
        else:
            if self._bare:
                self._lent.end_by_closing()
            await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def settled(self) -> None:
        """Waits for a heartbeat that is just starting the response: from then on it has begun."""
        if self._starting is not None:
            await self._starting

    async def end_stream(self) -> None:
        """The proper end of a streamed answer."""
        if self._backlog is not None:
            await self._backlog.flushed()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        self.flush()

    def cut(self) -> None:
        """An improper end, for a body that has no way to say that it broke."""
        self._task = None
        if self._lent is not None:
            self._lent.abort()

    def tick(self, now: float) -> None:
        """Sends a `: ping` when nothing has been written for as long as a stream may stay silent."""
        line = self._lent or self._backlog
        if line is not None and line.chunks != self._chunks_seen:
            self._chunks_seen = line.chunks
            self._last_write = now
        if now - self._last_write < self._heartbeat_s - self._ticker.tick_s:
            return
        if self.started:
            self.write(sse.PING)
        elif self._starting is None:
            self._starting = self._loop.create_task(self._start_early())

    # The sink.

    def hold(self) -> None:
        """Keeps what is written back until `flush`: heads leave with first bytes, last bytes with the end."""
        if self._lent is not None:
            self._lent.hold()

    def flush(self) -> None:
        """Sends what was held."""
        if self._lent is not None:
            self._lent.release()

    def write(self, data: bytes) -> None:
        """Sends a piece of the stream, one chunk of HTTP's chunked framing."""
        self.writer()(data)

    def writer(self) -> Callable[[bytes], None]:
        """What sends pieces of the stream; there once it has started."""
        line = self._lent or self._backlog
        if line is None:
            raise RuntimeError("nothing can be written before the stream has started")
        return self._lent.write_framed if self._bare and self._lent is not None else line.write_chunk

    def raw_writer(self) -> Callable[[bytes], None] | None:
        """What sends pieces that are framed as chunks already."""
        return None if self._lent is None or self._bare else self._lent.write_framed

    @property
    def _bare(self) -> bool:
        """Whether the client knows no chunked framing."""
        return bool(self.scope["http_version"] == "1.0")

    def attach(self, pump: Pump | None) -> None:
        """Whom to tell about being full and drained."""
        self._pump = pump
        if pump is not None and self.full:
            pump.pause()

    def give_up(self) -> None:
        """The client has not read for too long. A connection that was lent sees to that itself: it knows what was taken."""
        if self._lent is None:
            self.client_gone()

    # What the connection says.

    def client_gone(self) -> None:
        """The client left: whatever its task awaits is cancelled."""
        self.gone = True
        if self._backlog is not None:
            self._backlog.close()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def client_full(self) -> None:
        """The client does not read as fast as we write."""
        self.full = True
        if self._pump is not None:
            self._pump.pause()

    def client_drained(self) -> None:
        """It has caught up."""
        self.full = False
        if self._pump is not None:
            self._pump.resume()

    async def _start_early(self) -> None:
        self.started = self.events = True
        await self._send_stream_head(200, [*SSE_HEADERS, *self.answer_headers])
        self.write(sse.PING)

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.client_gone()


class _Backlog:
    """Writes through ASGI `send`, for servers that lend nothing: what is written waits here for a task that sends it."""

    HIGH_WATER_BYTES = 65536

    def __init__(self, send: Send, client: Client) -> None:
        self._send = send
        self._client = client
        self._parts: list[bytes] = []
        self._size = 0
        self.chunks = 0
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._task = asyncio.create_task(self._run())

    def write_chunk(self, data: bytes) -> None:
        self.chunks += 1
        self._parts.append(data)
        self._size += len(data)
        self._empty.clear()
        self._wake.set()
        if self._size > self.HIGH_WATER_BYTES and not self._client.full:
            self._client.client_full()

    async def flushed(self) -> None:
        await self._empty.wait()
        self.close()

    def close(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            data, self._parts, self._size = b"".join(self._parts), [], 0
            message: Message = {"type": "http.response.body", "body": data, "more_body": True}
            try:
                await self._send(message)
            except OSError:  # ASGI's word for a client that has left
                self._empty.set()
                self._client.client_gone()
                return
            if not self._parts:
                self._empty.set()
                if self._client.full:
                    self._client.client_drained()


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The request body is over {limit} bytes (server.max_body_bytes).",
        f"リクエスト本文が上限（{limit}バイト）を超えています。",
    )
