"""How many calls an engine gets is found from the engine: its own gauges say whether it has a queue, and whether it is busy."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.engines.launch import EngineProcess, running_vllm
from tests.engines.llamacpp_server import SLOTS
from tests.engines.shared import installed
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import fetch
from tests.support.ports import free_port
from tests.support.waiting import LAST_RESORT_S, eventually

pytestmark = pytest.mark.anyio

CALLERS = 40
LOOKS = 40
CALL: dict[str, Any] = {
    "model": "tiny-qwen2",
    "messages": [{"role": "user", "content": "repeat"}],
    "ignore_eos": True,
    "max_tokens": 1000,
}


@asynccontextmanager
async def crowd(gateway: RunningGateway) -> AsyncIterator[None]:
    """More callers than any engine here takes, each of which asks again as soon as it is answered, or refused."""

    async def asks() -> None:
        while True:
            with suppress(OSError, EOFError, TimeoutError, ValueError):  # the engine is away for a while
                await fetch(gateway.url, "/v1/chat/completions", CALL, key=gateway.key, limit_s=LAST_RESORT_S)
            await asyncio.sleep(0.05)

    callers = [asyncio.create_task(asks()) for _ in range(CALLERS)]
    try:
        yield
    finally:
        for each in callers:
            each.cancel()
        await asyncio.gather(*callers, return_exceptions=True)


async def settles(engine: EngineProcess, places: int) -> None:
    """Until, over LOOKS looks, the engine is as busy as it can be, and nobody waits in it but one now and then."""
    seen: deque[tuple[int, int]] = deque(maxlen=LOOKS)

    async def is_settled() -> bool:
        seen.append(await engine.load())
        busy = sum(running >= places * 3 // 4 for running, _ in seen)
        quiet = sum(waiting <= 1 for _, waiting in seen)
        return len(seen) == LOOKS and min(busy, quiet) >= LOOKS * 0.95

    await eventually(is_settled, every_s=0.25)


@pytest.mark.slow
@pytest.mark.vllm
async def test_vllm_gets_as_many_as_it_works_on_and_so_it_does_when_it_comes_back_with_more(tmp_path: Path) -> None:
    """First fewer than a ceiling begins with, then more than were found."""
    installed("vllm")
    port = free_port()
    env = {"LLM_BACKEND": "vllm", "BACKEND_URL": f"http://127.0.0.1:{port}", "MODEL": "tiny-qwen2"}
    async with running_gateway(env) as gateway:
        for places in (5, 14):
            with running_vllm(tmp_path, port, places) as engine:
                await gateway.ready()
                async with crowd(gateway):
                    await settles(engine, places)


async def test_llamacpp_gets_as_many_as_it_has_slots(own_llamacpp: EngineProcess) -> None:
    async with running_gateway(own_llamacpp.env) as gateway:
        await gateway.ready()
        async with crowd(gateway):
            await eventually(lambda: is_full(own_llamacpp))
            for _ in range(LOOKS):
                running, waiting = await own_llamacpp.load()
                assert (running <= SLOTS, waiting) == (True, 0)
                await asyncio.sleep(0.02)


async def is_full(engine: EngineProcess) -> bool:
    return (await engine.load())[0] == SLOTS
