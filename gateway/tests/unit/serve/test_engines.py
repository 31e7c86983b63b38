"""Which engine a deployment gets, and what the log says of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hayate.backends.registry import Wanted, make_backend
from hayate.engines.base import Engine
from hayate.engines.ports import Ports
from hayate.engines.process import ProcessEngine
from hayate.fleet.deployment import Deployment
from hayate.fleet.remote_engine import RemoteEngine
from hayate.serve.engines import make_engine
from hayate.settings import Probing, Run
from tests.unit.fleet.made import spec

pytestmark = pytest.mark.anyio


async def test_what_a_deployment_says_decides_what_loads_it(tmp_path: Path) -> None:
    def made(**fields: Any) -> Engine | None:
        vllm = make_backend(Wanted("vllm", None, None, {}))
        return partial(make_engine, Ports(), tmp_path, {})(Deployment(spec(backend=vllm, **fields), Probing()))

    assert made() is None
    assert isinstance(made(memory=1, gpu=("gpu0",)), RemoteEngine)
    assert isinstance(made(run=Run(command=("serve", "{port}"))), ProcessEngine)
