"""One call's request and answer on the client's own connection: what the connection lends to the endpoint that serves
it.

It stands where uvicorn keeps its own cycle of request and response, for the paths that calls take, and writes HTTP/1.1
straight to the transport: no message per step, no copy of the scope. Everything else about the connection stays with
`protocol`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hayate.downstream.call_task import serve_call
from hayate.downstream.head import rendered_head
from hayate.downstream.stream import BODILESS, ClientConnection, ClientGone, ClientListener, Endpoint
from hayate.wire.http1 import Fields, Headers

LAST_CHUNK = b"0\r\n\r\n"
_LANGUAGE = b"accept-language"
"""What is left of a request's head once its stream has begun: an error may still have to be told."""


class DirectStream:
    """One per call: a `ClientStream` to whoever serves it, `Serving` to its connection."""

    __slots__ = (
        "_connection",
        "_endpoint",
        "_expects",
        "_held",
        "_mute",
        "_waiter",
        "answer_id",
        "body",
        "chunks",
        "disconnected",
        "fields",
        "framed",
        "half_closed",
        "headers",
        "keep_alive",
        "listener",
        "method",
        "more_body",
        "more_headers",
        "query",
        "response_complete",
        "response_started",
        "task",
    )

    def __init__(
        self,
        connection: ClientConnection,
        endpoint: Endpoint,
        method: str,
        query: bytes,
        *,
        framed: bool,
        keep_alive: bool,
    ) -> None:
        self._connection = connection
        self.task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._held: bytes | None = None
        self._mute = method == "HEAD"
        """Whether no body is sent, whatever an engine sent (RFC 9112, 6.3)."""
        self.half_closed = False
        self.answer_id = b""
        self._expects = connection.expect_100_continue
        self._endpoint = endpoint
        self.more_headers: Headers = []
        """What the answer carries beside its own and the server's."""
        self.method = method
        self.query = query
        self.headers: Headers = connection.headers
        self.fields: Fields = connection.fields
        self.framed = framed
        self.keep_alive = keep_alive
        self.body: bytes | bytearray = b""
        self.more_body = True
        self.disconnected = False
        self.response_started = False
        self.response_complete = False
        self.chunks = 0
        self.listener: ClientListener | None = None

    # What the connection calls.

    @property
    def unread_bytes(self) -> int:
        """How much of the request's body has come and was not read."""
        return len(self.body)

    @property
    def is_watched(self) -> bool:
        """Whether a call listens."""
        return self.listener is not None

    def begin(self) -> None:
        """Its turn has come: a task serves it, which the server waits for when it stops."""
        connection = self._connection
        self.half_closed = connection.half_closed
        self.task = task = connection.loop.create_task(serve_call(self._endpoint, self, connection))
        connection.tasks.add(task)

    def body_received(self, piece: bytes) -> None:
        """A piece of the request's body."""
        if not self.body:
            self.body = piece
        elif isinstance(self.body, bytearray):
            self.body += piece
        else:
            self.body = bytearray(self.body) + piece
        if self._waiter is not None:
            self._wake()

    def body_ended(self) -> None:
        """The request is whole: whoever waits for more of its body has all there is."""
        self.more_body = False
        if self._waiter is not None:
            self._wake()

    def client_gone(self) -> None:
        """The connection is lost: what is written from now on goes nowhere, and the call is told."""
        self.disconnected = True
        self._wake()
        if self.listener is not None:
            self.listener.client_gone()

    def client_ended_sending(self) -> bool:
        """Whether the client may still wait for its answer: a call that is not known yet says so later."""
        self.half_closed = True
        return self.listener is None or self.listener.client_ended_sending()

    def client_full(self) -> None:
        """The client is behind."""
        if self.listener is not None:
            self.listener.client_full()

    def client_drained(self) -> None:
        """It has caught up."""
        if self.listener is not None:
            self.listener.client_drained()

    def _wake(self) -> None:
        """Whoever waits for the body, if anybody does, looks again."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # What the call calls (`stream.ClientStream`).

    def arrived(self) -> bytes | None:
        """The request's whole body, if it has come already."""
        if self.more_body or self.disconnected or self._expects:
            return None
        body, self.body = self.body, b""
        return bytes(body)

    async def read(self) -> tuple[bytes, bool]:
        """What has come of the request's body since the last read, at least something, and whether there is more."""
        if self._expects:
            self._expects = False
            if not self.disconnected:
                self._connection.raw.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self.body and self.more_body and not self.disconnected:
            self._connection.flow.resume_reading()
            self._waiter = self._connection.loop.create_future()
            await self._waiter
        if self.disconnected:
            raise ClientGone
        body, self.body = self.body, b""
        return bytes(body), self.more_body

    def watch(self, listener: ClientListener) -> None:
        """From now on `listener` is told of the client. Raises ClientGone."""
        if self.disconnected or self._connection.raw.is_closing():
            raise ClientGone
        if self.half_closed and not listener.client_ended_sending():
            raise ClientGone
        self.listener = listener
        if self._connection.flow.read_paused:
            self._connection.flow.resume_reading()  # a client that leaves is seen only by reading

    def unwatch(self) -> None:
        """No more."""
        self.listener = None

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer, in one write."""
        if self._connection.flow.write_paused:
            await self._caught_up()
        if status in BODILESS:
            body = b""
        else:  # the answer to a HEAD tells what a GET would bring
            headers = [*headers, (b"content-length", b"%d" % len(body))]
            if self._mute:
                body = b""
        answer = self._head(status, headers)
        if self._held is not None:
            answer += self._held
            self._held = None
        if not self.disconnected:
            self._connection.raw.write(answer + body)
        self._complete()

    async def start(self, status: int, headers: Headers) -> None:
        """The head of a streamed answer; it leaves with the first piece, or with `flush`."""
        if self._connection.flow.write_paused:
            await self._caught_up()
        if self._mute or status in BODILESS:
            self._mute, self.framed = True, False
        elif self.framed:
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        head = self._head(status, headers)
        self._held = self._held + head if self._held else head
        self.headers[:] = [each for each in self.headers if each[0] == _LANGUAGE]

    async def end(self) -> None:
        """The proper end of a streamed answer."""
        last = self._held or b""
        self._held = None
        if self.framed:
            last += LAST_CHUNK
        if last and not self.disconnected:
            self._connection.raw.write(last)
        self._complete()

    def hold(self) -> None:
        """What is written may wait until `flush`, `end`, or so much more that one write is enough."""
        if self._held is None:
            self._held = b""

    def flush(self) -> None:
        """Sends what was held; from now on every piece leaves as it comes."""
        held, self._held = self._held, None
        if held and not self.disconnected:
            self._connection.raw.write(held)

    def writer(self) -> Callable[[bytes], None]:
        """What sends pieces of a streamed answer."""
        if self._mute:
            return self._write_nothing
        return self._write_piece if self.framed else self._write_bare

    def raw_writer(self) -> Callable[[bytes], None] | None:
        """What sends pieces that are framed as chunks already, when nothing is held; not to be used once the client has gone."""
        return self._connection.raw.write if self.framed else None

    def abort(self) -> None:
        """Cuts the connection."""
        self._connection.raw.abort()

    def give_up(self) -> None:
        """The connection itself knows what is taken of it, and is cut when that is nothing (`close`)."""

    async def _caught_up(self) -> None:
        """A client that has not yet taken the answer before gets no other one: what waits for it is memory."""
        if not self.disconnected:
            await self._connection.flow.drain()

    def _head(self, status: int, headers: Headers) -> bytes:
        self.response_started = True
        self._expects = False
        headers = self._connection.server_state.default_headers + headers
        if self.more_headers:
            headers += self.more_headers
        if (b"connection", b"close") in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        return rendered_head(status, headers)

    def _write_piece(self, data: bytes) -> None:
        self._write_bare(b"%x\r\n%b\r\n" % (len(data), data))

    def _write_bare(self, data: bytes) -> None:
        self.chunks += 1
        if self._held is not None:
            self._held += data
        elif not self.disconnected:
            self._connection.raw.write(data)

    def _write_nothing(self, _: bytes) -> None:
        self.chunks += 1

    def _complete(self) -> None:
        self.response_complete = True
        if self.disconnected:
            return
        if not self.keep_alive:
            self._connection.close()
        self._connection.on_response_complete()
