"""The client's connection, lent to the calls it carries.

A request for one of the paths that calls take goes to its endpoint directly, with the connection itself (`lent`), so that a
stream's bytes leave in the callback that brought them; every other request is uvicorn's. What a connection may take is kept in
`edge_limits`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from hayate.edge_limits import LimitedProtocol
from hayate.lent import LentLine

if TYPE_CHECKING:
    from hayate.api.endpoint import RelayEndpoint

MAX_READ_AHEAD = 4
"""How many requests of a client that does not wait for answers are read before the first is answered."""


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
        """Reads on."""
        if self.read_paused:
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

    __slots__ = ()

    hot: Mapping[tuple[bytes, bytes], RelayEndpoint]
    """The endpoints that are served without ASGI, by method and path."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self.flow = cast("FlowControl", LeanFlow(self))

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: uvicorn's state first, then the call that is being served."""
        super().connection_lost(exc)
        serving = self._serving
        if isinstance(serving, LentLine):
            serving.lose()
        elif serving is not None and not serving.response_complete:
            serving.disconnected = True  # uvicorn tells only the last request that was read
            serving.message_event.set()

    def serve(self) -> None:
        """A call goes to its endpoint; anything else, an unusually written path included, to uvicorn."""
        method = self.parser.get_method()
        path, _, query = self.url.partition(b"?")
        endpoint = self.hot.get((method, path))
        if endpoint is None or b"#" in query:
            super().serve()
            return
        line = LentLine(self, endpoint, method.decode(), query, self.headers)
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

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._serving = cycle
        if isinstance(cycle, LentLine):
            cycle.task = self.loop.create_task(cycle.run())
            self.tasks.add(cycle.task)
        else:
            super()._start_asgi_task(cycle, app)
