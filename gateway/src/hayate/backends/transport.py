"""The only place that opens sockets toward engines: a keep-alive pool per replica.

Opening a call is ordinary async code: `ConnectionPool.send` returns once the answer's head is there. From then on its bytes
move in callbacks (`exchange`).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hayate.backends.deadlines import Deadlines
from hayate.backends.exchange import Connection, Exchange
from hayate.errors import ConnectFailed, ConnectTimedOut, GatewayError, UpstreamTimeout
from hayate.wire.http1 import Headers, header, render_request

IDLE_S = 4.0
"""vLLM's and llama.cpp's servers close an idle connection after 5.0 s; ours goes before that."""
MAX_IDLE = 512
_AS_IT_IS = (b"accept-encoding", b"identity")
"""Without it an engine's front end may encode its answers (RFC 9110, 12.5.3)."""
_VERSION = re.compile(r"v\d+(?:(?:alpha|beta)\d*)?")


@dataclass(slots=True)
class UpstreamRequest:
    """One request to an engine. `path` begins with a slash; `headers` come on top of host, length and credentials.

    A body is JSON unless its headers name another content-type.
    """

    path: str
    body: bytes = b""
    method: bytes = b"POST"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


class ConnectionPool:
    """Kept-alive connections to one origin. `credentials` are headers sent with every request."""

    def __init__(self, origin: str, *, connect_s: float, credentials: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        parts = urlsplit(origin)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._authority = parts.netloc.encode("idna" if not parts.netloc.isascii() else "ascii")
        self._root, self._api = _bases(parts.path.rstrip("/"))
        self._credentials = credentials
        self._connect_s = connect_s
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._reaper: asyncio.TimerHandle | None = None
        self._closed = False
        self.loop = asyncio.get_running_loop()
        self._heads = Deadlines(self.loop)

    @property
    def open_connections(self) -> int:
        """How many connections there are, idle and busy."""
        return len(self._idle) + len(self._busy)

    @property
    def busy_connections(self) -> int:
        """How many of them carry a call."""
        return len(self._busy)

    async def send(
        self, request: UpstreamRequest, *, first_byte_s: float, fresh: bool = False, keep: bool = True
    ) -> Exchange:
        """Sends `request` and waits for the answer's head. Raises UpstreamError.

        `fresh` asks for a new connection: the way to repeat a request that met a stale one. One that is not to be kept is closed
        after the answer.
        """
        raw = render_request(
            request.method,
            self._target(request.path),
            self._authority,
            (_AS_IT_IS, *self._credentials, *_content_type(request), *request.headers),
            request.body,
        )
        connection = (None if fresh else self._pop_idle()) or await self._connect()
        exchange, head = connection.begin(raw, keep=keep)
        self._busy.add(connection)
        self._heads.add(head, first_byte_s, lambda: _late(first_byte_s))
        try:
            await head
        except BaseException:
            exchange.close()
            raise
        finally:
            self._heads.discard(head)
        return exchange

    def _target(self, path: str) -> bytes:
        """Where a path lies below the origin's own."""
        return (self._api + path.removeprefix("/v1") if path.startswith("/v1/") else self._root + path).encode()

    def take_back(self, connection: Connection) -> None:
        """A connection whose exchange is over, to be used again."""
        self._busy.discard(connection)
        if self._closed or len(self._idle) >= MAX_IDLE or not connection.usable:
            connection.abort()
            return
        connection.idle_since = self.loop.time()
        self._idle.append(connection)
        if self._reaper is None:
            self._reaper = self.loop.call_later(IDLE_S, self._reap)

    def forget(self, connection: Connection) -> None:
        """A connection that is gone or going."""
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def fail_busy(self, error: GatewayError) -> None:
        """Every exchange under way ends with `error`; their connections are cut, so that the engine stops."""
        for connection in list(self._busy):
            connection.fail(error)

    def close(self) -> None:
        """Closes the idle connections; busy ones go when their exchange ends."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None
        for connection in list(self._idle):
            connection.abort()

    def _pop_idle(self) -> Connection | None:
        oldest = self.loop.time() - IDLE_S
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since > oldest and not connection.has_ended():
                return connection
            connection.abort()
        return None

    def _reap(self) -> None:
        oldest = self.loop.time() - IDLE_S + 0.05
        self._reaper = None
        for connection in [each for each in self._idle if each.idle_since <= oldest]:
            connection.abort()
        if self._idle:
            self._reaper = self.loop.call_later(max(0.1, self._idle[0].idle_since - oldest), self._reap)

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._connect_s):
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self),
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
            raise ConnectFailed(
                f"The engine is not reachable ({_reason(error)}). It may be starting, or BACKEND_URL may be wrong.",
                f"エンジンに接続できません（{_reason(error)}）。起動中か、BACKEND_URLが誤っている可能性があります。",
            ) from None
        return connection


def _bases(path: str) -> tuple[str, str]:
    """The roots of an engine's own paths and of its OpenAI API: a URL that ends with a version (/v3) names the latter."""
    root, _, last = path.rpartition("/")
    return (root, path) if _VERSION.fullmatch(last) else (path, f"{path}/v1")


def _late(limit_s: float) -> UpstreamTimeout:
    return UpstreamTimeout(
        f"The engine sent nothing for {limit_s:g} s (timeouts.first_byte_s).",
        f"エンジンが{limit_s:g}秒間応答しませんでした（timeouts.first_byte_s）。",
    )


def _reason(error: OSError) -> str:
    """The system's word for it, without the address: that is the operator's business."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (error.strerror or type(error).__name__).split(":")[0].lower()[:80]


def _content_type(request: UpstreamRequest) -> Headers:
    """vLLM takes no body without one."""
    named = not request.body or header(request.headers, b"content-type") is not None
    return [] if named else [(b"content-type", b"application/json")]
