"""docs-llm_api/life-of-a-request.md is true: each of its lives is lived, and passes through the files it names, in that order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.guides.blocks import REPOSITORY
from tests.support.engine_script import Chat
from tests.support.fake_engine import FakeEngine, running_engine, unanswered_port
from tests.support.http import connection, fetch, request_bytes
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, settings
from tests.support.traced import Here, Trace, gateway_here, traced
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

PAGE = (REPOSITORY / "docs-llm_api/life-of-a-request.md").read_text(encoding="utf-8")
SELDOM: dict[str, Any] = {"health": {"probe_interval_s": 600.0}}
"""So that nobody but the test calls the engine."""
TRIES = 30
"""A busy machine may bring two events in one read, which takes another way; so a life is lived again."""


def told(life: str) -> list[str]:
    """The files that the page lists under this heading."""
    section = PAGE.split(f"## {life}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^(\d+)\. `([\w/]+\.py)`: .+$", section, re.MULTILINE)
    assert [int(number) for number, _ in lines] == list(range(1, len(lines) + 1))
    return [file for _, file in lines]


@asynccontextmanager
async def gateway(*urls: str, folder: Path) -> AsyncIterator[tuple[Here, str]]:
    """A gateway in this process that knows its engines, and its key."""
    async with gateway_here(settings(*urls, **SELDOM), folder) as here:
        key = (here.data / "api_key").read_text(encoding="ascii").strip()

        async def known() -> bool:
            reply = await fetch(here.url, "/health/readiness", key=key)
            replicas = reply.json["deployments"]["scripted"]["replicas"]
            return any(each["state"] == "ok" for each in replicas) and not any(
                each["state"] == "unknown" for each in replicas
            )

        await eventually(known)
        yield here, key


async def lived(expected: list[str], life: Callable[[Trace], Awaitable[list[str]]]) -> None:
    """Lives until the files are the expected ones."""
    found: list[str] = []
    for _ in range(TRIES):
        with traced() as trace:
            found = await life(trace)
        if found == expected:
            return
    assert found == expected


async def written(trace: Trace) -> None:
    """Until the call's line is in the queue."""
    await eventually(lambda: "telemetry/log_writer.py" in trace.files)


async def test_a_streamed_chat(tmp_path: Path) -> None:
    async with running_engine() as engine, gateway(engine.url, folder=tmp_path) as (here, key):
        engine.script = Chat(["a", "b", "c"], gap_s=0.05)
        await fetch(here.url, CHAT_PATH, STREAM, key=key)  # makes the connection that the next call finds

        async def life(trace: Trace) -> list[str]:
            await asyncio.sleep(0.3)  # what is left of the call before
            trace.calls.clear()
            reply = await fetch(here.url, CHAT_PATH, STREAM, key=key)
            assert reply.text.endswith("data: [DONE]\n\n")
            await written(trace)
            return trace.files

        await lived(told("A streamed chat"), life)


async def test_a_failed_engine(tmp_path: Path) -> None:
    with unanswered_port() as dead:
        async with running_engine() as engine:
            for attempt in range(TRIES):
                folder = tmp_path / str(attempt)
                folder.mkdir()
                async with dead_and_alive(dead, engine, folder) as (here, key):
                    with traced() as trace:
                        reply = await fetch(here.url, CHAT_PATH, PLAIN, key=key)
                    assert reply.status == 200
                files = [file for file, _ in trace.calls]
                found = files[files.index("errors.py") : files.index("relay/answer.py") + 1]
                if list(dict.fromkeys(found)) == told("A failed engine"):
                    return
    assert list(dict.fromkeys(found)) == told("A failed engine")


@asynccontextmanager
async def dead_and_alive(dead: str, engine: FakeEngine, folder: Path) -> AsyncIterator[tuple[Here, str]]:
    """A gateway that has probed both of its replicas, and still tries the dead one first."""
    async with gateway_here(settings(dead, engine.url, **SELDOM), folder) as here:
        key = (here.data / "api_key").read_text(encoding="ascii").strip()

        async def ready() -> bool:
            return (await fetch(here.url, "/health/readiness")).status == 200

        await eventually(ready)
        yield here, key


async def test_a_client_that_leaves(tmp_path: Path) -> None:
    async with running_engine() as engine, gateway(engine.url, folder=tmp_path) as (here, key):
        engine.script = Chat(["x"] * 5000, gap_s=0.01)

        async def life(trace: Trace) -> list[str]:
            async with connection(here.url) as client:
                await client.send(request_bytes("POST", CHAT_PATH, STREAM, key))
                await client.read_head()
                await eventually(lambda: "upstream/fast_path.py" in trace.files)
                await asyncio.sleep(0.1)
                client.leave()
                trace.calls.clear()
                await written(trace)
            return after("ClientProtocol.connection_lost", trace)

        await lived(told("A client that leaves"), life)


def after(function: str, trace: Trace) -> list[str]:
    """The files from this function's first call on."""
    start = next(number for number, (_, each) in enumerate(trace.calls) if each == function)
    return list(dict.fromkeys(file for file, _ in trace.calls[start:]))


async def test_a_reload(tmp_path: Path) -> None:
    async with running_engine() as engine, gateway(engine.url, folder=tmp_path) as (here, _):
        key = (here.data / "admin_key").read_text(encoding="ascii").strip()

        async def life(trace: Trace) -> list[str]:
            await asyncio.sleep(0.3)  # what is left of the request before
            trace.calls.clear()
            reply = await fetch(here.url, "/admin/reload", {}, key=key)
            assert reply.status == 200
            await eventually(lambda: "downstream/head.py" in trace.files)
            return trace.files

        await lived(told("A reload"), life)
