"""The only place that opens sockets toward engines: a keep-alive pool per replica.

Opening a call is ordinary async code: `ConnectionPool.send` returns once the answer's head is there. From then on its
bytes move in callbacks (`exchange`).
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from urllib.parse import urlsplit

from hayate.errors import GatewayError
from hayate.language import Text, reason_of
from hayate.reasons import Reason
from hayate.upstream.connection import IDLE_S, Connection
from hayate.upstream.deadlines import Deadlines
from hayate.upstream.exchange import Exchange
from hayate.upstream_errors import ConnectFailed, ConnectTimedOut, UpstreamTimeout
from hayate.wire.http1 import render_request
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
    """Kept-alive connections to one origin. `credentials` are headers sent with every request."""

    def __init__(self, origin: str, *, connect_s: float, credentials: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        parts = urlsplit(origin)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._authority = parts.netloc.encode("idna" if not parts.netloc.isascii() else "ascii")
        self._root, self._api = api_bases(parts.path)
        self._credentials = credentials
        self._connect_s = connect_s
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._reaper: asyncio.TimerHandle | None = None
        self._closed = False
        self._keeps_after_streams: bool | None = None
        """Whether the engine keeps a connection after a stream; None: not known yet."""
        self._resting: list[Connection] = []
        """Those that carried a stream while that is not known: idle too, and not to be used before REST_S."""
        self._targets: dict[str, bytes] = {}
        self.loop = asyncio.get_running_loop()
        self._heads = Deadlines(self.loop)

    @property
    def open_connections(self) -> int:
        """How many connections there are, idle and busy."""
        return len(self._idle) + len(self._resting) + len(self._busy)

    @property
    def busy_connections(self) -> int:
        """How many of them carry a call."""
        return len(self._busy)

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
            self._targets.get(request.path) or self._target(request.path),
            self._authority,
            (*self._credentials, *request.headers),
            request.body,
            request.content_type,
        )
        connection = (None if fresh else self._pop_idle()) or await self._connect()
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
        self._busy.discard(connection)
        for free in (self._idle, self._resting):
            if connection in free:
                free.remove(connection)
                self._saw_end(connection)

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
        for connection in (*self._idle, *self._resting):
            connection.abort()

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
        return None

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
        oldest = self.loop.time() - IDLE_S + 0.05
        self._reaper = None
        free = (*self._idle, *self._resting)
        for connection in [each for each in free if each.idle_since <= oldest][:AT_ONCE]:
            connection.abort()
        if left := (*self._idle, *self._resting):
            self._reaper = self.loop.call_later(max(REAP_S, left[0].idle_since - oldest), self._reap)

    async def _connect(self) -> Connection:
        connection = Connection(self)
        try:
            await self._open(connection)
        except BaseException:
            connection.abandon()
            raise
        return connection

    async def _open(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(self._connect_s):
                transport, _ = await self.loop.create_connection(
                    lambda: connection,
                    self._host,
                    self._port,
                    ssl=self._tls,
                    ssl_handshake_timeout=self._connect_s if self._tls else None,
                )
        except TimeoutError:
            raise ConnectTimedOut(
                f"No connection to the engine within {self._connect_s:g} s.",
                f"{self._connect_s:g}秒以内にエンジンへ接続できませんでした。",
            ) from None
        except OSError as error:
            raise _unreachable(error) from None
        _notice_dead_hosts(transport.get_extra_info("socket"))

    def _target(self, path: str) -> bytes:
        api = path.startswith(_API)
        target = self._api + path[len(_API) - 1 :].encode() if api else self._root + path.encode()
        if len(self._targets) < MAX_TARGETS:  # they are few: those of the adapters
            self._targets[path] = target
        return target


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


def _notice_dead_hosts(sock: socket.socket) -> None:
    """A host that has vanished says nothing: the system asks for a sign of life while nothing comes. That ends a wait
    which has no limit of its own after about a minute.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):  # not every system has all of them
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _unreachable(error: OSError) -> ConnectFailed:
    failed = ConnectFailed(
        f"The engine is not reachable ({_word(error).en}). It may be starting, or BACKEND_URL may be wrong.",
        f"エンジンに接続できません（{_word(error).ja}）。起動中か、BACKEND_URLが誤っている可能性があります。",
    )
    failed.reason = _reason(error)
    return failed


def _late(limit_s: float, limit: str) -> UpstreamTimeout:
    return UpstreamTimeout(
        f"The engine sent nothing for {limit_s:g} s (timeouts.{limit}).",
        f"エンジンが{limit_s:g}秒間応答しませんでした（timeouts.{limit}）。",
    )


def _reason(error: OSError) -> Reason:
    """Why no connection came about."""
    if isinstance(error, ConnectionRefusedError):
        return Reason.NOTHING_LISTENS
    if isinstance(error, socket.gaierror):
        return Reason.NAME_UNKNOWN
    if isinstance(error, ssl.SSLError):
        return Reason.TLS_REFUSED
    if isinstance(error, ConnectionError):  # it was there, and went
        return Reason.CUT
    return Reason.UNREACHABLE


def _word(error: OSError) -> Text:
    """The system's word for it, without the address: that is the operator's business."""
    if isinstance(error, ConnectionRefusedError):
        return Text("connection refused", "接続が拒否されました")
    if isinstance(error, socket.gaierror):
        return Text("its name is not known", "ホスト名を解決できません")
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message[:80]
        return Text(said, f"証明書を信頼できません: {said}")
    if isinstance(error, ssl.SSLError):
        said = (error.reason or "TLS failed").replace("_", " ").lower()[:80]
        return Text(said, f"TLSのエラー: {said}")
    return reason_of(error)
