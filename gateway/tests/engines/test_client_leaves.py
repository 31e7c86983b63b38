"""A client that leaves frees the engine within a second, in every phase. The engine's own gauges say so."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.engines.launch import EngineProcess
from tests.support.gateway import RunningGateway
from tests.support.http import Client, connection, request_bytes
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

WITHIN_S = 1.0
STREAMING = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


def endless(prompt: str = "repeat", **fields: Any) -> dict[str, Any]:
    """A request that keeps the engine busy for far longer than the test watches."""
    messages = [{"role": "user", "content": prompt}]
    return {
        "model": "tiny-qwen2",
        "messages": messages,
        "max_tokens": 30_000,
        "ignore_eos": True,
        "temperature": 0,
        **fields,
    }


def unread_prompt() -> str:
    """About 25 000 tokens that no cache knows: seconds of prefill."""
    return f"{uuid.uuid4()} " + "repeat " * 6000


@asynccontextmanager
async def calling(gateway: RunningGateway, body: dict[str, Any]) -> AsyncIterator[Client]:
    """A call under way; the client leaves at the end of the block, unless it has before."""
    async with connection(gateway.url) as client:
        await client.send(request_bytes("POST", "/v1/chat/completions", body, gateway.key))
        yield client


async def some_text(client: Client, events: int = 5) -> None:
    """Until the stream has brought so many events."""
    assert (await client.read_head()).status == 200
    async for frame in client.frames():
        events -= frame.comment is None
        if events <= 0:
            return


async def shows(engine: EngineProcess, running: int, waiting: int, within_s: float = 10.0) -> float:
    """Seconds until the engine's gauges are at these figures."""

    async def at() -> bool:
        return await engine.load() == (running, waiting)

    return await eventually(at, within_s)


async def logged_as_left(gateway: RunningGateway, before: int, calls: int = 1) -> None:
    """The calls since `before` are written down as 499, and nothing of them as the engine's fault."""
    records = (await gateway.logged(before + calls))[before:]
    assert [record["status"] for record in records] == [499] * calls
    await gateway.ready(within_s=5)


@STREAMING
async def test_while_decoding(gateway: RunningGateway, engine: EngineProcess, stream: bool) -> None:
    before = len(gateway.calls())
    async with calling(gateway, endless(stream=stream)) as client:
        await shows(engine, 1, 0)
        if stream:
            await some_text(client)
        else:
            await asyncio.sleep(0.3)
        assert await engine.load() == (1, 0)
        client.leave()
        await shows(engine, 0, 0, WITHIN_S)
    await logged_as_left(gateway, before)


@STREAMING
async def test_while_another_client_is_served(gateway: RunningGateway, engine: EngineProcess, stream: bool) -> None:
    before = len(gateway.calls())
    async with calling(gateway, endless(stream=True)) as other:
        await some_text(other)
        async with calling(gateway, endless("Hello", stream=stream)) as client:
            await shows(engine, 2, 0)
            client.leave()
            await shows(engine, 1, 0, WITHIN_S)
        await some_more(other)
    await shows(engine, 0, 0, WITHIN_S)
    await logged_as_left(gateway, before, calls=2)


@STREAMING
async def test_in_prefill(gateway: RunningGateway, engine: EngineProcess, stream: bool) -> None:
    before = len(gateway.calls())
    async with calling(gateway, endless(unread_prompt(), stream=stream)) as client:
        await shows(engine, 1, 0)
        client.leave()
        await shows(engine, 0, 0, WITHIN_S)
    await logged_as_left(gateway, before)
    [record] = gateway.calls()[before:]
    assert record["ttft_ms"] is None, "it had begun to answer: the prompt is too short for this machine"


@STREAMING
async def test_in_the_queue(gateway: RunningGateway, engine: EngineProcess, stream: bool) -> None:
    """vLLM queues by itself. llama.cpp would not see a queued client leave, so what it has no slot for waits here."""
    before = len(gateway.calls())
    async with AsyncExitStack() as others:
        for _ in range(engine.slots):
            await some_text(await others.enter_async_context(calling(gateway, endless(stream=True))))
        async with calling(gateway, endless("Hello", stream=stream)) as client:
            if engine.backend == "vllm":
                await shows(engine, engine.slots, 1)
            else:
                await asyncio.sleep(0.3)
                assert await engine.load() == (engine.slots, 0)
            client.leave()
            await shows(engine, engine.slots, 0, WITHIN_S)
            [record] = (await gateway.logged(before + 1))[before:]
            assert (record["status"], record["ttft_ms"]) == (499, None)
    await shows(engine, 0, 0, WITHIN_S)
    await logged_as_left(gateway, before, calls=engine.slots + 1)


async def test_with_a_reset(gateway: RunningGateway, engine: EngineProcess) -> None:
    before = len(gateway.calls())
    async with calling(gateway, endless(stream=True)) as client:
        await some_text(client)
        client.reset()
        await shows(engine, 0, 0, WITHIN_S)
    await logged_as_left(gateway, before)


async def test_from_generate_stream(gateway: RunningGateway, engine: EngineProcess) -> None:
    before = len(gateway.calls())
    query = urlencode({"prompt": "repeat " * 600, "max_tokens": 4000})
    async with connection(gateway.url) as client:
        await client.send(request_bytes("GET", f"/generate_stream?{query}", key=gateway.key))
        await some_text(client, events=2)
        client.leave()
        await shows(engine, 0, 0, WITHIN_S)
    [record] = (await gateway.logged(before + 1))[before:]
    assert record["status"] in (200, 499), "the model may have come to an end by itself"


async def some_more(client: Client) -> None:
    """The other client's stream goes on."""
    async for frame in client.frames():
        if frame.comment is None:
            return
