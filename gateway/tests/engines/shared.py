"""The real engines every test may use and none may kill: one of each for the whole session, started when first wanted.

A plugin (see tests/conftest.py), because the contract suite and the engine tests in their own folders share them: vLLM takes
half a minute to start.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.launch import ENGINES, EngineProcess, running_llamacpp, running_vllm


def installed(name: str) -> None:
    """Skips the test when scripts/engines has not installed `name`."""
    if not (ENGINES / name / ".stamp").exists():
        pytest.skip(f"{name} is not installed: run gateway/scripts/engines {name}")


@pytest.fixture(scope="session")
def shared_llamacpp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """Tests leave it as they found it: idle."""
    with running_llamacpp(tmp_path_factory.mktemp("llamacpp")) as process:
        yield process


@pytest.fixture(scope="session")
def shared_vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """Tests leave it as they found it: idle."""
    installed("vllm")
    with running_vllm(tmp_path_factory.mktemp("vllm")) as process:
        yield process
