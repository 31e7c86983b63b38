"""Each engine in turn, a gateway in front of it that the environment alone set up, and the `openai` SDK as its client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import openai
import pytest

from tests.contract.engines import Engine, applies, parameters, running_engine
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.waiting import LAST_RESORT_S


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what a test is not about: `needs` and `when` say which engines, and which parameters, it is for."""
    applying: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        (dropped if isinstance(item, pytest.Function) and not applies(item) else applying).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = applying


@pytest.fixture(scope="session", params=parameters())
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Tests leave it as they found it: idle."""
    folder = tmp_path_factory.mktemp(request.param)
    with running_engine(request.param, folder, request.getfixturevalue) as running:
        yield running


@pytest.fixture(scope="session")
async def gateway(engine: Engine) -> AsyncIterator[RunningGateway]:
    async with running_gateway(engine.env) as running:
        await running.ready()
        yield running


@pytest.fixture(scope="session")
async def client(gateway: RunningGateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        api_key=gateway.key, base_url=f"{gateway.url}/v1", max_retries=0, timeout=LAST_RESORT_S
    ) as sdk:
        yield sdk
