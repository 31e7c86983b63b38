"""The client's connection: uvicorn's httptools protocol with the limits that uvicorn lacks, lent to the relay.

The protocol subclass overrides no parsing. It measures what arrives, cuts what is too slow or too large with an answer that
says so, and puts a handle to the connection into the ASGI scope, so that a stream's bytes leave in the callback that brought
them. Timers exist only while a request is incomplete; one that arrives whole in a single read costs none.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import orjson
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from hayate.api.relay_response import EXTENSION, LentCall
from hayate.config import ServerConfig
from hayate.errors import GatewayError, HeadersTooLarge, InvalidRequest, Overloaded, ReadTimeout

WRITE_HIGH_WATER_BYTES = 64 * 1024
MAX_READ_AHEAD = 4
"""How many requests of a client that does not wait for answers are read before the first is answered."""


class _Lost:
    """In a transport's place once its connection is lost: until their tasks have heard of it, calls may still write."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's own."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Sends nothing."""


class LentTransport:
    """One connection's transport: uvicorn's, and lent to whichever call is being served on it.

    What is written between `hold` and `release` leaves in one piece: a head with its body, not one system call each.
    """

    __slots__ = ("_held", "_holding", "_protocol", "_transport", "call", "chunks")

    def __init__(self, protocol: EdgeProtocol, transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self._transport = transport
        self._holding = False
        self._held = b""
        self.call: LentCall | None = None
        self.chunks = 0

    @property
    def lost(self) -> bool:
        """Whether the connection is gone or going."""
        return self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's own."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Writes bytes to the client now, or holds them."""
        if self._holding:
            self._held += data
        else:
            self._transport.write(data)

    def write_chunk(self, data: bytes) -> None:
        """Writes a piece of a chunked body to the client now, or holds it."""
        self.chunks += 1
        if self._holding:
            self._held += b"%x\r\n%b\r\n" % (len(data), data)
        else:
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def write_framed(self, chunk: bytes) -> None:
        """The same with a piece that is framed already."""
        self.chunks += 1
        if self._holding:
            self._held += chunk
        else:
            self._transport.write(chunk)

    def end_by_closing(self) -> None:
        """The answer that is about to start has no framing: its end is the connection's."""
        self._protocol.leave_unframed()

    def hold(self) -> None:
        """Keeps what is written back until `release`."""
        self._holding = True

    def release(self) -> None:
        """Writes what was held, in one piece."""
        if self._holding:
            self._holding = False
            held, self._held = self._held, b""
            if held:
                self._transport.write(held)

    def close(self) -> None:
        """Closes once everything has been written."""
        self.release()
        if self._transport.get_write_buffer_size():
            self._protocol.watch_stall()
        self._transport.close()

    def keep_reading(self) -> None:
        """uvicorn stops reading behind a large body; a client that leaves is seen only by reading."""
        self._protocol.flow.resume_reading()

    def reads_ahead(self) -> bool:
        """Whether a little may be read behind the call that is being served, for the same reason."""
        protocol = self._protocol
        ahead = len(protocol.pipeline) < MAX_READ_AHEAD and len(protocol.cycle.body) <= HIGH_WATER_LIMIT
        return self.call is not None and ahead

    def abort(self) -> None:
        """Cuts the connection."""
        self._transport.abort()

    def lose(self) -> None:
        """The connection is lost: what is written from now on goes nowhere (a closed transport would raise)."""
        self._transport = cast("asyncio.Transport", _Lost(self._transport))


class LeanFlow:
    """uvicorn's FlowControl, which holds an event with a queue (760 bytes a connection) that only a full client needs."""

    __slots__ = ("_transport", "_writable", "read_paused")

    def __init__(self, transport: LentTransport) -> None:
        self._transport = transport
        self._writable: asyncio.Event | None = None
        self.read_paused = False

    @property
    def write_paused(self) -> bool:
        """Whether the client is behind."""
        return self._writable is not None

    async def drain(self) -> None:
        """Waits until it has caught up."""
        if self._writable is not None:
            await self._writable.wait()

    def pause_reading(self) -> None:
        """Takes nothing more from the client for now."""
        if not self.read_paused and not self._transport.reads_ahead():
            self.read_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads on."""
        if self.read_paused:
            self.read_paused = False
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """The client is behind."""
        if self._writable is None:
            self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """It has caught up, or is gone."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None


class EdgeProtocol(HttpToolsProtocol):
    """uvicorn's httptools protocol, with limits. Class attributes are set once, by `edge_protocol`."""

    limits: ServerConfig

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected; its first request must arrive in time."""
        self.lent = LentTransport(self, transport)
        super().connection_made(cast("asyncio.Transport", self.lent))
        self.flow = cast("FlowControl", LeanFlow(self.lent))
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)
        self._extensions: dict[str, Any] = {EXTENSION: self.lent}
        self._phase = "head"
        self._phase_bytes = 0
        self._phase_began = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
        self._serving: RequestResponseCycle | None = None
        self._stall: asyncio.TimerHandle | None = None
        if len(self.connections) > self.limits.max_connections:
            self._turn_away(
                Overloaded(
                    "Too many connections (server.max_connections).",
                    "接続数が上限に達しています（server.max_connections）。",
                    retry_after_s=1,
                )
            )
        else:
            self._watch_phase()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: uvicorn's state first, then the call that is being served."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._unwatch_stall()
        super().connection_lost(exc)
        self.lent.lose()
        if self._serving is not None and not self._serving.response_complete:
            self._serving.disconnected = True  # uvicorn tells only the last request that was read
            self._serving.message_event.set()
        if self.lent.call is not None:
            self.lent.call.client_gone()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self._phase == "idle":
            self._enter("head", len(data))
        elif self._phase == "head":
            self._phase_bytes += len(data)
        super().data_received(data)
        if self._phase == "idle":
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
        elif self._phase == "head" and self._phase_bytes > self.limits.max_header_bytes:
            self._turn_away(_headers_too_large(self.limits.max_header_bytes))
        elif self._deadline is None and not self.transport.is_closing():
            self._watch_phase()

    def on_message_begin(self) -> None:
        """A request starts: its scope gets the handle."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        if self._phase != "head":
            self._enter("head", self._phase_bytes)

    def on_headers_complete(self) -> None:
        """The head is whole: too large, or on to the body."""
        if self._phase_bytes > self.limits.max_header_bytes:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self.limits.max_header_bytes:
                self._turn_away(_headers_too_large(self.limits.max_header_bytes))
                raise ValueError("header block too large")  # stops the parser; data_received reports nothing more
        hosts = 0
        for name, _ in self.headers:
            if name == b"host":
                hosts += 1
        if hosts != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            raise ValueError("not exactly one host")  # RFC 9112, 3.2; HTTP/0.9 is refused with it
        self._enter("body", 0)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._enter("idle", 0)
        super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body: it earns time."""
        self._phase_bytes += len(body)
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP gets an answer in OpenAI's shape."""
        self._turn_away(
            InvalidRequest("The request is not valid HTTP/1.1.", "リクエストが正しいHTTP/1.1ではありません。")
        )

    def pause_writing(self) -> None:
        """The client is behind."""
        super().pause_writing()
        self.watch_stall()
        if self.lent.call is not None:
            self.lent.call.client_full()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._unwatch_stall()
        if self.lent.call is not None:
            self.lent.call.client_drained()

    def leave_unframed(self) -> None:
        """uvicorn would send chunks to a client of HTTP/1.0 too."""
        if self._serving is not None:
            self._serving.chunked_encoding = False

    def watch_stall(self) -> None:
        """Whatever is being sent, a client that takes nothing of it is cut after a while: what waits is memory."""
        if self._stall is None:
            self._arm_stall()

    def _arm_stall(self) -> None:
        waiting_bytes = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self.limits.client_stall_s, self._check_stall, waiting_bytes)

    def _check_stall(self, waited_bytes: int) -> None:
        if self.transport.get_write_buffer_size() < waited_bytes:
            self._arm_stall()
        else:
            self.transport.abort()

    def _unwatch_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._serving = cycle
        super()._start_asgi_task(cycle, app)

    def _enter(self, phase: str, size: int) -> None:
        self._phase = phase
        self._phase_bytes = size
        self._phase_began = self.loop.time()

    def _watch_phase(self) -> None:
        limit_s = self.limits.header_timeout_s if self._phase == "head" else self.limits.body_timeout_s
        self._deadline = self.loop.call_later(limit_s, self._check_phase)

    def _check_phase(self) -> None:
        """The timer: is the request late? A body earns time by arriving, at the least rate allowed."""
        self._deadline = None
        if self._phase == "idle" or self.transport.is_closing():
            return
        limits = self.limits
        limit_s = limits.header_timeout_s
        if self._phase == "body":
            limit_s = limits.body_timeout_s + self._phase_bytes / limits.body_min_bytes_per_s
        left_s = self._phase_began + limit_s - self.loop.time()
        if left_s > 0:
            self._deadline = self.loop.call_later(left_s, self._check_phase)
        elif self._phase == "head" and self._phase_bytes == 0:
            self.transport.close()
        else:
            self._turn_away(
                ReadTimeout(f"The request's {self._phase} arrived too slowly.", "リクエストの到着が遅すぎます。")
            )

    def _turn_away(self, error: GatewayError) -> None:
        """Answers without an application and closes. With a response under way, or given before the body was whole, there is
        nothing to say.
        """
        if self.transport.is_closing():
            return
        cycle = self._serving
        if cycle is None or not cycle.response_started or (cycle.response_complete and self._phase == "head"):
            body = orjson.dumps(
                {"error": {"message": error.english, "type": error.type, "param": None, "code": error.code}}
            )
            self.transport.write(
                STATUS_LINE[error.status]
                + b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
                + body
            )
        self.transport.close()


def _headers_too_large(limit: int) -> HeadersTooLarge:
    return HeadersTooLarge(
        f"The request's headers are over {limit} bytes.", f"リクエストヘッダーが{limit}バイトを超えています。"
    )
