"""Real engines, one of each kind for the whole session, and a gateway in front of each.

llama.cpp runs everywhere. vLLM and tritonserver are installed by scripts/engines and are left to `make test-slow`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from tests.engines.launch import MODEL, EngineProcess, running_llamacpp, running_triton, running_vllm
from tests.engines.shared import installed
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.scene import settings
from tests.support.waiting import LAST_RESORT_S

LLAMACPP = pytest.param("llamacpp", id="llamacpp")
VLLM = pytest.param("vllm", id="vllm", marks=[pytest.mark.slow, pytest.mark.vllm])


@pytest.fixture(scope="session", params=[LLAMACPP, VLLM])
def engine(request: pytest.FixtureRequest) -> EngineProcess:
    """Each real engine in turn. Tests leave it as they found it: idle."""
    process: EngineProcess = request.getfixturevalue(f"shared_{request.param}")
    return process


@pytest.fixture(scope="session")
async def gateway(engine: EngineProcess) -> AsyncIterator[RunningGateway]:
    """A gateway in front of `engine`, as the environment alone sets it up."""
    async with running_gateway(engine.env) as running:
        await running.ready()
        yield running


@pytest.fixture(scope="module")
async def two_ways(engine: EngineProcess) -> AsyncIterator[RunningGateway]:
    """A gateway that reaches `engine` by its own adapter, and as `plain` by the one for any, which makes responses of chats."""
    plain = {"backend": "openai", "options": {"responses": "chat"}}
    config = settings(engine.url, backend=engine.backend, model=MODEL, others={"plain": plain})
    async with running_gateway(config=config) as running:
        await running.ready()
        yield running


@pytest.fixture
async def client(gateway: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    """The `openai` package, with the key of the module's `gateway`."""
    base = f"{gateway.url}/v1"
    async with AsyncOpenAI(base_url=base, api_key=gateway.key, max_retries=0, timeout=LAST_RESORT_S) as sdk:
        yield sdk


@pytest.fixture
def own_llamacpp(tmp_path: Path) -> Iterator[EngineProcess]:
    """A llama.cpp that this test may kill."""
    with running_llamacpp(tmp_path) as process:
        yield process


@pytest.fixture
def own_vllm(tmp_path: Path) -> Iterator[EngineProcess]:
    """A vLLM that this test may kill."""
    installed("vllm")
    with running_vllm(tmp_path) as process:
        yield process


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """A real tritonserver with the stand-in for TensorRT-LLM's ensemble."""
    installed("triton")
    with running_triton(tmp_path_factory.mktemp("triton")) as process:
        yield process
