"""A program written for the `openai` package works unchanged: answers, streams, tools, schemas and its own errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.engines.known import HELLO, JAPANESE, KNOWN, Known
from tests.support.engine_faults import NO_ANSWER, cut_mid_frame
from tests.support.engine_script import Answer, error
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

BY_NAME = {known.name: known for known in KNOWN}


class City(BaseModel):
    """What the tiny model says when it is asked for JSON."""

    city: str
    population: int
    tags: list[str]


@pytest.fixture
async def sdk(gateway: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
async def scripted() -> AsyncIterator[FakeEngine]:
    async with running_engine() as engine:
        yield engine


@pytest.fixture(scope="module")
async def scripted_sdk(scripted: FakeEngine) -> AsyncIterator[AsyncOpenAI]:
    """A client of a gateway in front of `scripted`, which no failure throws out."""
    async with gateway_to(scripted, "health: {eject_after: 1000}") as sdk:
        yield sdk


async def test_a_whole_answer(sdk: AsyncOpenAI) -> None:
    answer = await sdk.chat.completions.create(**BY_NAME["japanese"].request())
    assert answer.choices[0].message.content == JAPANESE
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (65, 332, 397)


async def test_a_stream(sdk: AsyncOpenAI) -> None:
    request = BY_NAME["japanese"].request(stream=True, stream_options={"include_usage": True})
    text, usage = "", None
    async for chunk in await sdk.chat.completions.create(**request):
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        usage = chunk.usage or usage
    assert text == JAPANESE
    assert usage is not None
    assert usage.completion_tokens == 332


async def test_tool_calls(sdk: AsyncOpenAI) -> None:
    known = BY_NAME["two tool calls"]
    answer = await sdk.chat.completions.create(**known.request())
    calls = answer.choices[0].message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls if call.type == "function"] == list(known.calls)
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_tool_calls_put_together_by_the_stream_helper(sdk: AsyncOpenAI) -> None:
    known = BY_NAME["text, then a tool call"]
    async with sdk.chat.completions.stream(**known.request()) as stream:
        message = (await stream.get_final_completion()).choices[0].message
    assert (message.content or "").strip() == known.text
    assert [json.loads(call.function.arguments) for call in message.tool_calls or ()] == list(known.calls)


async def test_a_pydantic_model_as_the_answers_schema(sdk: AsyncOpenAI) -> None:
    request = BY_NAME["json"].request()
    answer = await sdk.chat.completions.parse(**request, response_format=City)
    assert answer.choices[0].message.parsed == City(city="東京", population=14_000_000, tags=["首都", "都市"])


async def test_models_and_text_completions(sdk: AsyncOpenAI, gateway: RunningGateway) -> None:
    names = {model.id async for model in sdk.models.list()}
    assert {"default", "tiny-qwen2"} <= names
    assert (await sdk.models.retrieve("default")).id == "default"
    answer = await sdk.completions.create(model="default", prompt="Hello", max_tokens=8, temperature=0)
    assert answer.choices[0].text.startswith(" How can")


async def test_responses(sdk: AsyncOpenAI) -> None:
    answer = await sdk.responses.create(model="default", input="Hello", temperature=0, max_output_tokens=30)
    assert answer.output_text == HELLO


async def test_a_wrong_key_is_an_authentication_error(sdk: AsyncOpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        await ask(sdk.with_options(api_key="sk-wrong"), BY_NAME["english"])
    assert caught.value.code == "invalid_api_key"


async def test_an_unknown_model_is_a_not_found_error(sdk: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="default") as caught:
        await sdk.chat.completions.create(model="gpt-nonesuch", messages=[{"role": "user", "content": "Hello"}])
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("field", "value"), [("temperature", -1), ("max_tokens", 0), ("messages", []), ("n", 1000), ("top_p", 2)]
)
async def test_a_bad_field_is_a_bad_request_error_that_names_it(sdk: AsyncOpenAI, field: str, value: object) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.chat.completions.create(**BY_NAME["english"].request(**{field: value}))
    assert caught.value.param == field


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_prompt_that_is_too_long_is_a_bad_request_error(sdk: AsyncOpenAI, stream: bool) -> None:
    messages = [{"role": "user", "content": "repeat " * 40_000}]
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.chat.completions.create(**BY_NAME["english"].request(messages=messages, stream=stream))
    assert caught.value.code == "context_length_exceeded"


async def ask(sdk: AsyncOpenAI, known: Known = BY_NAME["english"]) -> None:
    await sdk.chat.completions.create(**{**known.request(), "model": "default"})


@pytest.mark.parametrize(
    ("script", "expected", "status"),
    [
        (error(429, "slow down", {"retry-after": "7"}), openai.RateLimitError, 429),
        (error(500, "boom"), openai.InternalServerError, 502),
        (error(503, "busy"), openai.InternalServerError, 503),
        (error(400, "no such thing"), openai.BadRequestError, 400),
        (error(422, "wrong type"), openai.UnprocessableEntityError, 422),
    ],
    ids=["429", "500", "503", "400", "422"],
)
async def test_the_engines_errors_are_the_sdks_classes(
    scripted: FakeEngine, scripted_sdk: AsyncOpenAI, script: Answer, expected: type[openai.APIStatusError], status: int
) -> None:
    scripted.script = script
    with pytest.raises(expected) as caught:
        await ask(scripted_sdk)
    assert caught.value.status_code == status
    assert caught.value.response.headers["x-request-id"]
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "7"


async def test_the_gateways_own_rate_limit_is_a_rate_limit_error() -> None:
    async with running_engine() as engine, gateway_to(engine, "limits: {requests_per_minute: 1}") as sdk:
        await ask(sdk)
        with pytest.raises(openai.RateLimitError) as caught:
            await ask(sdk)
    assert caught.value.code == "rate_limit_exceeded"
    assert int(caught.value.response.headers["retry-after"]) > 0


async def test_a_silent_engine_is_the_sdks_timeout_and_the_engine_is_told(
    scripted: FakeEngine, scripted_sdk: AsyncOpenAI
) -> None:
    scripted.script = NO_ANSWER
    with pytest.raises(openai.APITimeoutError):
        await ask(scripted_sdk.with_options(timeout=0.5))  # runs out
    await eventually(scripted.abandoned.is_set)


async def test_an_answer_that_breaks_off_is_an_api_error_in_the_stream(
    scripted: FakeEngine, scripted_sdk: AsyncOpenAI
) -> None:
    scripted.script = cut_mid_frame()
    texts: list[str] = []
    with pytest.raises(openai.APIError) as caught:
        await read_into(texts, scripted_sdk)
    assert texts[0] == "こん"
    assert caught.value.code == "upstream_error"


async def read_into(texts: list[str], sdk: AsyncOpenAI) -> None:
    request = BY_NAME["english"].request(stream=True)
    async for chunk in await sdk.chat.completions.create(**{**request, "model": "default"}):
        texts += [choice.delta.content for choice in chunk.choices if choice.delta.content]


@asynccontextmanager
async def gateway_to(engine: FakeEngine, *more: str) -> AsyncIterator[AsyncOpenAI]:
    """An SDK client on a gateway of its own in front of a fake engine; `more` are further lines of its YAML."""
    deployment = f"deployments: {{scripted: {{backend: vllm, model: scripted, replicas: ['{engine.url}']}}}}"
    async with (
        running_gateway(config="\n".join((deployment, *more))) as gateway,
        AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk,
    ):
        yield sdk
