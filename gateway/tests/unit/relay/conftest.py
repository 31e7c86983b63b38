"""One scripted engine, or two."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.fake_engine import FakeEngine, running_engine


@pytest.fixture
async def one() -> AsyncIterator[FakeEngine]:
    async with running_engine() as engine:
        yield engine


@pytest.fixture
async def two() -> AsyncIterator[FakeEngine]:
    async with running_engine() as engine:
        yield engine
