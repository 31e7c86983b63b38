"""uvicorn, with what it lacks at the edge: limits on slow and oversized requests, and the client's transport lent to the relay.

The protocol subclass overrides no parsing. It measures what arrives, cuts what is too slow or too large with an answer that
says so, and puts a handle to the connection into the ASGI scope, so that a stream's bytes leave in the callback that brought
them. Timers exist only while a request is incomplete; one that arrives whole in a single read costs none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, cast

import orjson
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from hayate.api.relay_response import EXTENSION, LentCall
from hayate.app import create_app
from hayate.config import Config, ServerConfig
from hayate.errors import GatewayError, HeadersTooLarge, InvalidRequest, Overloaded, ReadTimeout
from hayate.telemetry import notice

WRITE_HIGH_WATER_BYTES = 64 * 1024


class LentTransport:
    """One connection's transport: uvicorn's, and lent to whichever call is being served on it.

    What is written between `hold` and `release` leaves in one piece: a head with its body, not one system call each.
    """

    __slots__ = ("_held", "_holding", "_protocol", "_transport", "call")

    def __init__(self, protocol: HttpToolsProtocol, transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self._transport = transport
        self._holding = False
        self._held = b""
        self.call: LentCall | None = None

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
        chunk = b"%x\r\n%b\r\n" % (len(data), data)
        if self._holding:
            self._held += chunk
        else:
            self._transport.write(chunk)

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
        self._transport.close()

    def keep_reading(self) -> None:
        """uvicorn stops reading behind a large body; a client that leaves is seen only by reading."""
        self._protocol.flow.resume_reading()

    def abort(self) -> None:
        """Cuts the connection."""
        self._transport.abort()


class EdgeProtocol(HttpToolsProtocol):
    """uvicorn's httptools protocol, with limits. Class attributes are set once, by `edge_protocol`."""

    limits: ServerConfig

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected; its first request must arrive in time."""
        self.lent = LentTransport(self, transport)
        super().connection_made(cast("asyncio.Transport", self.lent))
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)
        self._extensions: dict[str, Any] = {EXTENSION: self.lent}
        self._phase = "head"
        self._phase_bytes = 0
        self._phase_began = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
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
        super().connection_lost(exc)
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
        if self.lent.call is not None:
            self.lent.call.client_full()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if self.lent.call is not None:
            self.lent.call.client_drained()

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
        """Answers without an application and closes. With a response under way there is nothing to say."""
        if self.transport.is_closing():
            return
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
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


class _Server(uvicorn.Server):
    """uvicorn's server, telling when it listens."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[str], None] | None) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, then says so."""
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        if self._announce is not None:
            self._announce(url)
        else:
            notice("listening", url=url)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT start the drain, a second one ends it. A proper end is exit status 0, not a re-raised signal."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains; any further one stops waiting."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, bound before anything else is started. Raises OSError, in one line, when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


async def serve(
    config: Config, *, sockets: list[socket.socket] | None = None, announce: Callable[[str], None] | None = None
) -> None:
    """Runs the gateway until SIGTERM or SIGINT, then drains: no new calls, running streams end within `server.drain_s`."""
    limits = config.server
    protocol = type("Edge", (EdgeProtocol,), {"limits": limits})
    settings = uvicorn.Config(
        create_app(config),
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_keep_alive=int(limits.keep_alive_s),
        timeout_graceful_shutdown=max(1, round(limits.drain_s)),
    )
    server = _Server(settings, announce)
    listeners = sockets or [bind(limits.host, limits.port)]
    try:
        await server.serve(listeners)
    finally:
        for listener in listeners:
            listener.close()


def quiet_libraries() -> None:
    """Libraries speak on standard error, and only of faults: a stranger's broken request is not one."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def run(config: Config) -> None:
    """`hayate serve`."""
    quiet_libraries()
    try:
        listener = bind(config.server.host, config.server.port)
    except OSError as error:
        where = f"{config.server.host}:{config.server.port}"
        sys.stderr.write(
            f"{where} can't be listened on: {error.strerror}. Does another program use it? Set HAYATE_PORT.\n"
        )
        raise SystemExit(1) from None
    uvloop.run(serve(config, sockets=[listener]))
