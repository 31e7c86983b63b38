"""The only place that opens sockets toward engines: a keep-alive pool per replica.

Opening a call is ordinary async code: `ConnectionPool.send` returns once the answer's head is there. From then on its
bytes move in callbacks (`exchange`). As many connections as calls lately needed at once are open before they are needed
again (`ahead`): a call that finds none opens its own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from hayate.errors import GatewayError
from hayate.upstream.connecting import Connector
from hayate.upstream.connection import IDLE_S, Connection
from hayate.upstream.deadlines import Deadlines
from hayate.upstream.exchange import Exchange
from hayate.upstream.spares import LOOK_S, Spares
from hayate.upstream_errors import UpstreamTimeout
from hayate.wire.http1 import render_request, request_head
from hayate.wire.upstream_request import UpstreamRequest

REST_S = 0.1
SOON_S = 1.0
"""llama.cpp closes a connection some milliseconds after a stream, and does not say so before: a call sent on it
meanwhile would be lost. So a connection rests after a stream until it is known whether the engine keeps it; once it was
closed so soon, none is kept.
"""
MAX_IDLE = 512
AT_ONCE = 16
"""How many connections are cut in a turn of the event loop."""
REAP_S = 0.02
"""Between two turns at those that have been idle for too long."""
MAX_TARGETS = 64
_API = "/v1/"
_VERSION = re.compile(r"/v[0-9]+[a-z0-9]*(?=/|$)")


class ConnectionPool:
    """Kept-alive connections to one origin. `credentials` are headers sent with every request; for `ahead_s` seconds after a
    call its connection is replaced when it goes for being idle, as long as the engine is `usable`.
    """

    def __init__(
        self,
        origin: str,
        *,
        connect_s: float,
        credentials: tuple[tuple[bytes, bytes], ...] = (),
        ahead_s: float = 0.0,
        usable: Callable[[], bool] = lambda: True,
    ) -> None:
        parts = urlsplit(origin)
        self._authority = parts.netloc.encode("idna" if not parts.netloc.isascii() else "ascii")
        self._root, self._api = api_bases(parts.path)
        self._credentials = credentials
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._reaper: asyncio.TimerHandle | None = None
        self._closed = False
        self._keeps_after_streams: bool | None = None
        """Whether the engine keeps a connection after a stream; None: not known yet."""
        self._resting: list[Connection] = []
        """Those that carried a stream while that is not known: idle too, and not to be used before REST_S."""
        self._beginnings: dict[str, bytes] = {}
        self.loop = asyncio.get_running_loop()
        self._heads = Deadlines(self.loop)
        self._connector = Connector(parts, connect_s, self.loop)
        self._spares = Spares(ahead_s, usable)

    @property
    def open_connections(self) -> int:
        """How many connections there are, idle and busy."""
        return len(self._idle) + len(self._resting) + len(self._spares.open) + len(self._busy)

    @property
    def busy_connections(self) -> int:
        """How many of them carry a call."""
        return len(self._busy)

    @property
    def spare_connections(self) -> int:
        """How many of them are open ahead of need: no call has used them."""
        return len(self._spares.open)

    def configure(self, *, connect_s: float, ahead_s: float) -> None:
        """Other settings, from now on."""
        self._connector.connect_s = connect_s
        self._spares.ahead.keep_s = ahead_s

    def shed(self) -> None:
        """The engine is to be left alone, or is gone: connections without a call go, and none is opened ahead before `renew`."""
        self._spares.ahead.refrain()
        for connection in self._free():
            connection.abort()

    def renew(self) -> None:
        """Another engine answers there from now on, or one that was away."""
        self._spares.ahead.resume()

    async def send(
        self,
        request: UpstreamRequest,
        *,
        first_byte_s: float | None,
        limit: str = "first_byte_s",
        fresh: bool = False,
        keep: bool = True,
    ) -> Exchange:
        """Sends `request` and waits for the answer's head, at most `first_byte_s` (None: without a limit); `limit` is
        the setting that this comes from. Raises UpstreamError; StaleConnection only where the engine has taken nothing.

        `fresh` asks for a new connection: the way to repeat a request that met a stale one. One that is not to be kept
        is closed after the answer.
        """
        raw = render_request(
            request.method,
            self._beginnings.get(request.path) or self._beginning(request.path),
            request.headers,
            request.body,
            request.content_type,
        )
        connection = (None if fresh else self._pop_idle()) or await self._open()
        exchange, head = connection.begin(raw, keep=keep)
        self._busy.add(connection)
        if first_byte_s is not None:
            self._heads.add(head, first_byte_s, lambda: _late(first_byte_s, limit))
        try:
            await head
        except BaseException:
            exchange.close()
            del exchange
            raise
        finally:
            if first_byte_s is not None:
                self._heads.discard(head)
            del head  # it holds the error that it has, and the error holds this frame
        return exchange

    def take_back(self, connection: Connection) -> None:
        """A connection whose exchange is over, to be used again."""
        self._busy.discard(connection)
        if self._closed or len(self._idle) + len(self._resting) >= MAX_IDLE:
            connection.abort()
            return
        connection.idle_since = self.loop.time()
        if not connection.streamed or self._keeps_after_streams:
            self._idle.append(connection)
        elif self._keeps_after_streams is None:
            self._resting.append(connection)
        else:
            connection.abort()
            return
        if self._reaper is None:
            self._reaper = self.loop.call_later(IDLE_S, self._reap)

    def forget(self, connection: Connection) -> None:
        """A connection that is gone or going."""
        if connection in self._busy:
            self._busy.remove(connection)
            return
        for free in (self._idle, self._resting):
            if connection in free:
                free.remove(connection)
                self._saw_end(connection)
        if self._spares.open:
            self._spares.forget(connection, self.loop.time())

    def fail_busy(self, error: GatewayError) -> None:
        """Every exchange under way ends with `error`; their connections are cut, so that the engine stops. A few at a time."""
        self._fail(list(self._busy), error)

    def _fail(self, busy: list[Connection], error: GatewayError) -> None:
        for connection in busy[:AT_ONCE]:
            if connection in self._busy:
                connection.fail(error)
        if left := busy[AT_ONCE:]:
            self.loop.call_soon(self._fail, left, error)

    def close(self) -> None:
        """Closes the idle connections; busy ones go when their exchange ends."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None
        for connection in self._free():
            connection.abort()
        self._spares.close()

    def _free(self) -> list[Connection]:
        """All that carry no call. From here on they are nobody's: whoever takes them closes them."""
        free = [*self._idle, *self._resting, *self._spares.take_all()]
        self._idle, self._resting = [], []
        return free

    def _pop_idle(self) -> Connection | None:
        now = self.loop.time()
        if self._resting:
            self._end_rests(now)
        while self._idle:
            connection = self._idle.pop()
            idle_s = now - connection.idle_since
            if idle_s < connection.idle_limit_s:
                if not connection.is_stale():
                    if connection.streamed and self._keeps_after_streams is None:
                        self._keeps_after_streams = True
                    return connection
                self._saw_end(connection)
            connection.abort()
        return self._spares.pop(now) if self._spares.open else None

    def _end_rests(self, now: float) -> None:
        """If the engine closes them, it does so soon."""
        resting, self._resting = self._resting, []
        for each in resting:
            rested = self._keeps_after_streams or now - each.idle_since >= REST_S
            (self._idle if rested else self._resting).append(each)

    def _saw_end(self, idle: Connection) -> None:
        if idle.streamed and self.loop.time() - idle.idle_since < SOON_S:
            self._keeps_after_streams = False
            resting, self._resting = self._resting, []
            for each in resting:  # they will be closed too
                each.abort()

    def _reap(self) -> None:
        self._reaper = None
        oldest = self.loop.time() - IDLE_S + 0.05
        if self._resting and self._resting[0].idle_since <= oldest and self._keeps_after_streams is None:
            self._keeps_after_streams = True  # it has had the time to close it
        for free in (self._idle, self._resting):
            for connection in [each for each in free if each.idle_since <= oldest][:AT_ONCE]:
                free.remove(connection)
                self._spares.ahead.closed(connection.idle_since)
                connection.abort()
        self._spares.look(self)
        if left := (*self._idle, *self._resting):
            self.look_again(max(REAP_S, left[0].idle_since - oldest))
        elif self._spares.open:
            self.look_again(LOOK_S)

    def look_again(self, in_s: float) -> None:
        """What is idle is looked at then, unless it is earlier."""
        if self._reaper is None and not self._closed:
            self._reaper = self.loop.call_later(in_s, self._reap)

    def has_room(self) -> bool:
        """Whether one more may be kept without a call."""
        return len(self._idle) + len(self._resting) + len(self._spares.open) < MAX_IDLE

    def _open(self) -> Awaitable[Connection]:
        """For a call that found none: what is owed is one less."""
        self._spares.ahead.called()
        return self.connect()

    async def connect(self) -> Connection:
        """A new one, which nobody keeps yet. Raises ConnectFailed, ConnectTimedOut."""
        connection = Connection(self)
        try:
            await self._connector.open(connection)
        except BaseException:
            connection.abandon()
            raise
        return connection

    def _beginning(self, path: str) -> bytes:
        """What requests to a path have in common after their method."""
        api = path.startswith(_API)
        target = self._api + path[len(_API) - 1 :].encode() if api else self._root + path.encode()
        beginning = request_head(target, self._authority, self._credentials)
        if len(self._beginnings) < MAX_TARGETS:  # they are few: those of the adapters
            self._beginnings[path] = beginning
        return beginning


def api_bases(path: str) -> tuple[bytes, bytes]:
    """Where the engine's own paths begin (`/health`), and its OpenAI API (`/chat/completions`), for the path of a
    replica's URL.

    The API is at `/v1` below that path, unless the path has a version of its own: then it is the API as it stands, as
    in `/v3`, `/api/paas/v4` or `/v1beta/openai`.
    """
    path = path.rstrip("/")
    versioned = _VERSION.search(path)
    root = path[: versioned.start()] if versioned else path
    return root.encode(), (path if versioned else path + "/v1").encode()


def _late(limit_s: float, limit: str) -> UpstreamTimeout:
    return UpstreamTimeout(
        f"The engine sent nothing for {limit_s:g} s (timeouts.{limit}).",
        f"エンジンが{limit_s:g}秒間応答しませんでした（timeouts.{limit}）。",
    )
