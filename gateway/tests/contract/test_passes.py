"""What an engine serves reaches the client as the engine serves it, and what the client did not ask for does not."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.contract.engines import Engine, asking, when
from tests.engines.known import HELLO
from tests.support.gateway import RunningGateway
from tests.support.http import Frame, fetch, fetch_frames
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

OPENAI_SHAPED = when(lambda engine, **_: engine in ("vllm", "llamacpp", "sglang", "openai"))
"""Engines whose events pass as they are."""
PATHS = pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
ENGINES_OWN = frozenset({"id", "created", "timings", "system_fingerprint"})
"""Present alike, with values of each answer's own."""
UNASKED = "usage"
"""Some engines tell it to whoever did not ask; the gateway does not."""


def greedy(path: str, **fields: Any) -> dict[str, Any]:
    said: dict[str, Any] = (
        asking("Hello") if path == "/v1/chat/completions" else {"prompt": "Hello", "model": "default"}
    )
    return {**said, "temperature": 0, "max_tokens": 12, "stream": True, **fields}


def events(frames: list[Frame]) -> list[dict[str, Any]]:
    return [frame.json for frame in frames if frame.data and frame.data != "[DONE]"]


def usages(frames: list[Frame]) -> list[dict[str, Any]]:
    return [event["usage"] for event in events(frames) if event.get("usage")]


@when(lambda engine, **_: engine in ("vllm", "sglang", "openai"))
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_prompt_is_given_back_without_an_answer(client: openai.AsyncOpenAI, stream: bool) -> None:
    """`max_tokens: 0` with `echo`: how evaluation harnesses ask for the prompt's own probabilities."""
    request: Any = {"model": "default", "prompt": "Hello", "max_tokens": 0, "echo": True, "stream": stream}
    answer: Any = await client.completions.create(**request)
    chunks = [chunk async for chunk in answer] if stream else [answer]
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == "Hello"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_no_answer_and_no_echo_is_refused_by_name(client: openai.AsyncOpenAI, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.completions.create(model="default", prompt="Hello", max_tokens=0, stream=stream)
    assert refusal.value.param == "max_tokens"


@PATHS
async def test_nobody_gets_usage_who_did_not_ask(gateway: RunningGateway, path: str) -> None:
    for options in ({}, {"stream_options": {"include_usage": False}}, {"stream_options": None}):
        frames = await fetch_frames(gateway.url, path, greedy(path, **options), key=gateway.key)
        assert (usages(frames), frames[-1].data) == ([], "[DONE]")
        assert all(event["choices"] for event in events(frames)), "an event without a choice was for the usage"


@PATHS
async def test_usage_that_is_asked_for_comes_once_at_the_end(gateway: RunningGateway, path: str) -> None:
    body = greedy(path, stream_options={"include_usage": True})
    frames = await fetch_frames(gateway.url, path, body, key=gateway.key)
    [usage] = usages(frames)
    assert events(frames)[-1]["usage"] == usage
    assert usage["completion_tokens"] > 0


@when(lambda engine, **_: engine in ("vllm", "sglang", "openai"))
@PATHS
async def test_usage_goes_along_when_that_is_asked_for(gateway: RunningGateway, path: str) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    frames = await fetch_frames(gateway.url, path, greedy(path, stream_options=options), key=gateway.key)
    counts = [usage["completion_tokens"] for usage in usages(frames)]
    assert len(counts) == len(events(frames)), "every event has it"
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


@OPENAI_SHAPED
@PATHS
async def test_a_stream_is_the_engines_own(gateway: RunningGateway, engine: Engine, path: str) -> None:
    """With `timings`, `system_fingerprint` and whatever else is in its events; nothing that only the gateway asked for."""
    url = engine.env["BACKEND_URL"]
    await fetch_frames(url, path, greedy(path, model=engine.model))  # so that both find the same cache
    for _ in range(3):  # vLLM puts two tokens into an event where the machine was busy
        own = events(await fetch_frames(url, path, greedy(path, model=engine.model)))
        ours = events(await fetch_frames(gateway.url, path, greedy(path), key=gateway.key))
        if len(ours) == len(own):
            break
    assert [shown(event) for event in ours] == [shown(event) for event in own]


def shown(event: dict[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in event.items() if value is not None and name != UNASKED}
    return {**{name: said[name] for name in said if name not in ENGINES_OWN}, "names": sorted(said)}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_callers_request_id_reaches_the_engine(gateway: RunningGateway, engine: Engine, stream: bool) -> None:
    given = f"caller-{engine.name}-{stream}"
    body = {**asking("Hello"), "temperature": 0, "stream": stream}
    reply = await fetch(gateway.url, "/v1/chat/completions", body, key=gateway.key, headers={"x-request-id": given})
    assert (reply.status, reply.headers["x-request-id"]) == (200, given)
    await eventually(lambda: given in gateway.stdout())
    if engine.stand_in:
        assert given in engine.stand_in.request_ids[-1]
    elif engine.name == "vllm":
        assert given in reply.text, "vLLM makes it the answer's id"


@when(lambda engine, over, **_: engine in ("sglang", "openai") and not over)
async def test_an_adapter_loaded_at_run_time_is_listed_and_callable(
    gateway: RunningGateway, engine: Engine, client: openai.AsyncOpenAI
) -> None:
    assert engine.stand_in is not None
    name = f"lora-of-{engine.name}"
    with pytest.raises(openai.NotFoundError):
        await client.chat.completions.create(**{**asking("Hello"), "model": name})
    engine.stand_in.adapters.append(name)
    try:

        async def is_called() -> bool:
            body = {**asking("Hello"), "model": name, "temperature": 0}
            reply = await fetch(gateway.url, "/v1/chat/completions", body, key=gateway.key)
            return reply.status == 200 and reply.json["choices"][0]["message"]["content"] == HELLO

        await eventually(is_called, every_s=0.2)
        assert engine.stand_in.requests[-1]["model"] == name
        assert name in [model.id async for model in client.models.list()]
    finally:
        engine.stand_in.adapters.clear()
