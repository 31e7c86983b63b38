"""The client's connection, lent to the calls it carries.

A request for one of the paths that calls take goes to its endpoint directly, with the connection itself (`lent`), so that a
stream's bytes leave in the callback that brought them; every other request is uvicorn's. What a connection may take is kept in
`edge_limits`.

A client may end its sending and wait for its answer; or it has gone: both look the same. A stream is told apart by a ping, which
nobody resets who still reads; a whole answer can't be, and its client counts as gone unless `server.half_close` says otherwise.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote_to_bytes

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from hayate.downstream.direct_stream import LentLine
from hayate.downstream.limits import MAX_READ_AHEAD, LimitedProtocol

if TYPE_CHECKING:
    from hayate.api.call_endpoint import RelayEndpoint

HALF_CLOSED_CHECK_S = 0.25
"""How often a client that has ended its sending is looked at: nothing tells that it has reset the connection."""


class LeanFlow:
    """uvicorn's FlowControl, which holds an event with a queue (760 bytes a connection) that only a full client needs."""

    __slots__ = ("_protocol", "_writable", "read_paused")

    def __init__(self, protocol: EdgeProtocol) -> None:
        self._protocol = protocol
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
        if not self.read_paused and not self._protocol.reads_ahead():
            self.read_paused = True
            self._protocol.raw.pause_reading()

    def resume_reading(self) -> None:
        """Reads on, unless what has come is not all read."""
        if self.read_paused and self._protocol.unread is None:
            self.read_paused = False
            self._protocol.raw.resume_reading()

    def pause_writing(self) -> None:
        """The client is behind."""
        if self._writable is None:
            self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """It has caught up, or is gone."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None


class EdgeProtocol(LimitedProtocol):
    """A connection whose calls are served on it. The class attributes are set once, by `server`."""

    __slots__ = ("_half_closed_check", "half_closed")

    hot: Mapping[tuple[bytes, bytes], RelayEndpoint]
    """The endpoints that are served without ASGI, by method and path."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        self.half_closed = False
        self._half_closed_check: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self.flow = cast("FlowControl", LeanFlow(self))

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: uvicorn's state first, then the call that is being served."""
        if self._half_closed_check is not None:
            self._half_closed_check.cancel()
        super().connection_lost(exc)
        serving = self._serving
        if isinstance(serving, LentLine):
            serving.lose()
        elif serving is not None and not serving.response_complete:
            serving.disconnected = True  # uvicorn tells only the last request that was read
            serving.message_event.set()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client ends its sending. True keeps the connection for what it still gets; else it is closed."""
        serving = self._serving
        if self.closing or serving is None or serving.response_complete or serving.more_body:
            return None
        self.half_closed = True
        serving.keep_alive = serving.keep_alive and bool(self.pipeline)
        if isinstance(serving, LentLine) and not serving.ended_sending():
            return None
        if self._half_closed_check is None:
            self._check_half_closed()
        return True

    def serve(self) -> None:
        """A call goes to its endpoint; anything else to uvicorn."""
        method = self.parser.get_method()
        path, _, query = self.url.partition(b"?")
        endpoint = self.hot.get((method, path))
        if endpoint is None or b"#" in query:
            parsed = httptools.parse_url(self.url)  # an unusual way to write a path: https://…, %2F, #…
            endpoint, query = self.hot.get((method, unquote_to_bytes(parsed.path or b""))), parsed.query or b""
            if endpoint is None:
                super().serve()
                return
        line = LentLine(self, endpoint, method.decode(), query, self.headers, self.fields)
        self.url = b""  # it may be long, and the line has what is needed of it
        waiting = self.cycle is not None and not self.cycle.response_complete
        self.cycle = cast("RequestResponseCycle", line)
        if waiting:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))
        else:
            self._start_asgi_task(self.cycle, self.app)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        cycle = self.cycle
        if not isinstance(cycle, LentLine):
            super().on_body(body)
            return
        self._phase_bytes += len(body)
        if not cycle.response_complete:
            cycle.add(body)
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.set()

    def pause_writing(self) -> None:
        """The client is behind."""
        super().pause_writing()
        if isinstance(self._serving, LentLine) and self._serving.call is not None:
            self._serving.call.client_full()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if isinstance(self._serving, LentLine) and self._serving.call is not None:
            self._serving.call.client_drained()

    def reads_ahead(self) -> bool:
        """Whether a little may be read behind a call that is being served: a client that leaves is seen only by reading."""
        watched = isinstance(self._serving, LentLine) and self._serving.call is not None
        return watched and len(self.pipeline) < MAX_READ_AHEAD and len(self.cycle.body) <= HIGH_WATER_LIMIT

    def _close(self, *, linger: bool) -> None:
        super()._close(linger=linger)
        serving = self._serving
        if self.closing and isinstance(serving, LentLine) and not serving.response_complete:
            serving.lose()  # nothing can be written any more

    def _check_half_closed(self) -> None:
        """The timer: has the client reset the connection, as one does that is no longer there to read?"""
        self._half_closed_check = None
        if self.raw.is_closing():
            return
        if self.raw.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.raw.abort()
        else:
            self._half_closed_check = self.loop.call_later(HALF_CLOSED_CHECK_S, self._check_half_closed)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._serving = cycle
        if self.half_closed:
            cycle.keep_alive = cycle.keep_alive and bool(self.pipeline)
        if isinstance(cycle, LentLine):
            cycle.task = self.loop.create_task(cycle.run())
            self.tasks.add(cycle.task)
        else:
            super()._start_asgi_task(cycle, app)
