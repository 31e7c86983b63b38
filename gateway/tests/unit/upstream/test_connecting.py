"""How a connection comes about: a name is asked for once for many calls, each address in its turn, and what fails says why."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from hayate.upstream import connecting
from hayate.upstream.connection_pool import ConnectionPool
from hayate.upstream_errors import ConnectFailed
from tests.support.engine_script import answer
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import eventually
from tests.unit.upstream.fetching import fetched, opened

pytestmark = pytest.mark.anyio

NAME = "engine.example"


class Names:
    """What answers for the system."""

    def __init__(self, addresses: list[str] | OSError) -> None:
        self.asked = 0
        self.addresses = addresses
        self.gate = asyncio.Event()
        self.gate.set()

    async def getaddrinfo(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        assert host == NAME
        self.asked += 1
        await self.gate.wait()
        if isinstance(self.addresses, OSError):
            raise self.addresses
        stream, tcp = socket.SOCK_STREAM, socket.IPPROTO_TCP
        return [
            (socket.AF_INET6, stream, tcp, "", (each, port, 0, 0))
            if ":" in each
            else (socket.AF_INET, stream, tcp, "", (each, port))
            for each in self.addresses
        ]


def named(engine: FakeEngine, names: Names) -> ConnectionPool:
    pool = ConnectionPool(f"http://{NAME}:{engine.port}", connect_s=5.0)
    loop = pool.loop

    class Loop:
        getaddrinfo = staticmethod(names.getaddrinfo)

        def __getattr__(self, name: str) -> Any:
            return getattr(loop, name)

    pool._connector._loop = Loop()  # type: ignore[assignment]
    return pool


async def test_calls_that_begin_at_once_ask_for_the_name_once(engine: FakeEngine) -> None:
    engine.script = [0.05, *answer({})]
    names = Names(["127.0.0.1"])
    names.gate.clear()
    pool = named(engine, names)
    calls = [asyncio.create_task(fetched(pool)) for _ in range(10)]
    await eventually(lambda: names.asked)
    calls[0].cancel()
    names.gate.set()
    await asyncio.gather(*calls, return_exceptions=True)
    assert (names.asked, engine.accepted) == (1, 9)
    pool.close()


async def test_a_name_is_asked_for_again_when_its_answer_is_old(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "SAME_NAME_S", 0.05)
    names = Names(["127.0.0.1"])
    pool = named(engine, names)
    await fetched(pool)
    await eventually(lambda: pool._connector._found is None)
    await fetched(pool, fresh=True)
    assert names.asked == 2
    pool.close()


async def test_a_name_that_is_not_known_is_asked_for_by_each_call(engine: FakeEngine) -> None:
    names = Names(socket.gaierror(socket.EAI_NONAME, "no such name"))
    pool = named(engine, names)
    failures = []
    for _ in range(2):
        with pytest.raises(ConnectFailed, match="name is not known") as failed:
            await fetched(pool)
        failures.append(failed.value)
    assert names.asked == 2
    names.addresses = ["127.0.0.1"]
    assert await fetched(pool) == b'{"n": 1}'
    pool.close()


async def test_an_address_that_refuses_is_followed_by_the_next(engine: FakeEngine) -> None:
    pool = named(engine, Names(["127.0.0.2", "127.0.0.1"]))
    for _ in range(4):
        assert await fetched(pool, fresh=True) == b'{"n": 1}'
    pool.close()


async def test_addresses_of_the_first_ones_family_take_turns() -> None:
    pool = ConnectionPool(f"http://{NAME}", connect_s=5.0)
    connector = pool._connector
    connector._found = ["10.0.0.1", "10.0.0.2", "::1"]
    seen = [await connector._addresses() for _ in range(3)]
    assert seen == [["10.0.0.1", "10.0.0.2", "::1"], ["10.0.0.2", "10.0.0.1", "::1"], ["10.0.0.1", "10.0.0.2", "::1"]]
    pool.close()


async def test_an_address_of_one_link_keeps_its_interface() -> None:
    assert connecting._address(("fe80::1", 80, 0, 3)) == "fe80::1%3"
    assert connecting._address(("::1", 80, 0, 0)) == "::1"
    assert connecting._address(("127.0.0.1", 80)) == "127.0.0.1"


async def test_a_silent_host_is_asked_for_a_sign_of_life(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "LATER_S", 0.0)
    monkeypatch.setattr(connecting, "AT_ONCE", 2)
    engine.script = [0.05, *answer({})]
    pool = ConnectionPool(engine.url, connect_s=5.0)
    exchanges = await asyncio.gather(*(opened(pool) for _ in range(5)))
    await eventually(lambda: not pool._connector._new)
    for each in pool._idle:
        assert each._transport is not None
        sock = each._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
    assert len(pool._idle) == 5
    for exchange in exchanges:
        exchange.close()
    pool.close()
