"""A client that leaves frees the engine, on every path that generates and in every phase. The engine's own gauges say so, and its
count of tokens that no answer came to its end.
"""

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
from tests.support.quick import slow
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

STREAMING = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
CHAT = "/v1/chat/completions"
OTHER_PATHS = ("/v1/completions", "/v1/responses", "/v1/messages")
PATHS = pytest.mark.parametrize("path", [CHAT, *OTHER_PATHS])
A_PATH = pytest.mark.parametrize("path", [CHAT, *slow(*OTHER_PATHS)])
"""Where the engine computes for seconds."""
LONG_ITEMS = {"type": "array", "minItems": 1000, "items": {"type": "string", "minLength": 400}}
LONG_TOOL = {"type": "object", "properties": {"items": LONG_ITEMS}, "required": ["items"]}
"""What keeps llama.cpp busy, which can't be told not to end its message. vLLM is slow enough for its longest."""


def endless(prompt: str = "repeat", path: str = CHAT, backend: str = "llamacpp", **fields: Any) -> dict[str, Any]:
    """A request that keeps the engine busy for far longer than the test watches."""
    asked: dict[str, Any] = {
        "model": "tiny-qwen2",
        "temperature": 0,
        "ignore_eos": True,
        "max_tokens": 30_000,
        **fields,
    }
    if path == "/v1/completions":
        return {**asked, "prompt": prompt}
    if path == "/v1/responses":
        del asked["max_tokens"]
        return {**asked, "input": prompt, "max_output_tokens": 30_000}
    asked["messages"] = [{"role": "user", "content": prompt}]
    if path == "/v1/messages" and backend == "llamacpp":
        asked |= {"tool_choice": {"type": "any"}, "tools": [{"name": "list", "input_schema": LONG_TOOL}]}
    return asked


@pytest.fixture(autouse=True)
async def no_answer_comes_to_its_end(engine: EngineProcess) -> AsyncIterator[None]:
    """The engine was freed because it was told: left alone, it would have made 30 000 tokens, and then been as free."""
    before = await engine.generated()
    yield
    assert await engine.generated() - before < 20_000


def unread_prompt() -> str:
    """About 25 000 tokens that no cache knows: seconds of prefill."""
    return f"{uuid.uuid4()} " + "repeat " * 6000


@asynccontextmanager
async def calling(gateway: RunningGateway, body: dict[str, Any], path: str = CHAT) -> AsyncIterator[Client]:
    """A call under way; the client leaves at the end of the block, unless it has before."""
    async with connection(gateway.url) as client:
        await client.send(request_bytes("POST", path, body, gateway.key))
        yield client


async def some_text(client: Client, events: int = 5) -> None:
    """Until the stream has brought so many events."""
    assert (await client.read_head()).status == 200
    async for frame in client.frames():
        events -= frame.comment is None
        if events <= 0:
            return


async def shows(engine: EngineProcess, running: int, waiting: int, every_s: float = 0.01) -> None:
    """Until the engine's gauges are at these figures."""

    async def at() -> bool:
        return await engine.load() == (running, waiting)

    await eventually(at, every_s=every_s)


async def logged_as_left(gateway: RunningGateway, before: int, calls: int = 1) -> None:
    """The calls since `before` are written down as 499, and nothing of them as the engine's fault."""
    records = (await gateway.logged(before + calls))[before:]
    assert [record["status"] for record in records] == [499] * calls
    await gateway.ready()


async def left_while_decoding(gateway: RunningGateway, engine: EngineProcess, stream: bool, path: str) -> bool:
    """A client that leaves in the middle of its answer; whether it was in the middle, and had not come to its end by itself."""
    before = len(gateway.calls())

    async def has_begun() -> bool:
        """Or is over, and was too short to be seen."""
        return await engine.load() == (1, 0) or len(gateway.calls()) > before

    async with calling(gateway, endless(path=path, backend=engine.backend, stream=stream), path) as client:
        await eventually(has_begun)
        if stream:
            await some_text(client)
        else:
            await asyncio.sleep(0.3)
        at_work = await engine.load() == (1, 0)
        client.leave()
        await shows(engine, 0, 0)
    [record] = (await gateway.logged(before + 1))[before:]
    await gateway.ready()
    if at_work and record["status"] != 200:
        assert record["status"] == 499
        return True
    return False


@PATHS
@STREAMING
async def test_while_decoding(gateway: RunningGateway, engine: EngineProcess, stream: bool, path: str) -> None:
    """A model may end its answer although it was asked not to, on paths that don't know that wish: then another try."""
    for _ in range(5):
        if await left_while_decoding(gateway, engine, stream, path):
            return
    raise AssertionError("its answer had come to its end each time")


@A_PATH
@STREAMING
async def test_while_another_client_is_served(
    gateway: RunningGateway, engine: EngineProcess, stream: bool, path: str
) -> None:
    before = len(gateway.calls())
    async with calling(gateway, endless(stream=True)) as other:
        await some_text(other)
        async with calling(gateway, endless("repeat", path, engine.backend, stream=stream), path) as client:
            await shows(engine, 2, 0)
            await some_more(other, 30)  # by then the second is past its prompt
            client.leave()
            await shows(engine, 1, 0)
        await some_more(other)
    await shows(engine, 0, 0)
    await logged_as_left(gateway, before, calls=2)


async def left_in_prefill(gateway: RunningGateway, engine: EngineProcess, stream: bool, path: str) -> bool:
    """A client that leaves as soon as the engine has its prompt; whether that was before its first token."""
    before = len(gateway.calls())
    async with calling(gateway, endless(unread_prompt(), path, engine.backend, stream=stream), path) as client:
        await shows(engine, 1, 0)
        client.leave()
        if (engine.backend, path) == ("llamacpp", "/v1/messages"):
            # It tells no progress there, and looks after a second without any other call's token or question: ours is one.
            await asyncio.sleep(1.2)
            await shows(engine, 0, 0, every_s=1.2)
        else:
            await shows(engine, 0, 0)
    await logged_as_left(gateway, before)
    [record] = gateway.calls()[before:]
    return record["ttft_ms"] is None


@A_PATH
@STREAMING
async def test_in_prefill(gateway: RunningGateway, engine: EngineProcess, stream: bool, path: str) -> None:
    """On a busy machine the prompt may be read before the client has come to leave: then it is another phase, and another try."""
    for _ in range(5):
        if await left_in_prefill(gateway, engine, stream, path):
            return
    raise AssertionError("it had begun to answer each time: the prompt is too short for this machine")


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
            await shows(engine, engine.slots, 0)
            [record] = (await gateway.logged(before + 1))[before:]
            assert (record["status"], record["ttft_ms"]) == (499, None)
    await shows(engine, 0, 0)
    await logged_as_left(gateway, before, calls=engine.slots + 1)


async def test_with_a_reset(gateway: RunningGateway, engine: EngineProcess) -> None:
    before = len(gateway.calls())
    async with calling(gateway, endless(stream=True)) as client:
        await some_text(client)
        client.reset()
        await shows(engine, 0, 0)
    await logged_as_left(gateway, before)


async def test_from_generate_stream(gateway: RunningGateway, engine: EngineProcess) -> None:
    before = len(gateway.calls())
    query = urlencode({"prompt": "repeat " * 600, "max_tokens": 4000})
    async with connection(gateway.url) as client:
        await client.send(request_bytes("GET", f"/generate_stream?{query}", key=gateway.key))
        await some_text(client, events=2)
        client.leave()
        await shows(engine, 0, 0)
    [record] = (await gateway.logged(before + 1))[before:]
    assert record["status"] in (200, 499), "the model may have come to an end by itself"


async def some_more(client: Client, events: int = 1) -> None:
    """The other client's stream goes on."""
    async for frame in client.frames():
        events -= frame.comment is None
        if events <= 0:
            return
