"""The same for OpenAI's Node package: one program run once per engine, its findings checked one by one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.engines.known import CITY_SCHEMA, JAPANESE, JSON_TEXT, KNOWN, schema_format
from tests.engines.node_program import installed, what_it_saw
from tests.support.engine_faults import NO_ANSWER, cut_mid_frame
from tests.support.engine_script import Answer, error
from tests.support.fake_engine import running_engine
from tests.support.gateway import RunningGateway, running_gateway

pytestmark = pytest.mark.anyio

BY_NAME = {known.name: known for known in KNOWN}
REQUESTS = {
    "japanese": BY_NAME["japanese"].request(),
    "tools": BY_NAME["two tool calls"].request(),
    "text_then_tool": BY_NAME["text, then a tool call"].request(),
    "schema": BY_NAME["json"].request(response_format=schema_format(CITY_SCHEMA)),
}
BROKEN: dict[str, Answer] = {
    "limited": error(429),
    "failing": error(500),
    "breaking": cut_mid_frame(),
    "silent": NO_ANSWER,
}
ERRORS = {
    "wrong_key": {"class": "AuthenticationError", "status": 401, "code": "invalid_api_key", "param": None},
    "unknown_model": {"class": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"},
    "bad_field": {"class": "BadRequestError", "status": 400, "code": None, "param": "temperature"},
    "rate_limit": {"class": "RateLimitError", "status": 429, "code": "rate_limit_exceeded", "param": None},
    "engine_error": {"class": "InternalServerError", "status": 502, "code": "upstream_error", "param": None},
    "broken_stream": {"class": "APIError", "status": None, "code": "upstream_error", "param": None},
    "timeout": {"class": "APIConnectionTimeoutError", "status": None, "code": None, "param": None},
}


@pytest.fixture(scope="module")
def program() -> Path:
    """The program beside the packages its lock file names."""
    return installed("sdk.mjs")


@pytest.fixture(scope="module")
async def broken_gateway() -> AsyncIterator[RunningGateway]:
    """A gateway whose deployments fail, each in its way."""
    async with AsyncExitStack() as running:
        lines = ["deployments:"]
        for name, script in BROKEN.items():
            engine = await running.enter_async_context(running_engine(script))
            lines.append(f"  {name}: {{backend: vllm, model: scripted, replicas: ['{engine.url}']}}")
        yield await running.enter_async_context(running_gateway(config="\n".join(lines)))


@pytest.fixture(scope="module")
async def found(program: Path, gateway: RunningGateway, broken_gateway: RunningGateway) -> dict[str, Any]:
    """What the program saw."""
    env = {"BASE_URL": f"{gateway.url}/v1", "API_KEY": gateway.key, "BROKEN_URL": f"{broken_gateway.url}/v1"}
    return await what_it_saw(program, env, REQUESTS)


async def test_models_and_whole_answers(found: dict[str, Any]) -> None:
    assert {"default", "tiny-qwen2"} <= set(found["models"])
    assert found["whole"] == {"text": JAPANESE, "finish_reason": "stop"}


async def test_streams(found: dict[str, Any]) -> None:
    streamed = found["streamed"]
    assert (streamed["text"], streamed["finish_reason"]) == (JAPANESE, "stop")
    assert (streamed["usage"]["prompt_tokens"], streamed["usage"]["completion_tokens"]) == (65, 332)


async def test_tools_and_schemas(found: dict[str, Any]) -> None:
    assert found["tools"] == list(BY_NAME["two tool calls"].calls)
    assembled = found["assembled"]
    assert (assembled["text"].strip(), assembled["finish_reason"]) == ("Let me check.", "tool_calls")
    assert assembled["calls"] == list(BY_NAME["text, then a tool call"].calls)
    assert found["schema"] == json.loads(JSON_TEXT)


@pytest.mark.parametrize("case", ERRORS)
async def test_errors_are_the_sdks_classes(found: dict[str, Any], case: str) -> None:
    assert found["errors"][case] == ERRORS[case]
