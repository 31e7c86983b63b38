"""The client's side of one call: its body in, an answer or a stream out, and the watch for its leaving.

How bytes come and go is the stream's affair (`stream`). A client that leaves cancels the task that serves it, whatever
that task awaits: queue, connect, prefill or stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from hayate.downstream.request_body import read_body, too_large
from hayate.downstream.stream import ClientStream
from hayate.relay.pump import Look, Pump
from hayate.relay.ticker import Ticker
from hayate.telemetry.record import CallRecord
from hayate.wire import sse
from hayate.wire.http1 import NO_FIELDS, Fields, Headers, header

SSE_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class Client:
    """One per call; the sink of its stream. `heartbeat_s`: how long a stream may stay silent. `serves_half_closed`:
    whether a client that ended its sending gets a whole answer too.
    """

    __slots__ = (
        "_beats",
        "_chunks_seen",
        "_heartbeat_s",
        "_last_write",
        "_pump",
        "_record",
        "_serves_half_closed",
        "_starting",
        "_stream",
        "_task",
        "_ticker",
        "answer_headers",
        "answered",
        "events",
        "fields",
        "full",
        "gone",
        "headers",
        "next_number",
        "opening",
        "started",
    )

    def __init__(
        self,
        stream: ClientStream,
        ticker: Ticker,
        heartbeat_s: float,
        record: CallRecord | None = None,
        *,
        serves_half_closed: bool = False,
    ) -> None:
        self._stream = stream
        self._record = record
        self._serves_half_closed = serves_half_closed
        self._beats = False
        self.headers = stream.headers
        self.fields: Fields = stream.fields
        """The request's headers, each one's first value, until the request has been read."""
        self.answer_headers: Headers = []
        self.started = False
        """Whether the answer has begun: from then on a failure has no status of its own."""
        self.events = False
        """Whether it is a stream of events, of which the last can tell a failure."""
        self.gone = False
        self.answered = False
        """Whether a client that has gone had all of its answer by then."""
        self.opening = b""
        """What a stream begins with, pings included."""
        self.next_number: Callable[[], int] = int
        """Gives the number of the next event of its stream, in a dialect that numbers them."""
        self.full = False
        self._task: asyncio.Task[Any] | None = None
        self._pump: Pump | None = None
        self._ticker = ticker
        self._heartbeat_s = heartbeat_s
        self._last_write = 0.0
        self._chunks_seen = 0
        self._starting: asyncio.Task[None] | None = None

    @property
    def method(self) -> str:
        """The request's method."""
        return self._stream.method

    @property
    def query(self) -> bytes:
        """The request's query string."""
        return self._stream.query

    def header(self, name: bytes) -> bytes | None:
        """The request's header `name` (lower case); the first, if it came more than once."""
        return header(self.headers, name)

    def arrived(self, limit: int) -> bytes | None:
        """The whole request body, if it is there as it is: the common case, without a wait. Raises BodyTooLarge."""
        stream = self._stream
        raw = None if b"content-encoding" in self.fields else stream.arrived()
        if raw is not None and len(raw) > limit:
            raise too_large(limit)
        return raw

    def body(self, limit: int) -> Awaitable[bytes]:
        """The whole request body, decoded, to be awaited. Raises BodyTooLarge, UnreadableCoding, ClientGone."""
        return read_body(self._stream, limit)

    def __enter__(self) -> None:
        """Within, a client that leaves cancels this task. The request must have been read. Raises ClientGone."""
        stream = self._stream
        self.fields = stream.fields = NO_FIELDS  # the request has been read: nobody asks for these again
        stream.query = b""  # a long prompt must not stay in memory for as long as its answer takes
        self._task = stream.task
        stream.watch(self)

    def __exit__(self, *_: object) -> None:
        """No more watching, no more heartbeats."""
        self._task = None
        self._stream.unwatch()
        if self._beats:
            self._ticker.discard(self)

    def respond(self, status: int, headers: Headers, body: bytes) -> Awaitable[None]:
        """A whole answer, to be awaited, with what every answer to this call carries (`answer_headers`)."""
        self.started = True
        return self._stream.respond(status, headers + self.answer_headers, body)

    def expect_stream(self) -> None:
        """From now on the client gets a `: ping` whenever nothing has flowed for a while: in the queue, during a cold
        start, in prefill, between tokens. The first one commits the response to 200.
        """
        self._last_write = monotonic()
        self._beats = True
        self._ticker.add(self)
        if self._stream.half_closed:
            self._beat()

    async def start_stream(self, status: int = 200, headers: Headers | None = None) -> None:
        """The head of a streamed answer; SSE's unless `headers` says otherwise."""
        if self._starting is not None:
            await self._starting
        if self.started:
            return
        self.started = True
        self.events = headers is None
        await self._stream.start(status, (SSE_HEADERS if headers is None else headers) + self.answer_headers)
        if self.opening:
            self.write(self.opening)

    def number_by(self, next_number: Callable[[], int]) -> None:
        """Who numbers the events of its stream."""
        self.next_number = next_number

    def end_stream(self) -> Awaitable[None]:
        """The proper end of a streamed answer, to be awaited."""
        return self._stream.end()

    async def settled(self) -> None:
        """Waits for a heartbeat that is just starting the response: from then on it has begun."""
        if self._starting is not None:
            await self._starting

    def cut(self) -> None:
        """An improper end, for a body that has no way to say that it broke."""
        self._task = None
        self._stream.abort()

    def tick(self, now: float) -> None:
        """Sends a `: ping` when nothing has been written for as long as a stream may stay silent."""
        chunks = self._stream.chunks + (0 if self._pump is None else self._pump.passed)
        if chunks != self._chunks_seen:
            self._chunks_seen = chunks
            self._last_write = now
        if now - self._last_write < self._heartbeat_s - self._ticker.tick_s:  # the next look would be too late
            return
        self._beat()

    def _beat(self) -> None:
        if not self.started:
            if self._starting is None:
                self._starting = self._ticker.loop.create_task(self._start_early(self._standing()))
        elif self.events:
            self._stream.writer()(self._standing())

    def _standing(self) -> bytes:
        """What keeps a silent stream open, and says what it waits for."""
        standing = None if self._record is None else self._record.standing
        return (standing() if standing is not None else b"") or sse.PING

    def stands(self, place: int, wait_s: float | None) -> None:
        """Tells who waits for a stream where it stands in the queue, as a comment: that commits the response to 200."""
        if self._record is None or not self._record.stream:
            return
        comment = sse.queue_comment(place, wait_s)
        if self._record.standing is not None:
            comment += self._record.standing()
        if self.started:
            self._stream.writer()(comment)
        elif self._starting is None:
            self._starting = self._ticker.loop.create_task(self._start_early(comment))

    # The sink.

    def write(self, data: bytes) -> None:
        """Sends a piece of the stream."""
        self._stream.writer()(data)

    def writer(self) -> Callable[[bytes], None]:
        """What sends pieces from now on: the stream's own, so that nothing stands between a pump and the connection."""
        return self._stream.writer()

    def raw_writer(self) -> Callable[[bytes], None] | None:
        """What sends pieces that are framed as chunks already, if there is such a thing."""
        return self._stream.raw_writer()

    def hold(self) -> None:
        """What is written from now on may wait until `flush` or the end."""
        self._stream.hold()

    def flush(self) -> None:
        """Sends what was held."""
        self._stream.flush()

    def give_up(self) -> None:
        """The client has not read for too long."""
        self._stream.give_up()

    def attach(self, pump: Pump | None) -> Look | None:
        """Whom to tell about being full and drained. While there is a pump, whoever looks at that looks at this, too."""
        self._pump = pump
        if pump is not None and self.full:
            pump.pause()
        if not self._beats:
            return None
        if pump is None:
            self._ticker.add(self)
        else:
            self._ticker.discard(self)
        return self.tick

    # What the stream says.

    def client_gone(self) -> None:
        """The client left: whatever its task awaits is cancelled. One that has all of its answer has not left before its end."""
        self.gone = True
        if self._pump is not None:
            self.answered = self._pump.complete and not self.full  # all of it has come, and none of it waits here
            self._pump.close_fast_path()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def client_ended_sending(self) -> bool:
        """The client waits for the rest of its answer, or it has left. A stream is pinged, which a client that has left
        resets; nothing can be put into a whole answer.
        """
        if self._record is None or not self._record.stream:
            return self._serves_half_closed
        if self._beats and not (self._pump is not None and self._pump.complete):
            self._beat()
        return True

    def client_full(self) -> None:
        """The client does not read as fast as we write."""
        self.full = True
        if self._pump is not None:
            self._pump.pause()

    def client_drained(self) -> None:
        """The client has caught up: on with what the engine sends."""
        self.full = False
        if self._pump is not None:
            self._pump.resume()

    async def _start_early(self, comment: bytes) -> None:
        self.started = self.events = True
        await self._stream.start(200, SSE_HEADERS + self.answer_headers)
        if self.opening:
            self.write(self.opening)
        self._stream.writer()(comment)
        self.flush()
