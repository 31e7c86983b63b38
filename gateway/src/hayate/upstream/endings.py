"""How a connection ends before its time: what the system knows of it when asked, and in what words it is told.

A request may be sent again only if the engine has not seen it, and that an engine closes a kept connection while a
request is on its way is common: servers close what is idle. So the system is asked twice: before a request is written,
whether the other end has been closed; and after a connection was lost, whether any byte of the request had arrived.
"""

from __future__ import annotations

import asyncio
import select
import socket
import sys
from collections.abc import Callable

from hayate.upstream_errors import StaleConnection, UpstreamBroke

Poll = Callable[[int], list[tuple[int, int]]]
"""Asks the system, within so many milliseconds, whether there is something to read; the end is something."""

_CAN_POLL = hasattr(select, "poll")
_TELLS_ACKNOWLEDGED = sys.platform == "linux"
_ACKNOWLEDGED = slice(120, 128)
"""Where `tcpi_bytes_acked` stands in Linux's tcp_info (linux/tcp.h), since 4.1."""


def poll_of(transport: asyncio.Transport | None) -> Poll | None:
    """What asks whether an idle connection has ended or has something to say; None where the system has no such question."""
    if transport is None or not _CAN_POLL:
        return None
    polled = select.poll()
    polled.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return polled.poll


def was_unseen(transport: asyncio.Transport | None, error: Exception | None, sent_before: int) -> bool:
    """Whether the engine's system had closed the connection before any byte of the request came: their ways crossed.

    `sent_before` is how many bytes had been written to it before the request. An orderly end acknowledges whatever came
    before it; a reset (`ConnectionResetError`) does not, and tells nothing.
    """
    if transport is None or isinstance(error, ConnectionResetError) or not _TELLS_ACKNOWLEDGED:
        return False
    if transport.get_extra_info("ssl_object") is not None:  # what is counted is not what is sent
        return False
    info = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.stop)
    if len(info) < _ACKNOWLEDGED.stop:
        return False
    acknowledged = int.from_bytes(info[_ACKNOWLEDGED], sys.byteorder) - 1  # the first is the connection's own
    return acknowledged <= sent_before


def gone_stale() -> StaleConnection:
    """The connection was closed before the engine took anything of the request: it may be sent on another one."""
    return StaleConnection("The engine closed an idle connection.", "エンジンが待機中の接続を閉じました。")


def broken_off() -> UpstreamBroke:
    """The connection closed under a request that the engine may have begun to work on."""
    return UpstreamBroke(
        "The engine closed the connection before its answer was complete. Ask again.",
        "エンジンが回答の途中で接続を閉じました。もう一度お試しください。",
    )
