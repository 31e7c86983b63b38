"""How a connection to an engine comes about: its name becomes addresses, one of them answers, and the operator is told why
none did.

Many calls may begin at once: those that need the same name wait for one answer, and what nobody waits for, the signs of
life of a silent host, is asked for later.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import socket
import ssl
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import SplitResult

from hayate.language import Text, reason_of
from hayate.reasons import Reason
from hayate.upstream.connection import Connection
from hayate.upstream_errors import ConnectFailed, ConnectTimedOut

SAME_NAME_S: Final = 1.0
"""How long a name's addresses are taken for what they were."""
LATER_S: Final = 1.0
AT_ONCE: Final = 32
"""How many connections are seen to in a turn of the event loop."""
_SIGNS = [(name, value) for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))]
_SIGNS_OF_LIFE: Final = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *((socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in _SIGNS if hasattr(socket, name)),
]
"""A host that has vanished says nothing: the system asks for a sign of life while nothing comes, 30 s after it last did. That
ends a wait which has no limit of its own after about a minute. Not every system has all of them.
"""


class Connector:
    """Opens connections to one origin, each within `connect_s`."""

    def __init__(self, origin: SplitResult, connect_s: float, loop: asyncio.AbstractEventLoop) -> None:
        self.connect_s = connect_s
        self._host = origin.hostname or ""
        self._port = origin.port or (443 if origin.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if origin.scheme == "https" else None
        self._loop = loop
        self._is_address = _is_address(self._host)
        self._found: list[str] | None = None
        """The addresses of its name, as long as they are taken for known."""
        self._looking: asyncio.Task[None] | None = None
        self._waiting: list[asyncio.Future[list[str] | OSError]] = []
        self._turn = itertools.count()
        self._new: list[Connection] = []

    async def open(self, connection: Connection) -> None:
        """Returns when it is open. Raises ConnectFailed, ConnectTimedOut."""
        try:
            async with asyncio.timeout(self.connect_s):
                await self._open(connection)
        except TimeoutError:
            raise ConnectTimedOut(
                f"No connection to the engine within {self.connect_s:g} s.",
                f"{self.connect_s:g}秒以内にエンジンへ接続できませんでした。",
            ) from None
        except OSError as error:
            raise _unreachable(error) from None
        if not self._new:
            self._loop.call_later(LATER_S, self._ask_for_life)
        self._new.append(connection)

    async def _open(self, connection: Connection) -> None:
        addresses = (self._host,) if self._is_address else await self._addresses()
        for address in addresses[:-1]:
            with contextlib.suppress(OSError):
                await self._open_at(address, connection)
                return
        await self._open_at(addresses[-1], connection)

    async def _open_at(self, address: str, connection: Connection) -> None:
        tls = self._tls
        await self._loop.create_connection(
            lambda: connection,
            address,
            self._port,
            ssl=tls,
            server_hostname=self._host if tls else None,
            ssl_handshake_timeout=self.connect_s if tls else None,
        )

    async def _addresses(self) -> Sequence[str]:
        """In the system's order; but those of the first one's family take turns at the front. Raises OSError."""
        found: list[str] | OSError | None = self._found
        if found is None:
            if self._looking is None:
                self._looking = self._loop.create_task(self._look_up())
            waiter = self._loop.create_future()
            self._waiting.append(waiter)
            found = await waiter
        if isinstance(found, OSError):
            raise type(found)(
                *found.args
            )  # each call has an error of its own: an error holds what it has passed through
        same = len([each for each in found if (":" in each) == (":" in found[0])])
        first = next(self._turn) % same
        return [*found[first:same], *found[:first], *found[same:]]

    async def _look_up(self) -> None:
        """Tells all that wait. What was found is remembered; a failure is not."""
        found: list[str] | OSError
        try:
            infos = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            addresses = dict.fromkeys(_address(info[4]) for info in infos)
            first = next(iter(addresses))
            self._found = found = sorted(addresses, key=lambda each: (":" in each) != (":" in first))
            self._loop.call_later(SAME_NAME_S, self._forget_addresses)
        except OSError as error:
            found = error.with_traceback(None)
        self._looking = None
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(found)

    def _forget_addresses(self) -> None:
        self._found = None

    def _ask_for_life(self) -> None:
        some, self._new = self._new[:AT_ONCE], self._new[AT_ONCE:]
        for connection in some:
            connection.ask_for(_SIGNS_OF_LIFE)
        if self._new:
            self._loop.call_soon(self._ask_for_life)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _address(found: tuple[Any, ...]) -> str:
    """Of what `getaddrinfo` found: with the interface that an address of one link needs (RFC 4007)."""
    return f"{found[0]}%{found[3]}" if len(found) > 3 and found[3] else str(found[0])


def _unreachable(error: OSError) -> ConnectFailed:
    failed = ConnectFailed(
        f"The engine is not reachable ({_word(error).en}). It may be starting, or BACKEND_URL may be wrong.",
        f"エンジンに接続できません（{_word(error).ja}）。起動中か、BACKEND_URLが誤っている可能性があります。",
    )
    failed.reason = _reason(error)
    return failed


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
