"""A connection that the engine has closed: seen before a request is written, or told from one that may have been read."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from hayate.upstream.connection_pool import ConnectionPool
from hayate.upstream_errors import StaleConnection, UpstreamBroke
from tests.support.waiting import LAST_RESORT_S
from tests.unit.upstream.fetching import fetched

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("death", ["fin", "rst"])
async def test_a_kept_connection_that_the_engine_just_closed_is_seen_before_anything_is_sent(death: str) -> None:
    """The end has arrived, and the event loop has not run since."""
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        pool = ConnectionPool(f"http://127.0.0.1:{listening.getsockname()[1]}", connect_s=5)
        loop = asyncio.get_running_loop()

        async def serve() -> None:
            peer, _ = await loop.sock_accept(listening)
            accepted.append(peer)
            await loop.sock_recv(peer, 65536)
            await loop.sock_sendall(peer, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

        for _ in range(3):
            serving = asyncio.create_task(serve())
            assert await fetched(pool) == b"{}"
            await serving
            if death == "rst":
                accepted[-1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted[-1].close()
        pool.close()
    assert len(accepted) == 3


@pytest.mark.parametrize("read", [False, True], ids=["unread", "read"])
@pytest.mark.parametrize("death", ["fin", "rst"])
async def test_a_request_that_crosses_the_engines_end_is_safe_if_the_engine_took_nothing(
    death: str, read: bool
) -> None:
    """Only an orderly end tells: it acknowledges what came before it."""
    loop = asyncio.get_running_loop()
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        pool = ConnectionPool(f"http://127.0.0.1:{listening.getsockname()[1]}", connect_s=5)
        first = asyncio.create_task(fetched(pool))
        peer, _ = await loop.sock_accept(listening)
        await loop.sock_recv(peer, 65536)
        await loop.sock_sendall(peer, answer)
        assert await first == b"{}"
        [connection] = pool._idle
        if death == "rst":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if read:
            _, head = connection.begin(b"GET / HTTP/1.1\r\n\r\n")
            await loop.sock_recv(peer, 65536)
            peer.close()
        else:
            peer.close()  # and the request is written before anybody has looked
            _, head = connection.begin(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(StaleConnection if death == "fin" and not read else UpstreamBroke):
            await asyncio.wait_for(head, LAST_RESORT_S)
        pool.close()
