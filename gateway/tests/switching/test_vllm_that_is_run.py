"""A real vLLM as an engine that the gateway runs: loaded when somebody asks, back after a crash, gone when nobody asks for it, and
nothing of it left behind by a gateway that is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Any

import pytest

from hayate.engines.placeholders import literal
from tests.engines.launch import MODEL, is_core, vllm_command, vllm_env
from tests.engines.shared import installed
from tests.support.gateway import RunningGateway, reload, running_gateway
from tests.support.http import Reply, fetch
from tests.support.processes import alive, below
from tests.support.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.vllm]

ADMIN_KEY = "sk-hayate-admin-0123456789abcdef"
PORT = "{port}"
LOAD_S = 600
IDLE_S = 3
STOP_S = 20
"""A vLLM that loads hears no SIGTERM."""


def config(**more: Any) -> str:
    command = [PORT if part == PORT else literal(str(part)) for part in vllm_command(PORT)]
    run = {"command": command, "env": vllm_env(), "stop_s": STOP_S}
    vllm = {"backend": "vllm", "model": MODEL, "run": run, "load_timeout_s": LOAD_S, **more}
    return json.dumps({"deployments": {"own": vllm}})


async def ask(running: RunningGateway) -> Reply:
    question = {"model": "own", "messages": [{"role": "user", "content": "Hello"}], "temperature": 0, "max_tokens": 64}
    return await fetch(running.url, "/v1/chat/completions", question, key=running.key, limit_s=LOAD_S)


async def is_in(running: RunningGateway, state: str) -> bool:
    return bool((await engine(running))["state"] == state)


async def engine(running: RunningGateway) -> dict[str, Any]:
    [found] = (await fetch(running.url, "/admin/engines", key=ADMIN_KEY)).json["engines"]
    return dict(found)


def events(running: RunningGateway) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in running.stderr().splitlines() if line.startswith("{")]
    return [each for each in found if each["event"].startswith("engine_")]


async def test_it_is_loaded_on_demand_comes_back_after_a_crash_goes_when_idle_and_with_a_killed_gateway() -> None:
    installed("vllm")
    async with running_gateway({"HAYATE_ADMIN_KEY": ADMIN_KEY}, config=config()) as running:
        assert not below(running.pid)
        assert "Hello" in (await ask(running)).text
        first = below(running.pid)
        assert len(first) > 2, "a keeper, the API server, its core"

        [core] = [pid for pid in first if is_core(pid)]
        os.kill(core, signal.SIGKILL)
        await eventually(lambda: not any(map(alive, first)), LOAD_S)
        # until that is known, a call is refused
        await eventually(lambda: events(running)[-1]["event"] != "engine_loaded")
        reply = await ask(running)
        assert reply.status == 200, reply.text
        told = events(running)
        names = [each["event"] for each in told]
        assert names == ["engine_loading", "engine_loaded", "engine_failed", "engine_loading", "engine_loaded"]
        assert told[2]["reason"].startswith("own: its engine ended by itself")
        assert told[2]["code"] == "crashed"

        second = below(running.pid)
        await reload(running, config(idle_unload_s=IDLE_S))
        await eventually(lambda: is_in(running, "unloaded"), LOAD_S)
        assert not any(map(alive, second))
        assert events(running)[-1]["event"] == "engine_unloaded"

        asking = asyncio.create_task(ask(running))
        await eventually(lambda: any(is_core(pid) for pid in below(running.pid)), LOAD_S)
        third = below(running.pid)
        running.process.kill()
        await running.process.wait()
        await eventually(lambda: not any(map(alive, third)), LOAD_S)
        await asyncio.gather(asking, return_exceptions=True)
