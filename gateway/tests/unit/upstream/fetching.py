"""One request to an engine, for tests of what carries it."""

from __future__ import annotations

import contextlib

from hayate.upstream.connection_pool import ConnectionPool
from hayate.upstream.exchange import Exchange
from hayate.wire.upstream_request import UpstreamRequest

ASKED = UpstreamRequest("/v1/x", b'{"stream":false}')


async def fetched(pool: ConnectionPool, *, first_byte_s: float = 5, fresh: bool = False) -> bytes:
    with contextlib.closing(await pool.send(ASKED, first_byte_s=first_byte_s, fresh=fresh)) as exchange:
        return await exchange.read()


async def opened(pool: ConnectionPool) -> Exchange:
    return await pool.send(ASKED, first_byte_s=5)
