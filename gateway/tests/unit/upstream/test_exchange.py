"""An exchange gives its receiver all of the answer, from the first byte to its end, and nothing once it is closed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hayate.errors import GatewayError
from hayate.upstream.connection_pool import ConnectionPool
from hayate.upstream_errors import UpstreamBroke
from tests.support.engine_script import body, cut, end, head
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import eventually
from tests.unit.upstream.fetching import opened

pytestmark = pytest.mark.anyio


class Kept:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.data = b""
        self.endings: list[Any] = []

    def body_received(self, data: bytes) -> None:
        self.data += data

    def body_ended(self) -> None:
        self.endings.append("ended")

    def body_failed(self, error: GatewayError) -> None:
        self.endings.append(error)


async def test_what_arrived_before_there_was_a_receiver_is_not_lost(engine: FakeEngine, pool: ConnectionPool) -> None:
    engine.script = [head(), body(b"early"), 0.1, body(b" late"), end]
    exchange, kept = await opened(pool), Kept()
    await asyncio.sleep(0.05)
    exchange.stream_to(kept)
    assert kept.data == b"early"
    await eventually(lambda: kept.endings)
    assert (kept.data, kept.endings) == (b"early late", ["ended"])


async def test_an_answer_that_was_over_before_there_was_a_receiver_is_told_so(
    engine: FakeEngine, pool: ConnectionPool
) -> None:
    for last, ending in ((end, str), (cut, UpstreamBroke)):
        engine.script = [head(), body(b"all"), last]
        exchange, kept = await opened(pool), Kept()
        await asyncio.sleep(0.1)
        exchange.stream_to(kept)
        assert kept.data == b"all"
        assert isinstance(kept.endings[0], ending)
        exchange.close()


async def test_a_paused_exchange_receives_nothing_until_it_is_resumed(engine: FakeEngine, pool: ConnectionPool) -> None:
    engine.script = [head(), *[step for _ in range(20) for step in (body(b"x" * 1000), 0.005)], end]
    exchange, kept = await opened(pool), Kept()
    exchange.stream_to(kept)
    exchange.pause()
    size = len(kept.data)
    await asyncio.sleep(0.2)
    assert len(kept.data) == size
    exchange.resume()
    await eventually(lambda: kept.endings)
    assert len(kept.data) == 20_000


async def test_a_closed_exchange_tells_no_more(engine: FakeEngine, pool: ConnectionPool) -> None:
    engine.script = [head(), *[step for _ in range(20) for step in (body(b"x"), 0.01)], end]
    exchange, kept = await opened(pool), Kept()
    exchange.stream_to(kept)
    exchange.close()
    exchange.close()
    size = len(kept.data)
    await asyncio.sleep(0.05)
    assert (len(kept.data), kept.endings) == (size, [])
