"""Errors and endings through every engine: the same exception classes, codes and fields, and a client that leaves is noticed."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from tests.contract.declared import ENGINES
from tests.contract.engines import TOKENIZER, Engine, asking, context_tokens, when
from tests.contract.heard import Heard, hear
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import connection, fetch_frames, request_bytes
from tests.support.ports import free_port
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

# No prompt makes the other engines fail in the middle: tests/reliability kills and breaks them instead.
FAILING = when(lambda engine, **_: engine not in ("vllm", "llamacpp", "openai"))
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@BOTH
async def test_a_prompt_that_does_not_fit_is_refused(client: openai.AsyncOpenAI, engine: Engine, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.chat.completions.create(**asking("こんにちは " * context_tokens(engine)), stream=stream)
    assert refusal.value.code == "context_length_exceeded"
    assert refusal.value.type == "invalid_request_error"


@when(lambda engine, **_: engine not in ("trtllm", "triton"))  # they don't say how much fits
@BOTH
async def test_more_output_than_the_context_holds_is_refused(
    client: openai.AsyncOpenAI, gateway: RunningGateway, engine: Engine, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.chat.completions.create(**asking("Hello"), max_tokens=10_000_000, stream=stream)
    assert refusal.value.param == "max_tokens"


@BOTH
@pytest.mark.parametrize(
    ("field", "value"), [("temperature", "hot"), ("max_tokens", 0), ("stop", 5), ("messages", "Hello"), ("top_p", 2)]
)
async def test_a_value_of_the_wrong_kind_is_named(
    client: openai.AsyncOpenAI, field: str, value: Any, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.chat.completions.create(**{**asking("Hello"), field: value}, stream=stream)
    assert refusal.value.param == field


async def test_an_unknown_model_is_not_found(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refusal:
        await client.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "Hello"}])
    assert refusal.value.code == "model_not_found"
    assert "default" in refusal.value.message


@FAILING
async def test_an_error_in_the_middle_is_told_in_the_stream(client: openai.AsyncOpenAI, engine: Engine) -> None:
    for fault in engine.faults:
        stream = await client.chat.completions.create(**asking(fault), stream=True)
        heard = Heard()
        with pytest.raises(openai.APIError) as failure:
            await hear(stream, heard)
        assert heard.text, "what came before was passed on"
        assert failure.value.type == "upstream_error"
    [choice] = (await client.chat.completions.create(**asking("Hello"), temperature=0)).choices
    assert choice.message.content, "the engine's next call is served"


@FAILING
async def test_an_error_in_the_middle_of_a_whole_answer_is_a_502(client: openai.AsyncOpenAI, engine: Engine) -> None:
    with pytest.raises(openai.InternalServerError) as failure:
        await client.chat.completions.create(**asking("ERROR_MID"))
    assert (failure.value.status_code, failure.value.type) == (502, "upstream_error")


@FAILING
async def test_generate_stream_tells_an_error_as_an_event(gateway: RunningGateway, engine: Engine) -> None:
    frames = await fetch_frames(gateway.url, "/generate_stream", {"prompt": engine.faults[0]}, key=gateway.key)
    assert frames[-1].event == "error"
    assert frames[-1].json["error"]["type"] == "upstream_error"


@BOTH
async def test_a_client_that_leaves_frees_the_engine(gateway: RunningGateway, engine: Engine, stream: bool) -> None:
    before = len(gateway.calls())
    body = {**engine.endless, **engine.endless.get("extra_body", {}), "stream": stream}
    body.pop("extra_body", None)
    async with connection(gateway.url) as client:
        await client.send(request_bytes("POST", "/v1/chat/completions", body, gateway.key))
        await eventually(lambda: _runs(engine, 1))
        if stream:
            await client.read_head()
        await asyncio.sleep(0.2)
        assert await engine.running() == 1
        client.leave()
        await eventually(lambda: _runs(engine, 0))
    await eventually(lambda: 499 in [record["status"] for record in gateway.calls()[before:]])


async def test_an_engine_that_is_down_is_told_at_once() -> None:
    """One gateway with a dead deployment of every kind; `options` and all."""
    port = free_port()
    deployments = "".join(
        f"  {name}: {{backend: {name}, model: m, replicas: ['http://127.0.0.1:{port}']"
        + (f", options: {{tokenizer: '{TOKENIZER}'}}" if name == "triton" else "")
        + "}\n"
        for name in (*ENGINES, "openai")
    )
    async with running_gateway(config=f"deployments:\n{deployments}") as gateway:
        sdk = openai.AsyncOpenAI(api_key=gateway.key, base_url=f"{gateway.url}/v1", max_retries=0)
        async with sdk as client:
            for name in (*ENGINES, "openai"):
                with pytest.raises(openai.InternalServerError) as failure:
                    await client.chat.completions.create(model=name, messages=[{"role": "user", "content": "Hello"}])
                assert failure.value.status_code in (502, 503), name


async def _runs(engine: Engine, calls: int) -> bool:
    return await engine.running() == calls
