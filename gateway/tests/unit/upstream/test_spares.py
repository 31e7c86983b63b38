"""Connections that are open before a call needs them: as many as calls had at once, and none that an engine does not want."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from hayate.upstream import connection, connection_pool, spares
from hayate.upstream.connection_pool import ConnectionPool
from tests.support.engine_script import Script, answer, body, cut, end, head, until
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import NEVER_S, eventually
from tests.unit.upstream.fetching import fetched

pytestmark = pytest.mark.anyio

HERD = 20
STREAMED: Script = [head(), body(b"{}"), end]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is idle goes at once."""
    monkeypatch.setattr(connection_pool, "IDLE_S", 0.2)
    monkeypatch.setattr(connection, "IDLE_S", 0.2)
    monkeypatch.setattr(spares, "LOOK_S", 0.05)
    monkeypatch.setattr(connection_pool, "LOOK_S", 0.05)


Make = Callable[..., ConnectionPool]


@pytest.fixture
async def make(engine: FakeEngine) -> AsyncIterator[Make]:
    pools: list[ConnectionPool] = []

    def made(spare_s: float = NEVER_S, usable: Callable[[], bool] = lambda: True) -> ConnectionPool:
        pools.append(ConnectionPool(engine.url, connect_s=5.0, ahead_s=spare_s, usable=usable))
        return pools[-1]

    yield made
    for pool in pools:
        pool.close()
    await eventually(lambda: engine.connections == 0)
    assert not any(pool.open_connections for pool in pools)


@asynccontextmanager
async def herd(engine: FakeEngine, pool: ConnectionPool, script: Script | None = None) -> AsyncIterator[None]:
    """Calls that are all under way within, and have their answers after it."""
    answered = asyncio.Event()
    engine.script = [until(answered), *(script or answer({"n": 1}))]
    calls = [asyncio.create_task(fetched(pool, first_byte_s=NEVER_S)) for _ in range(HERD)]
    await eventually(lambda: engine.open == HERD)
    yield
    answered.set()
    await asyncio.gather(*calls)


async def come_and_gone(engine: FakeEngine, pool: ConnectionPool) -> None:
    """A herd, after which no connection is kept."""
    async with herd(engine, pool):
        pass
    await eventually(lambda: pool.open_connections == 0)


async def after_a_herd(engine: FakeEngine, pool: ConnectionPool, script: Script | None = None) -> None:
    """Until the herd's connections are gone, and replaced."""
    async with herd(engine, pool, script):
        pass
    await eventually(lambda: pool.spare_connections == HERD)
    assert engine.accepted == 2 * HERD
    assert pool.open_connections == HERD


@pytest.mark.parametrize("script", [None, STREAMED], ids=["whole", "streams"])
async def test_the_next_herd_finds_its_connections_open(engine: FakeEngine, make: Make, script: Script | None) -> None:
    pool = make()
    await after_a_herd(engine, pool, script)
    async with herd(engine, pool, script):
        assert engine.accepted == 2 * HERD
    assert pool.spare_connections == 0
    await eventually(lambda: pool.spare_connections == HERD)
    assert pool.open_connections == HERD


async def test_they_are_opened_one_after_another_with_time_for_tokens_in_between(
    engine: FakeEngine, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spares, "PAUSE_S", 0.02)
    pool = make()
    under_way = most = 0
    began: list[float] = []
    connect = pool.connect

    async def counted() -> connection.Connection:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        began.append(time.monotonic())
        try:
            return await connect()
        finally:
            under_way -= 1

    async with herd(engine, pool):
        pool.connect = counted  # type: ignore[method-assign]
    await eventually(lambda: pool.spare_connections == HERD)
    assert most == 1
    assert min(after - before for before, after in pairwise(began)) >= 0.9 * spares.PAUSE_S  # of two clocks


async def test_they_go_when_nobody_has_needed_them_for_long_enough(engine: FakeEngine, make: Make) -> None:
    pool = make(spare_s=3.0)
    async with herd(engine, pool):
        pass
    await eventually(lambda: pool.spare_connections > 0)
    await eventually(lambda: pool.open_connections == 0)


async def test_without_them_nothing_is_opened_that_nobody_asks_for(engine: FakeEngine, make: Make) -> None:
    pool = make(spare_s=0)
    await come_and_gone(engine, pool)
    assert engine.accepted <= HERD


async def test_an_engine_that_closes_one_is_left_alone(engine: FakeEngine, make: Make) -> None:
    pool = make()
    await after_a_herd(engine, pool)
    engine.drop_connections()
    await eventually(lambda: pool.open_connections == 0)
    await come_and_gone(engine, pool)
    assert engine.accepted == 3 * HERD


async def test_an_engine_that_takes_none_is_asked_once(engine: FakeEngine, make: Make) -> None:
    pool = make()
    tries = 0
    connect = pool.connect

    async def counted() -> connection.Connection:
        nonlocal tries
        tries += 1
        return await connect()

    async with herd(engine, pool):
        pool.connect = counted  # type: ignore[method-assign]
        await engine.refuse()
    await eventually(lambda: pool.open_connections == 0)
    assert tries == 1


async def test_an_engine_that_accepts_and_closes_is_not_asked_again_and_again(engine: FakeEngine, make: Make) -> None:
    pool = make()
    async with herd(engine, pool):
        engine.on_connect = [cut]
    await eventually(lambda: pool.open_connections == 0)
    assert engine.accepted < 2 * HERD


async def test_what_is_not_usable_gets_none_and_keeps_none(engine: FakeEngine, make: Make) -> None:
    usable = True
    pool = make(usable=lambda: usable)
    await after_a_herd(engine, pool)
    usable = False
    await eventually(lambda: pool.open_connections == 0)
    assert engine.accepted == 2 * HERD


async def test_what_is_shed_is_closed_and_stays_so_until_it_is_renewed(engine: FakeEngine, make: Make) -> None:
    pool = make()
    await after_a_herd(engine, pool)
    pool.shed()
    await eventually(lambda: engine.connections == 0)
    await come_and_gone(engine, pool)
    pool.renew()
    async with herd(engine, pool):
        pass
    await eventually(lambda: pool.spare_connections == HERD)


async def test_a_call_on_one_that_the_engine_has_just_closed_is_sent_on_another(engine: FakeEngine, make: Make) -> None:
    pool = make()
    await after_a_herd(engine, pool)
    for each in engine._live:  # the system knows of its end, and the event loop does not yet
        with socket.socket(fileno=os.dup(each._transport.get_extra_info("socket").fileno())) as sock:
            sock.shutdown(socket.SHUT_WR)
    assert await fetched(pool) == b'{"n": 1}'


async def test_what_is_set_anew_holds_at_once(engine: FakeEngine, make: Make) -> None:
    pool = make()
    await after_a_herd(engine, pool)
    pool.configure(connect_s=1.0, ahead_s=0.0)
    await eventually(lambda: pool.open_connections == 0)
