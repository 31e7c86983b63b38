"""The client's connection, lent to the calls it carries.

A request for one of the paths that calls take goes to its endpoint directly, with the connection itself
(`direct_stream`), so that a stream's bytes leave in the callback that brought them; every other request is uvicorn's.

A client may end its sending and wait for its answer; or it has gone: both look the same. A stream is told apart by a
ping, which nobody resets who still reads; a whole answer can't be, and its client counts as gone unless
`server.half_close` says otherwise.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl

from hayate.downstream.direct_stream import DirectStream
from hayate.downstream.reading import MAX_READ_AHEAD, ReadingProtocol
from hayate.downstream.stream import Endpoint
from hayate.wire.http1 import NO_FIELDS
from hayate.wire.paths import canonical

HALF_CLOSED_CHECK_S = 0.25
"""How often a client that has ended its sending is looked at: nothing tells that it has reset the connection."""


class LeanFlow(FlowControl):
    """uvicorn's FlowControl without its event (760 bytes a connection with its queue), which only a full client needs."""

    def __init__(self, protocol: ClientProtocol) -> None:
        self._protocol: ClientProtocol | None = protocol
        self._writable: asyncio.Event | None = None
        self.read_paused = False
        self.write_paused = False

    async def drain(self) -> None:
        """Waits until the client has caught up."""
        if self._writable is not None:
            await self._writable.wait()

    def pause_reading(self) -> None:
        """Takes nothing more from the client for now."""
        protocol = self._protocol
        if not self.read_paused and protocol is not None and not protocol.reads_ahead():
            self.read_paused = True
            protocol.raw.pause_reading()

    def resume_reading(self) -> None:
        """Reads on, unless what has come is not all read."""
        protocol = self._protocol
        if self.read_paused and protocol is not None and not protocol.has_unread:
            self.read_paused = False
            protocol.raw.resume_reading()

    def pause_writing(self) -> None:
        """The client is behind."""
        if self._writable is None:
            self._writable = asyncio.Event()
            self.write_paused = True

    def resume_writing(self) -> None:
        """It has caught up, or is gone."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None
            self.write_paused = False

    def lost(self) -> None:
        """There is no connection any more: a call that is still under way holds this, but not its protocol."""
        self._protocol = None


class ClientProtocol(ReadingProtocol):
    """A connection whose calls are served on it. The class attributes are set once, by `serve.server`."""

    __slots__ = ("_flow", "_half_closed_check")

    hot: Mapping[tuple[bytes, bytes], Endpoint]
    """The endpoints that are served without ASGI, by method and path."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected. Our flow control takes the place of uvicorn's, which it has just made."""
        self._half_closed_check: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self.flow = self._flow = LeanFlow(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: uvicorn's state first, then the call that is being served, and what waits behind it."""
        if self._half_closed_check is not None:
            self._half_closed_check.cancel()
        super().connection_lost(exc)
        serving, ahead = self._serving, self._ahead
        self._serving = self._reading = None
        self._ahead = ()
        self._flow.lost()
        if serving is not None:
            serving.client_gone()
        for each in ahead:
            each.client_gone()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client ends its sending. True keeps the connection for what it still gets; else it is closed."""
        serving = self._serving
        if self.closing or serving is None or serving.response_complete or serving.more_body:
            return None
        self.half_closed = True
        serving.keep_alive = serving.keep_alive and bool(self._ahead)  # after the last answer nothing more can be asked
        if not serving.client_ended_sending():
            return None
        if self._half_closed_check is None:
            self._check_half_closed()
        return True

    def serve(self) -> None:
        """A call goes to its endpoint; anything else to uvicorn."""
        parser = self.parser
        method = parser.get_method()
        endpoint, query = self.hot.get((method, self.url)), b""
        if endpoint is None:
            endpoint, query = self._found(method)
            if endpoint is None:
                super().serve()
                return
        self.url = b""  # it may be long, and the stream has what is needed of it
        # A client of HTTP/1.0 knows no chunks: its answer ends with the connection.
        framed = parser.get_http_version() != "1.0"
        stream = DirectStream(
            self,
            endpoint,
            method.decode(),
            query,
            framed=framed,
            keep_alive=framed and bool(parser.should_keep_alive()),
        )
        if self.origins.is_open:
            stream.more_headers = self.origins.headers_for(self.fields.get(b"origin"))
        self.fields = NO_FIELDS
        if self._reading is None or self._reading.response_complete:  # nearly always, and so without a call more
            self._reading = self._serving = stream
            stream.begin()
        else:
            self._take(stream)

    def _found(self, method: bytes) -> tuple[Endpoint | None, bytes]:
        """The endpoint of a target that is not just its path, and the query; None where it is no call's."""
        path, _, query = self.url.partition(b"?")
        endpoint = self.hot.get((method, path))
        if endpoint is None or b"#" in query:  # no call, or an unusual way to write its path: https://…, //v1, %2F, #…
            parsed = httptools.parse_url(self.url)
            return self.hot.get((method, canonical(parsed.path or b""))), parsed.query or b""
        return endpoint, query

    def pause_writing(self) -> None:
        """The client is behind: the call that is being served is told, and reads no more of its engine."""
        super().pause_writing()
        if self._serving is not None:
            self._serving.client_full()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if self._serving is not None:
            self._serving.client_drained()

    @property
    def has_unread(self) -> bool:
        """Whether something has come that is not read yet."""
        return self._unread is not None

    def reads_ahead(self) -> bool:
        """Whether a little may be read behind a call that is being served: a client that leaves is seen only by reading."""
        serving, reading = self._serving, self._reading
        if serving is None or reading is None or not serving.is_watched:
            return False
        return len(self._ahead) < MAX_READ_AHEAD and reading.unread_bytes <= HIGH_WATER_LIMIT

    def _close(self, *, linger: bool) -> None:
        super()._close(linger=linger)
        serving = self._serving
        if self.closing and serving is not None and not serving.response_complete:
            serving.client_gone()  # nothing can be written any more

    def _check_half_closed(self) -> None:
        """The timer: has the client reset the connection, as one does that is no longer there to read?"""
        self._half_closed_check = None
        if self.raw.is_closing():
            return
        if self.raw.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.raw.abort()
        else:
            self._half_closed_check = self.loop.call_later(HALF_CLOSED_CHECK_S, self._check_half_closed)
