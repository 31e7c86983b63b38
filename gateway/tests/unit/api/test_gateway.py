"""What the endpoints share: one set of estimates for limits and for the queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.relay.ticker import Ticker
from hayate.settings import Keeping
from hayate.store.store import Store
from tests.unit.api.bare import bare_gateway

pytestmark = pytest.mark.anyio


async def test_limits_go_by_the_same_estimates_as_the_queue(tmp_path: Path) -> None:
    store = Store.open(tmp_path, Keeping())
    gateway = bare_gateway(Ticker(), store)
    assert gateway.grants.estimates is gateway.relay.estimates
    store.close()
