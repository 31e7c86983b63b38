"""What a client's connection may take of the gateway: uvicorn's httptools protocol with the limits that uvicorn lacks.

The protocol measures what arrives, and cuts what is too slow or too large with an answer that says so. A connection whose
client may still be sending is not closed over its unread bytes, which would reset it and could cost the client that answer: it
lingers. Timers exist only while a request is incomplete or a connection idle; a request that arrives whole in a single read
costs none.
"""

from __future__ import annotations

import asyncio
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from hayate.config import ServerConfig
from hayate.errors import GatewayError, HeadersTooLarge, InvalidRequest, Overloaded, ReadTimeout

if TYPE_CHECKING:
    from hayate.lent import LentLine

WRITE_HIGH_WATER_BYTES = 64 * 1024
_NAME = itemgetter(0)
LINGER_S = 2.0
LINGER_BYTES = 64 * 1024 * 1024
"""How long, and how much, a client that was answered before its request was whole may go on sending."""


class _OwnClose:
    """The transport as uvicorn sees it: closing it is the protocol's affair, and what is written after its end goes nowhere."""

    __slots__ = ("_protocol", "_transport")

    def __init__(self, protocol: LimitedProtocol, transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's own."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Writes bytes to the client."""
        if not self.is_closing():
            self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._protocol.closing or self._transport.is_closing()

    def close(self) -> None:
        """Closes once everything has been written."""
        self._protocol.close()


class LimitedProtocol(HttpToolsProtocol):
    """A connection in one of three phases: the head of a request arrives, its body arrives, or none does.

    What is ours of a connection lies in slots: uvicorn's own attributes fill a dictionary that instances can share the keys of.
    """

    __slots__ = (
        "_deadline",
        "_idle",
        "_idle_since",
        "_lingered_bytes",
        "_phase",
        "_phase_began",
        "_phase_bytes",
        "_serving",
        "_stall",
        "closing",
        "raw",
    )

    limits: ServerConfig

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected; its first request must arrive in time."""
        self.raw = transport
        self.closing = False
        self._phase = "head"
        self._phase_bytes = 0
        self._phase_began = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._lingered_bytes = 0
        self._serving: RequestResponseCycle | LentLine | None = None
        self._stall: asyncio.TimerHandle | None = None
        super().connection_made(cast("asyncio.Transport", _OwnClose(self, transport)))
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)
        if len(self.connections) > self.limits.max_connections:
            self.turn_away(
                Overloaded(
                    "Too many connections (server.max_connections).",
                    "接続数が上限に達しています（server.max_connections）。",
                    retry_after_s=1,
                )
            )
        else:
            self._watch_phase()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self.closing = True
        for timer in (self._deadline, self._idle, self._stall):
            if timer is not None:
                timer.cancel()
        self._deadline = self._idle = self._stall = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self.closing:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > LINGER_BYTES:
                self.raw.abort()
            return
        if self._phase == "idle":
            self._phase = "head"
            self._phase_bytes = len(data)
            self._phase_began = 0.0
        elif self._phase == "head":
            self._phase_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        except httptools.HttpParserUpgrade:
            pass  # there is nothing to upgrade to: it is a request like any other
        if self._phase == "idle":
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
            return
        if not self._phase_began:  # a phase that this read did not end began with it
            self._phase_began = self.loop.time()
        if self._phase == "head" and self._phase_bytes > self.limits.max_header_bytes:
            self.turn_away(_headers_too_large(self.limits.max_header_bytes))
        elif self._deadline is None and not self.closing:
            self._watch_phase()

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A request starts. uvicorn's scope is made once it is known that the request is for uvicorn."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        if self._phase != "head":  # more than one in a read
            self._phase = "head"
            self._phase_bytes = 0
            self._phase_began = 0.0

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole: too large, or on to the body."""
        if self._phase_bytes > self.limits.max_header_bytes:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self.limits.max_header_bytes:
                self.turn_away(_headers_too_large(self.limits.max_header_bytes))
                raise ValueError("header block too large")  # stops the parser; data_received reports nothing more
        names = list(map(_NAME, self.headers))
        if b"expect" in names:
            self.expect_100_continue = (b"expect", b"100-continue") in [(n, v.lower()) for n, v in self.headers]
        hosts = names.count(b"host")
        if hosts != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            raise ValueError("not exactly one host")  # RFC 9112, 3.2; HTTP/0.9 is refused with it
        self._phase = "body"
        self._phase_bytes = 0
        self._phase_began = 0.0
        self.serve()

    def on_body(self, body: bytes) -> None:
        """A piece of the body: it earns time."""
        self._phase_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._phase = "idle"
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()

    def serve(self) -> None:
        """Serves the request whose head has just been read: through uvicorn and ASGI."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers  # the scope holds this very list
        super().on_headers_complete()

    # What uvicorn, and whoever serves, call.

    def on_response_complete(self) -> None:
        """An answer is whole: the next request that was read, or a wait for one."""
        self.server_state.total_requests += 1
        if self.closing or self.raw.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self._idle is None:
            self._idle = self.loop.call_later(self.timeout_keep_alive, self._check_idle)

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP gets an answer in OpenAI's shape."""
        self.turn_away(
            InvalidRequest("The request is not valid HTTP/1.1.", "リクエストが正しいHTTP/1.1ではありません。")
        )

    def pause_writing(self) -> None:
        """The client is behind."""
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if self._stall is not None and not self.closing and not self.raw.is_closing():
            self._stall.cancel()
            self._stall = None

    def turn_away(self, error: GatewayError) -> None:
        """Answers without an application and closes. With a response under way, or given before the body was whole, there is
        nothing to say.
        """
        if self.closing or self.raw.is_closing():
            return
        cycle = self._serving
        if cycle is None or not cycle.response_started or (cycle.response_complete and self._phase == "head"):
            body = orjson.dumps(
                {"error": {"message": error.english, "type": error.type, "param": None, "code": error.code}}
            )
            self.raw.write(
                STATUS_LINE[error.status]
                + b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
                + body
            )
        self._close(linger=self._phase != "idle")

    def close(self) -> None:
        """Closes once the client has taken what was written; lingers first if it may still be sending."""
        untouched = self._phase == "head" and not self._phase_bytes
        self._close(linger=self.flow.read_paused or not (untouched or self._phase == "idle"))

    def _close(self, *, linger: bool) -> None:
        if self.closing or self.raw.is_closing():
            return
        if self.raw.get_write_buffer_size():
            self._watch_stall()
        if not linger:
            self.raw.close()
            return
        self.closing = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(LINGER_S, self.raw.close)
        self.raw.write_eof()
        self.flow.resume_reading()

    # Time.

    def _watch_phase(self) -> None:
        limit_s = self.limits.header_timeout_s if self._phase == "head" else self.limits.body_timeout_s
        self._deadline = self.loop.call_later(limit_s, self._check_phase)

    def _check_phase(self) -> None:
        """The timer: is the request late? A body earns time by arriving, at the least rate allowed."""
        self._deadline = None
        if self._phase == "idle" or self.raw.is_closing():
            return
        limits = self.limits
        limit_s = limits.header_timeout_s
        if self._phase == "body":
            limit_s = limits.body_timeout_s + self._phase_bytes / limits.body_min_bytes_per_s
        left_s = self._phase_began + limit_s - self.loop.time()
        if left_s > 0:
            self._deadline = self.loop.call_later(left_s, self._check_phase)
        elif self._phase == "head" and self._phase_bytes == 0:
            self.close()
        else:
            self.turn_away(
                ReadTimeout(f"The request's {self._phase} arrived too slowly.", "リクエストの到着が遅すぎます。")
            )

    def _check_idle(self) -> None:
        """The timer: has nothing been asked for long enough? It is set when an answer ends, and once for many of them."""
        self._idle = None
        if self._phase != "idle" or self.closing or not (self._serving is None or self._serving.response_complete):
            return
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._idle = self.loop.call_later(left_s, self._check_idle)
        else:
            self.close()

    def _watch_stall(self) -> None:
        """Whatever is being sent, a client that takes nothing of it is cut after a while: what waits is memory."""
        if self._stall is None:
            self._arm_stall()

    def _arm_stall(self) -> None:
        waiting_bytes = self.raw.get_write_buffer_size()
        self._stall = self.loop.call_later(self.limits.client_stall_s, self._check_stall, waiting_bytes)

    def _check_stall(self, waited_bytes: int) -> None:
        if self.raw.get_write_buffer_size() < waited_bytes:
            self._arm_stall()
        else:
            self.raw.abort()


def _headers_too_large(limit: int) -> HeadersTooLarge:
    return HeadersTooLarge(
        f"The request's headers are over {limit} bytes.", f"リクエストヘッダーが{limit}バイトを超えています。"
    )
