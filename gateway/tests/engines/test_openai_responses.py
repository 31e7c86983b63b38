"""The `openai` packages, Python's and Node's, at /v1/responses of real engines: typed events, and a loop of function calls.

llama.cpp's are made of its chat, whether it is known as itself or as some engine with OpenAI's API; vLLM's are its own, or made so.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.engines.known import CITY_SCHEMA, HELLO, JAPANESE, JSON_TEXT, KNOWN, WEATHER_TOOL, Known
from tests.engines.launch import EngineProcess
from tests.engines.node_program import installed, what_it_saw
from tests.support.gateway import RunningGateway
from tests.support.http import fetch, fetch_frames
from tests.support.responses import followed, whole

pytestmark = pytest.mark.anyio

PATH = "/v1/responses"
CALLED = [known for known in KNOWN if known.calls]
TOOL: Any = {"type": "function", **WEATHER_TOOL["function"]}  # type: ignore[dict-item]  # flat
MODELS = pytest.mark.parametrize("model", ["default", "plain"])
"""The engine by its own adapter; and by the one for any engine, of whose chat responses are made."""


@pytest.fixture(scope="module")
def gateway(two_ways: RunningGateway) -> RunningGateway:
    return two_ways


@MODELS
async def test_a_stream_is_put_together_by_the_package(client: AsyncOpenAI, model: str) -> None:
    kinds, said = [], ""
    async with client.responses.stream(model=model, input="日本語で答えて", temperature=0) as events:
        async for event in events:
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                said += event.delta
                assert event.snapshot == said
        final = await events.get_final_response()
    assert (final.output_text, said) == (JAPANESE, JAPANESE)
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert final.usage is not None
    assert (final.usage.input_tokens, final.usage.output_tokens) == (65, 332)


async def test_what_is_made_of_a_chat_has_all_that_openais_has(gateway: RunningGateway, engine: EngineProcess) -> None:
    for model in _made_of_a_chat(engine):
        for known in (*CALLED, next(each for each in KNOWN if each.name == "tools left unused")):
            body: dict[str, Any] = {"model": model, "input": known.prompt, "temperature": 0, "tools": [TOOL]}
            frames = await fetch_frames(gateway.url, PATH, {**body, "stream": True}, key=gateway.key)
            seen = followed(frame.json for frame in frames if frame.data)
            reply = (await fetch(gateway.url, PATH, body, key=gateway.key)).json
            whole(reply)
            assert [_alike(item) for item in seen.items] == [_alike(item) for item in reply["output"]]


def _made_of_a_chat(engine: EngineProcess) -> list[str]:
    return ["plain", "default"] if engine.backend == "llamacpp" else ["plain"]


def _alike(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in ("id", "call_id")}


@MODELS
@pytest.mark.parametrize("known", CALLED, ids=lambda known: known.name.replace(" ", "-"))
async def test_a_loop_of_function_calls(client: AsyncOpenAI, model: str, known: Known) -> None:
    said: list[Any] = [{"role": "user", "content": known.prompt}]
    asked: Any = {"model": model, "tools": [TOOL], "temperature": 0}
    async with client.responses.stream(**asked, input=said) as events:
        response = await (await events.until_done()).get_final_response()
    calls = [item for item in response.output if item.type == "function_call"]
    assert tuple(json.loads(call.arguments) for call in calls) == known.calls
    assert response.output_text.strip() == known.text
    said += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in calls]
    said += [{"type": "function_call_output", "call_id": call.call_id, "output": "晴れ"} for call in calls]
    last = await client.responses.create(**asked, input=said, max_output_tokens=32)
    assert last.output
    assert last.usage is not None
    assert response.usage is not None
    assert last.usage.input_tokens > response.usage.input_tokens, "the calls and their results went along"


@MODELS
async def test_a_schema_and_a_limit(client: AsyncOpenAI, model: str) -> None:
    wanted: Any = {"format": {"type": "json_schema", "name": "city", "schema": CITY_SCHEMA, "strict": True}}
    asked: Any = {"model": model, "temperature": 0}
    answer = await client.responses.create(**asked, input="JSON", instructions="Answer in JSON.", text=wanted)
    assert json.loads(answer.output_text) == json.loads(JSON_TEXT)
    cut = await client.responses.create(**asked, input="Hello", max_output_tokens=16)
    assert HELLO.startswith(cut.output_text)
    assert cut.usage is not None
    assert cut.usage.output_tokens == 16


async def test_in_node_too(gateway: RunningGateway) -> None:
    env = {"BASE_URL": f"{gateway.url}/v1", "API_KEY": gateway.key}
    two = next(known for known in CALLED if known.name == "two tool calls")
    given = {"models": ["default", "plain"], "text": "日本語で答えて", "tools": two.prompt, "tool": TOOL}
    found = await what_it_saw(installed("responses.mjs"), env, given)
    for model in ("default", "plain"):
        seen = found[model]
        assert (seen["whole"], seen["streamed"], seen["deltas"]) == (JAPANESE, JAPANESE, JAPANESE)
        assert seen["usage"] == {"input": 65, "output": 332, "total": 397}
        assert seen["last"] == "response.completed"
        assert seen["calls"] == list(two.calls)
        assert seen["after"] in ("completed", "incomplete")
        assert seen["refused"] == {"class": "BadRequestError", "status": 400, "param": "background"}


AGENTS: list[Any] = [
    {"type": "namespace", "name": "demo", "description": "Of a city.", "tools": [TOOL]},
    {"type": "web_search"},
]
"""As the Codex CLI offers them."""
WRITE: Any = {"type": "custom", "name": "write"}


async def test_one_of_a_namespace_is_called_and_answered(client: AsyncOpenAI, engine: EngineProcess) -> None:
    for model in _made_of_a_chat(engine):
        said: list[Any] = [{"role": "user", "content": CALLED[0].prompt}]
        asked: Any = {"model": model, "tools": AGENTS, "temperature": 0}
        async with client.responses.stream(**asked, input=said) as events:
            response = await (await events.until_done()).get_final_response()
        calls = [item for item in response.output if item.type == "function_call"]
        assert [(call.namespace, call.name) for call in calls] == [("demo", "get_weather")]
        sound = {
            "arguments": '{"city":"東京"}'
        }  # the tiny model has never seen such a tool, and vLLM holds it to nothing
        said += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) | sound for item in calls]
        said += [{"type": "function_call_output", "call_id": call.call_id, "output": "晴れ"} for call in calls]
        last = await client.responses.create(**asked, input=said, max_output_tokens=32)
        assert last.output


async def test_a_custom_tool_is_called_with_a_text_and_answered(client: AsyncOpenAI, engine: EngineProcess) -> None:
    """The model knows no such tool: it is made to call one, and says what it likes."""
    asked: Any = {"model": "plain", "tools": [WRITE], "temperature": 0, "max_output_tokens": 400}
    stream = await client.responses.create(**asked, tool_choice="required", input="Hello", stream=True)
    events: list[Any] = [event async for event in stream]
    calls = [item for item in events[-1].response.output if item.type == "custom_tool_call"]
    assert calls, f"{engine.backend} was told that a tool must be called"
    assert {call.name for call in calls} == {"write"}
    for call in calls:
        deltas = [
            event.delta for event in events if getattr(event, "item_id", "") == call.id and hasattr(event, "delta")
        ]
        assert "".join(deltas) == call.input
    outputs: Any = [{"type": "custom_tool_call_output", "call_id": call.call_id, "output": "ok"} for call in calls]
    last = await client.responses.create(
        **{**asked, "max_output_tokens": 16}, previous_response_id=events[-1].response.id, input=outputs
    )
    assert last.output
