"""The daily verbs and llama-swap's paths beside a gateway that runs real llama.cpp: two models, of which one fits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.engines.launch import widened_gguf
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import connection, fetch, request_bytes
from tests.support.operators_commands import hayate
from tests.support.scene import CHAT_PATH, HELLO
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

MIB = 2**20
LONG = {"messages": HELLO, "stream": True, "max_tokens": 20_000, "ignore_eos": True}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """Its models wait for nothing when they give way."""
    model: dict[str, Any] = {
        "backend": "llamacpp",
        "run": "llamacpp",
        "model": str(widened_gguf(tmp_path)),
        "gpu": "here",
    }
    config = {
        "server": {"heartbeat_s": 0.2},
        "gpus": {"here": {"memory": 1000 * MIB, "quantum_s": 0.1, "max_wait_s": 300}},
        "deployments": {
            "fast": {**model, "memory": 600 * MIB, "context_tokens": 32_768},
            "smart": {**model, "memory": 700 * MIB, "context_tokens": 1024},
        },
        "aliases": {"chat": "smart", "default": "fast"},
    }
    async with running_gateway(config=json.dumps(config)) as found:
        yield found


def operators_key(gateway: RunningGateway) -> str:
    return (gateway.data / "admin_key").read_text(encoding="ascii").strip()


async def asked(gateway: RunningGateway, path: str, method: str = "GET") -> Any:
    reply = await fetch(gateway.url, path, method=method, key=operators_key(gateway))
    assert reply.status == 200, reply.text
    return reply.json if reply.headers["content-type"] == "application/json" else reply.text


async def verb(gateway: RunningGateway, *words: str) -> tuple[int, str, str]:
    """As its operator types it, from the settings that it was started with."""
    home = gateway.data.parent
    env = {"HAYATE_CONFIG": str(home / "config.yaml"), "HAYATE_DATA": str(gateway.data), "HAYATE_ADMIN_KEY": ""}
    return await hayate(home, *words, HAYATE_PORT=str(gateway.port), **env)


async def ps(gateway: RunningGateway) -> dict[str, dict[str, Any]]:
    code, out, err = await verb(gateway, "ps", "--json")
    assert (code, err) == (0, "")
    return {each["name"]: each for each in json.loads(out)["engines"]}


def opened_by(gateway: RunningGateway) -> int:
    """How many logs it reads."""
    found = 0
    for each in Path(f"/proc/{gateway.pid}/fd").iterdir():
        with suppress(OSError):  # closed by now
            found += each.readlink().parent.name == "logs"
    return found


async def test_what_llama_swap_s_tools_ask(gateway: RunningGateway) -> None:
    assert await asked(gateway, "/running") == {"running": []}
    loaded = await asked(gateway, "/admin/engines/fast/load", "POST")
    assert (loaded["state"], loaded["how"], loaded["has_log"]) == ("ready", "run", True)
    [fast] = (await asked(gateway, "/running"))["running"]
    assert (fast["model"], fast["state"], fast["cmd"], fast["ttl"]) == ("fast", "ready", "", 0)
    assert (await fetch(fast["proxy"], "/health")).status == 200
    answer = await fetch(gateway.url, CHAT_PATH, {"model": "chat", "messages": HELLO, "max_tokens": 3}, key=gateway.key)
    assert answer.status == 200, answer.text
    assert [each["model"] for each in (await asked(gateway, "/running"))["running"]] == ["smart"]
    assert await asked(gateway, "/unload") == "OK"
    assert await asked(gateway, "/running") == {"running": []}
    with pytest.raises(ConnectionError):
        await fetch(fast["proxy"], "/health")
    metrics = await asked(gateway, "/metrics")
    assert 'hayate_engine_loads_total{deployment="smart",outcome="loaded"} 1.0' in metrics
    assert 'hayate_engine_unloads_total{deployment="fast",why="gave_way"} 1.0' in metrics
    assert 'hayate_engine_state{deployment="smart",state="unloaded"} 1.0' in metrics


async def test_what_is_loaded_what_runs_and_what_waits_is_shown(gateway: RunningGateway) -> None:
    code, _, err = await verb(gateway, "load", "default")
    assert (code, err.splitlines()[-1].startswith("fast is ready; loading took")) == (0, True)
    async with connection(gateway.url) as long:
        await long.send(request_bytes("POST", CHAT_PATH, {**LONG, "model": "fast"}, gateway.key))
        await long.read_head()
        waiting = asyncio.create_task(
            fetch(gateway.url, CHAT_PATH, {"model": "smart", "messages": HELLO, "max_tokens": 3}, key=gateway.key)
        )

        async def waits() -> bool:
            return bool((await ps(gateway))["smart"]["waiting"])

        await eventually(waits)
        told = await ps(gateway)
        assert (told["fast"]["in_flight"], told["fast"]["idle_s"], told["smart"]["state"]) == (1, None, "unloaded")
        assert told["fast"]["tokens_per_s"] > 0
        code, out, _ = await verb(gateway, "status", "--json")
        assert (code, json.loads(out)["deployments"][1]["loading"]["waiting"]) == (0, 1)
        long.leave()
        assert (await waiting).status == 200
    told = await ps(gateway)
    assert (told["fast"]["state"], told["fast"]["why"], told["smart"]["state"]) == ("unloaded", "gave_way", "ready")
    assert told["smart"]["idle_s"] is not None
    code, _, err = await verb(gateway, "unload", "--all")
    assert (code, err) == (0, "smart is unloaded; the next call loads it again.\n")


async def test_a_log_is_followed_until_its_reader_or_the_gateway_leaves(gateway: RunningGateway) -> None:
    await asked(gateway, "/admin/engines/smart/load", "POST")
    request = request_bytes("GET", "/admin/engines/chat/log?follow=true", key=operators_key(gateway))
    async with connection(gateway.url) as reader:
        await reader.send(request)
        assert (await reader.read_head()).headers["content-type"].startswith("text/event-stream")
        assert b": ping" in await reader.read_chunk()
        chunk = await reader.read_chunk()
        assert chunk.startswith(b"data: [starting ")
        assert opened_by(gateway) == 1
    await eventually(lambda: opened_by(gateway) == 0)
    async with connection(gateway.url) as reader:
        await reader.send(request)
        await reader.read_head()
        ending = asyncio.create_task(gateway.stop())
        while await reader.read_chunk():
            pass  # to the end that every whole answer has
        assert await ending == 0
    code, out, err = await verb(gateway, "logs", "smart", "-n", "1")
    assert (code, "No gateway runs" in err) == (0, True)
    assert out.startswith("[ended")
