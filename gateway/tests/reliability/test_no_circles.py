"""RELIABILITY: what has served a connection or a call is freed the moment that is over, however it ended: nothing of it waits for a
collector, which would stop every stream to find it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from tests.support.engine_script import Chat
from tests.support.every_kind import KINDS, PATIENT, Kind
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.garbage import KEEPING_CIRCLES, circles, sockets
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.scene import Stage, settings
from tests.support.waiting import NEVER_S, eventually

pytestmark = pytest.mark.anyio

SHORT = {"first_byte_s": 1.0, "silence_s": 1.0, "whole_s": 1.0}
SERVER = {"keep_alive_s": 1, "header_timeout_s": 0.3, "body_timeout_s": 0.3, "client_stall_s": 0.3}
UNWATCHED = {"eject_after": 1_000_000, "probe_interval_s": NEVER_S}
"""The only connections are those that a test makes."""


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[Stage, int]]:
    """A gateway of which nothing has been asked yet, and how many sockets it has then."""
    async with running_engine() as engine:
        patient: dict[str, dict[str, Any]] = {PATIENT: {"timeouts": {}}}
        config = settings(engine.url, server=SERVER, timeouts=SHORT, health=UNWATCHED, others=patient)
        async with running_gateway(config=config, through=KEEPING_CIRCLES) as gateway:
            await gateway.ready()
            await over(gateway, engine, None)
            await circles(gateway)
            yield Stage(engine, gateway), sockets(gateway)


async def over(gateway: RunningGateway, engine: FakeEngine, sockets_before: int | None) -> None:
    """Until nothing is under way, and no connection is left."""
    await eventually(lambda: engine.open == 0)
    engine.drop_connections()
    await eventually(lambda: engine.connections == 0)
    if sockets_before is None:
        await asyncio.sleep(0.2)
    else:
        await eventually(lambda: sockets(gateway) <= sockets_before)


async def left_behind(kinds: dict[str, Kind], times: int, at_once: int) -> dict[str, dict[str, int]]:
    """What each kind of call leaves in circles, where it leaves anything."""
    found = {}
    async with watched() as (stage, before):
        for name, kind in kinds.items():
            for _ in range(0, times, at_once):
                stage.engine.then()
                with suppress(
                    asyncio.IncompleteReadError, ConnectionError
                ):  # an engine that broke off may cost its client the answer
                    await asyncio.gather(*(kind(stage) for _ in range(at_once)))
            stage.engine._next.clear()
            stage.engine.script = Chat()
            await over(stage.gateway, stage.engine, before)
            if circled := await circles(stage.gateway):
                found[name] = circled
    return found


async def test_nothing_of_a_call_or_a_connection_waits_for_a_collector() -> None:
    assert await left_behind(KINDS, times=2, at_once=1) == {}


@pytest.mark.slow
async def test_nor_of_thousands() -> None:
    assert await left_behind(KINDS, times=48, at_once=8) == {}
