"""A scripted engine, and connections to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hayate.upstream.connection_pool import ConnectionPool
from tests.support.engine_script import answer
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.waiting import eventually


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with running_engine(answer({"n": 1})) as running:
        yield running


@pytest.fixture
async def pool(engine: FakeEngine) -> AsyncIterator[ConnectionPool]:
    made = ConnectionPool(engine.url, connect_s=2.0, credentials=((b"authorization", b"Bearer of-the-engine"),))
    yield made
    made.close()
    await eventually(lambda: made.open_connections == 0)
