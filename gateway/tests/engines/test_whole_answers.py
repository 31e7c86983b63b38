"""A whole answer that was joined from a stream is the one llama.cpp gives when it is asked itself, ids and times aside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.engines.known import WEATHER_TOOL
from tests.engines.launch import MODEL, EngineProcess
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import fetch
from tests.support.scene import settings

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("engine", ["llamacpp"], indirect=True)]


@pytest.fixture(scope="module")
async def gateway(engine: EngineProcess) -> AsyncIterator[RunningGateway]:
    """One that leaves /v1/responses to the engine."""
    options = {"responses": "engine"}
    async with running_gateway(
        config=settings(engine.url, backend="llamacpp", model=MODEL, options=options)
    ) as running:
        await running.ready()
        yield running


OF_EACH_ANSWER = frozenset({"id", "call_id", "created", "created_at", "completed_at", "timings"})
CACHED = frozenset({"cached_tokens", "cache_read_input_tokens", "input_tokens", "prompt_tokens_details"})
"""Depend on what the engine has in its cache by then; their sums are compared."""
SCHEMA: Any = WEATHER_TOOL["function"]["parameters"]  # type: ignore[index]
TOOLS = {
    "/v1/responses": [{"type": "function", "name": "get_weather", "parameters": SCHEMA}],
    "/v1/messages": [{"name": "get_weather", "input_schema": SCHEMA}],
}
PROMPTS = {
    "greeting": ("Hello", 40),
    "japanese, begins inside a character": ("日本語で答えて", 400),
    "cut off": ("日本語で答えて", 40),
    "cut off in a tool's input": ("東京と大阪の天気は？", 24),
    "one tool": ("東京の天気は？", 200),
    "two tools": ("東京と大阪の天気は？", 200),
    "text, then a tool": ("What is the weather in Tokyo?", 200),
    "thinking": ("think", 100),
}


def asking(path: str, prompt: str, tokens: int, **fields: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}], "max_tokens": tokens}
    if path == "/v1/responses":
        said = {"input": prompt, "max_output_tokens": tokens, "store": False}  # what is kept is told with more
    return {"model": "tiny-qwen2", "temperature": 0, **said, **fields}


def comparable(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: comparable(each) for name, each in value.items() if name not in OF_EACH_ANSWER | CACHED}
        return kept | {"names": sorted(value)}
    return [comparable(each) for each in value] if isinstance(value, list) else value


def prompt_tokens(answer: dict[str, Any]) -> int:
    usage = answer["usage"]
    return int(usage["input_tokens"] + usage.get("cache_read_input_tokens", 0))


@pytest.mark.parametrize("path", TOOLS)
@pytest.mark.parametrize("case", PROMPTS)
async def test_it_is_the_engines_own(gateway: RunningGateway, engine: EngineProcess, path: str, case: str) -> None:
    prompt, tokens = PROMPTS[case]
    tools = {"tools": TOOLS[path]} if "tool" in case else {}
    body = asking(path, prompt, tokens, **tools)
    await fetch(engine.url, path, body)  # the same cache for both: a batch of another size may round another way
    own, joined = (await fetch(engine.url, path, body)).json, await fetch(gateway.url, path, body, key=gateway.key)
    assert (joined.status, joined.headers["content-type"]) == (200, "application/json")
    assert comparable(joined.json) == comparable(own)
    assert prompt_tokens(joined.json) == prompt_tokens(own)
    call = await gateway.logged_as(joined.headers["x-request-id"])
    assert (call["status"], call["completion_tokens"]) == (200, own["usage"]["output_tokens"])
    assert call["prompt_tokens"] == prompt_tokens(own)


@pytest.mark.parametrize("path", TOOLS)
async def test_a_stop_string_ends_it_alike(gateway: RunningGateway, engine: EngineProcess, path: str) -> None:
    stop = {"stop_sequences": ["、"]} if path == "/v1/messages" else {"stop": ["、"]}
    body, before = asking(path, "日本語で答えて", 60, **stop), len(gateway.calls())
    own, joined = (
        (await fetch(engine.url, path, body)).json,
        (await fetch(gateway.url, path, body, key=gateway.key)).json,
    )
    assert comparable(joined) == comparable(own)
    await gateway.logged(before + 1)


@pytest.mark.parametrize("path", TOOLS)
async def test_what_the_engine_refuses_is_refused_in_its_words(
    gateway: RunningGateway, engine: EngineProcess, path: str
) -> None:
    body, before = asking(path, "x " * 60_000, 4), len(gateway.calls())
    own, ours = await fetch(engine.url, path, body), await fetch(gateway.url, path, body, key=gateway.key)
    assert (ours.status, own.status) == (400, 400)
    assert own.json["error"]["message"] in ours.json["error"]["message"]
    await gateway.logged(before + 1)
