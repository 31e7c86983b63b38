"""RELIABILITY: whatever has become of who reads standard output or standard error, calls are served and readiness follows.

HAYATE_TEST_LOG_CALLS: how many calls each of these tests makes (a pipe is full after some 170).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.support.fake_engine import running_engine
from tests.support.gateway import KEY, running_gateway
from tests.support.http import fetch
from tests.support.outputs import STATES, Unread, unread
from tests.support.ports import free_port
from tests.support.quick import slow
from tests.support.scene import CHAT_PATH, PLAIN, Stage, settings
from tests.support.waiting import LAST_RESORT_S, eventually

pytestmark = pytest.mark.anyio

CALLS = int(os.environ.get("HAYATE_TEST_LOG_CALLS", "240"))
TOGETHER = 8
QUICK_CASES = (("stdout", "gone"), ("stdout", "asleep"), ("stderr", "asleep"), ("stderr", "closed"))
SOURCE = Path(__file__).parents[2] / "src"


@asynccontextmanager
async def stage_with(stream: str, state: str, queue_bytes: int = 65536) -> AsyncIterator[tuple[Stage, Unread]]:
    """A gateway one of whose streams nobody reads."""
    async with running_engine() as engine:
        config = settings(engine.url, server={"log_queue_bytes": queue_bytes}, health={"probe_interval_s": 0.1})
        with unread(stream, state) as pipe:
            async with running_gateway(config=config, through=pipe.through, streams={stream: pipe.fd}) as gateway:
                await gateway.ready()
                yield Stage(engine, gateway), pipe
                assert await gateway.stop() == 0  # its last words are given a second, not for ever


async def serve(stage: Stage, calls: int) -> None:
    """Every one of so many calls is answered."""

    async def caller(count: int) -> None:
        async with stage.connect() as client:
            for _ in range(count):
                await client.send(stage.request(PLAIN, CHAT_PATH))
                assert (await client.read_reply()).status == 200

    await asyncio.gather(*(caller(calls // TOGETHER) for _ in range(TOGETHER)))


async def readiness_follows_a_restart(stage: Stage) -> None:
    async def readiness() -> int:
        return (await fetch(stage.url, "/readyz")).status

    async def is_ready() -> bool:
        return await readiness() == 200

    async def is_not_ready() -> bool:
        return await readiness() == 503

    assert await is_ready()
    await stage.engine.refuse()
    stage.engine.drop_connections()
    await eventually(is_not_ready)
    await stage.engine.listen()
    await eventually(is_ready)


@pytest.mark.parametrize(
    ("stream", "state"),
    [each if each in QUICK_CASES else slow(each)[0] for each in product(("stdout", "stderr"), STATES)],
)
async def test_calls_are_served_and_readiness_follows_the_engine(stream: str, state: str) -> None:
    async with stage_with(stream, state) as (stage, _):
        await readiness_follows_a_restart(stage)
        await serve(stage, CALLS)
        await readiness_follows_a_restart(stage)
        await serve(stage, TOGETHER)


@pytest.mark.parametrize("state", ["asleep", *slow("nonblocking")])
async def test_what_was_lost_is_counted_and_told_when_somebody_reads_again(state: str) -> None:
    async with stage_with("stdout", state) as (stage, pipe):
        await serve(stage, 400)
        lost = (await stage.metrics())["hayate_log_lines_dropped_total"]
        assert 0 < lost < 400
        os.set_blocking(pipe.reader, False)
        read = bytearray()

        def said(event: str) -> list[dict[str, Any]]:
            with contextlib.suppress(BlockingIOError):
                read.extend(os.read(pipe.reader, 1 << 20))
            whole = read.removeprefix(pipe.filler).rpartition(b"\n")[0]
            return [line for line in map(json.loads, whole.splitlines()) if line["event"] == event]

        def told() -> int:
            return sum(line["lines"] for line in said("log_lines_dropped"))

        await eventually(lambda: len(said("call")) + told() == 400)
        assert told() == lost
        await stage.post(PLAIN)
        await eventually(lambda: len(said("call")) + told() == 401)
        assert told() == lost


async def test_a_gateway_told_to_stop_writes_the_last_lines() -> None:
    async with running_engine() as engine, running_gateway(config=settings(engine.url)) as gateway:
        await gateway.ready()
        await serve(Stage(engine, gateway), 8 * TOGETHER)
        await gateway.stop()
        assert len(gateway.calls()) == 8 * TOGETHER


@pytest.mark.parametrize("state", [None, "asleep", *slow("full")])
async def test_it_is_the_same_under_another_server(state: str | None) -> None:
    """`uvicorn main:app` ends by the signal itself, so that nothing runs after the application's own end."""
    port, server = free_port(), str(Path(sys.executable).with_name("uvicorn"))
    async with running_engine() as engine:
        with TemporaryDirectory() as home, (Path(home) / "stdout").open("wb") as file, ExitStack() as held:
            pipe = held.enter_context(unread("stdout", state)) if state else None
            env = {
                **os.environ,
                "LLM_BACKEND": "vllm",
                "BACKEND_URL": engine.url,
                "HAYATE_DATA": home,
                "HAYATE_API_KEY": KEY,
            }
            process = await asyncio.create_subprocess_exec(
                *(server, "main:app", "--port", str(port), "--no-access-log", "--app-dir", str(SOURCE)),
                env=env,
                stdout=pipe.fd if pipe else file,
                stderr=asyncio.subprocess.DEVNULL,
            )
            url = f"http://127.0.0.1:{port}"

            async def is_served() -> bool:
                try:
                    return (await fetch(url, CHAT_PATH, PLAIN, key=KEY)).status == 200
                except ConnectionError:
                    return False

            try:
                await eventually(is_served, every_s=0.05)
                for _ in range(200):
                    assert await is_served()
            finally:
                process.terminate()
                await asyncio.wait_for(process.wait(), LAST_RESORT_S)
            if pipe is None:
                assert (Path(home) / "stdout").read_bytes().count(b'"status":200') == 201
