"""A slip in a model's name is told: by the gateway that runs, else by the configuration's file; else nobody can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hayate.serve.whereabouts import Presence
from hayate.tools.environment import alone
from hayate.tools.keys.known import models_of
from tests.support.engine_script import answer
from tests.support.fake_engine import running_engine

CONFIG = """
deployments: {qwen: {backend: vllm, model: Qwen/Qwen2.5-7B, replicas: ["http://127.0.0.1:9"]}}
aliases: {smart: qwen}
"""
STATUS = {
    "version": "0.1.0",
    "uptime_s": 1,
    "ready": True,
    "aliases": {"fast": ["big"]},
    "deployments": [{"name": "big", "engine": "vllm", "model": "org/big", "replicas": []}],
}


def env(folder: Path, **more: str) -> dict[str, str]:
    return {
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "HAYATE_DATA": str(folder),
        "HAYATE_ADMIN_KEY": "admin-0123456789abcdef",
        **more,
    }


def test_a_file_says_and_without_one_nobody_knows(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    found = models_of(file, tmp_path, alone(env(tmp_path)))
    assert found is not None
    assert {"qwen", "smart", "default", "Qwen/Qwen2.5-7B"} <= found
    assert "fast" not in found
    file.write_text(CONFIG.replace("aliases: {smart: qwen}", ""), encoding="utf-8")
    found = models_of(file, tmp_path, alone(env(tmp_path)))
    assert found is not None
    assert {"fast", "smart"} <= found
    assert models_of(None, tmp_path, alone(env(tmp_path))) is None


@contextmanager
def runs_at(url: str, folder: Path) -> Iterator[None]:
    presence = Presence(folder / "run" / "hayate")
    presence.tell(url, folder)
    yield
    presence.forget()


@pytest.mark.anyio
async def test_the_gateway_that_runs_on_the_folder_says(tmp_path: Path) -> None:

    async with running_engine() as stand_in:
        stand_in.routes["/admin/status"] = answer(STATUS)
        with runs_at(stand_in.url, tmp_path):
            found = await asyncio.to_thread(models_of, None, tmp_path, alone(env(tmp_path)))
            assert found == {"fast", "big", "org/big"}
            asked = [each for each in stand_in.probes if each.path == "/admin/status"]
            assert [each.headers["authorization"] for each in asked] == ["Bearer admin-0123456789abcdef"]
            stand_in.routes["/admin/status"] = answer({"error": "no"}, 401)
            assert await asyncio.to_thread(models_of, None, tmp_path, alone(env(tmp_path))) is None
