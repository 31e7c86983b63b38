"""A client through ASGI, and the clock that pings it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from hayate.relay.ticker import Ticker
from tests.unit.downstream.channel import Channel


@pytest.fixture
async def ticker() -> AsyncIterator[Ticker]:
    made = Ticker(0.02)
    yield made
    made.close()


@pytest.fixture
def channel(ticker: Ticker) -> Callable[..., Channel]:
    return lambda record=None, **headers: Channel(ticker, record, **headers)
