"""One call's request and answer on the client's own connection: what the connection lends to the endpoint that serves it.

It stands where uvicorn keeps its own cycle of request and response, for the paths that calls take, and writes HTTP/1.1 straight
to the transport: no message per step, no copy of the scope. Everything else about the connection stays with `edge`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from hayate.downstream.stream import BODILESS, ClientGone, LineCall, is_bodiless
from hayate.errors import GatewayError
from hayate.wire.http1 import Fields, Headers, as_line

if TYPE_CHECKING:
    from hayate.api.call_endpoint import RelayEndpoint
    from hayate.downstream.protocol import EdgeProtocol

LAST_CHUNK = b"0\r\n\r\n"

_log = logging.getLogger("uvicorn.error")


class LentLine:
    """One per call. Where uvicorn's protocol looks at a cycle, it finds the same names here."""

    __slots__ = (
        "_expects",
        "_held",
        "_mute",
        "_protocol",
        "_waiter",
        "answer_id",
        "body",
        "call",
        "chunks",
        "disconnected",
        "endpoint",
        "fields",
        "framed",
        "headers",
        "keep_alive",
        "method",
        "more_body",
        "query",
        "response_complete",
        "response_started",
        "task",
    )

    def __init__(
        self,
        protocol: EdgeProtocol,
        endpoint: RelayEndpoint,
        method: str,
        query: bytes,
        headers: Headers,
        fields: Fields,
    ) -> None:
        self._protocol = protocol
        self._waiter: asyncio.Future[None] | None = None
        self._held: bytes | None = None
        self._mute = False
        self.answer_id = b""
        self._expects = protocol.expect_100_continue
        self.endpoint = endpoint
        self.method = method
        self.query = query
        self.headers = headers
        self.fields = fields
        self.framed = protocol.parser.get_http_version() != "1.0"
        self.keep_alive = self.framed and bool(protocol.parser.should_keep_alive())
        self.body: bytes | bytearray = b""
        self.more_body = True
        self.disconnected = False
        self.response_started = False
        self.response_complete = False
        self.chunks = 0
        self.call: LineCall | None = None
        self.task: asyncio.Task[None] | None = None

    # What uvicorn's protocol and `edge` call.

    @property
    def message_event(self) -> LentLine:
        """What uvicorn sets when a piece of the request has come, or the client has gone."""
        return self

    @property
    def half_closed(self) -> bool:
        """Whether the client has ended its sending."""
        return self._protocol.half_closed

    def set(self) -> None:
        """Something has come: whoever waits for the body looks again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def add(self, piece: bytes) -> None:
        """A piece of the request's body."""
        if not self.body:
            self.body = piece
        elif isinstance(self.body, bytearray):
            self.body += piece
        else:
            self.body = bytearray(self.body) + piece

    def lose(self) -> None:
        """The connection is lost: what is written from now on goes nowhere, and the call is told."""
        self.disconnected = True
        self.set()
        if self.call is not None:
            self.call.client_gone()

    def ended_sending(self) -> bool:
        """The client ends its sending. Whether it may still wait for its answer: a call that is not known yet says so later."""
        return self.call is None or self.call.client_ended_sending()

    async def run(self) -> None:
        """Serves the call. A fault of ours is logged and answered, and ends the connection."""
        try:
            await self.endpoint.serve(self._protocol.app_state["gateway"], self)
        except BaseException as error:
            _log.error("Exception in a call", exc_info=error)
            if self.response_started:
                self._protocol.close()
            else:
                self._protocol.turn_away(
                    GatewayError("The gateway failed. Its log says why.", "ゲートウェイで障害が発生しました。")
                )
            if not isinstance(error, Exception | asyncio.CancelledError):
                raise
        finally:
            if self.task is not None:
                self._protocol.tasks.discard(self.task)
                self.task = None
            if not self.response_complete and not self.disconnected:
                self._protocol.close()

    # The line (`api.line.Line`).

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
                self._protocol.raw.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self.body and self.more_body and not self.disconnected:
            self._protocol.flow.resume_reading()
            self._waiter = self._protocol.loop.create_future()
            await self._waiter
        if self.disconnected:
            raise ClientGone
        body, self.body = self.body, b""
        return bytes(body), self.more_body

    def watch(self, call: LineCall) -> None:
        """From now on `call` is told of the client. Raises ClientGone."""
        if self.disconnected or self._protocol.raw.is_closing():
            raise ClientGone
        if self._protocol.half_closed and not call.client_ended_sending():
            raise ClientGone
        self.call = call
        self._protocol.flow.resume_reading()  # a client that leaves is seen only by reading

    def unwatch(self) -> None:
        """No more."""
        self.call = None

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer, in one write."""
        if self._protocol.flow.write_paused:
            await self._caught_up()
        if status not in BODILESS and self.method != "HEAD":
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        elif status in BODILESS:
            body = b""
        else:  # the answer to a HEAD tells what a GET would bring
            headers, body = [*headers, (b"content-length", b"%d" % len(body))], b""
        self._write(b"%b%b%b" % (self._head(status, headers), self._take_held(), body))
        self._complete()

    async def start(self, status: int, headers: Headers) -> None:
        """The head of a streamed answer; it leaves with the first piece, or with `flush`."""
        if self._protocol.flow.write_paused:
            await self._caught_up()
        if is_bodiless(self.method, status):
            self._mute, self.framed = True, False
        elif self.framed:
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        self._held = self._take_held() + self._head(status, headers)

    async def end(self) -> None:
        """The proper end of a streamed answer."""
        last = self._take_held()
        if self.framed:
            last += LAST_CHUNK
        if last:
            self._write(last)
        self._complete()

    def hold(self) -> None:
        """What is written may wait until `flush`, `end`, or so much more that one write is enough."""
        if self._held is None:
            self._held = b""

    def flush(self) -> None:
        """Sends what was held."""
        held = self._take_held()
        if held:
            self._write(held)

    def writer(self) -> Callable[[bytes], None]:
        """What sends pieces of a streamed answer."""
        return self._write_piece if self.framed else self._write_bare

    def raw_writer(self) -> Callable[[bytes], None] | None:
        """What sends pieces that are framed as chunks already, when nothing is held; not to be used once the client has gone."""
        return self._protocol.raw.write if self.framed else None

    def abort(self) -> None:
        """Cuts the connection."""
        self._protocol.raw.abort()

    def give_up(self) -> None:
        """The connection itself knows what is taken of it, and is cut when that is nothing (`edge`)."""

    async def _caught_up(self) -> None:
        """A client that has not yet taken the answer before gets no other one: what waits for it is memory."""
        if not self.disconnected:
            await self._protocol.flow.drain()

    def _head(self, status: int, headers: Headers) -> bytes:
        self.response_started = True
        self._expects = False
        headers = self._protocol.server_state.default_headers + headers
        if (b"connection", b"close") in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        head = b"%b%b\r\n\r\n" % (STATUS_LINE[status], b"\r\n".join(map(as_line, headers)))
        if head.count(b"\n") != len(headers) + 2:
            raise RuntimeError("a response header with a line break")
        return head

    def _write_piece(self, data: bytes) -> None:
        self.chunks += 1
        self._write_or_hold(b"%x\r\n%b\r\n" % (len(data), data))

    def _write_bare(self, data: bytes) -> None:
        self.chunks += 1
        self._write_or_hold(data)

    def _write_or_hold(self, data: bytes) -> None:
        if self._mute:
            return  # the status has no body, whatever an engine sent with it
        if self._held is None:
            self._write(data)
        else:
            self._held += data

    def _write(self, data: bytes) -> None:
        if not self.disconnected:
            self._protocol.raw.write(data)

    def _take_held(self) -> bytes:
        held, self._held = self._held, None
        return held or b""

    def _complete(self) -> None:
        self.response_complete = True
        if self.disconnected:
            return
        if not self.keep_alive:
            self._protocol.close()
        self._protocol.on_response_complete()
