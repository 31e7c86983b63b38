"""Which engine a deployment gets, and what the log says of it."""

from __future__ import annotations

import pytest

from hayate.fleet.deployment import Deployment
from hayate.serve.engines import make_engine
from hayate.settings import Probing
from tests.unit.fleet.made import spec

pytestmark = pytest.mark.anyio


async def test_an_engine_that_is_not_the_gateways_to_load_is_none_of_its() -> None:
    assert make_engine(Deployment(spec(), Probing())) is None
