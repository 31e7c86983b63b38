"""/v1/responses through every engine, its own or made of its chat: OpenAI's events in OpenAI's order, the same loop of calls."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.contract.engines import Engine, context_tokens, needs, when
from tests.engines.known import CITY_SCHEMA, HELLO, JAPANESE, JSON_TEXT, KNOWN, WEATHER_TOOL, Known
from tests.support.gateway import RunningGateway
from tests.support.http import connection, fetch, fetch_frames, request_bytes
from tests.support.responses import Followed, followed, whole
from tests.support.standin import REASONING
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

PATH = "/v1/responses"
PLAIN = [known for known in KNOWN if not known.fields and known.name != "reasoning in the text"]
TOOL: Any = {"type": "function", **WEATHER_TOOL["function"]}  # type: ignore[dict-item]  # the tool of the dialogues, flat
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
MADE_OF_CHAT = when(lambda engine, over, **_: engine not in ("vllm", "llamacpp") and not over.startswith("vllm"))
"""Engines whose responses the gateway writes, so that every member of every event is its own."""


def asking(prompt: str, **fields: Any) -> dict[str, Any]:
    return {"model": "default", "input": prompt, "temperature": 0, **fields}


async def ask(client: openai.AsyncOpenAI, stream: bool, **fields: Any) -> Any:
    """The response, by whichever way."""
    if not stream:
        return await client.responses.create(**fields)
    async with client.responses.stream(**fields) as events:  # which puts the response together by itself, and compares
        seen: list[Any] = [event async for event in events]
    return seen[-1].response


@BOTH
@pytest.mark.parametrize("known", PLAIN, ids=lambda known: known.name.replace(" ", "-"))
async def test_a_response_is_the_known_answer(
    client: openai.AsyncOpenAI, engine: Engine, known: Known, stream: bool
) -> None:
    response = await ask(client, stream, **asking(known.prompt, instructions=known.system))
    assert (response.object, response.status) == ("response", "completed")
    assert response.id.startswith("resp")
    assert response.model == engine.model
    assert response.output_text == known.text
    assert response.usage.input_tokens > 0
    assert response.usage.output_tokens > 0
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


@MADE_OF_CHAT
async def test_every_event_has_all_that_openais_has(gateway: RunningGateway, engine: Engine) -> None:
    body = asking("日本語で答えて", stream=True, instructions="簡潔に。", metadata={"team": "a"}, top_p=1)
    frames = await fetch_frames(gateway.url, PATH, body, key=gateway.key)
    seen = followed(frame.json for frame in frames if frame.data)
    assert seen.final is not None
    assert (seen.final.output_text, seen.final.instructions, seen.final.metadata) == (
        JAPANESE,
        "簡潔に。",
        {"team": "a"},
    )
    assert len(seen.kinds) > 20, "it came as a stream"
    reply = (await fetch(gateway.url, PATH, {**body, "stream": False}, key=gateway.key)).json
    assert whole(reply).output_text == JAPANESE
    own = ("id", "created_at", "completed_at", "output")
    said = frames[-1].json["response"]
    assert {**said, **dict.fromkeys(own)} == {**reply, **dict.fromkeys(own)}, "whole and streamed say the same"


@BOTH
async def test_a_conversation_reaches_the_model(client: openai.AsyncOpenAI, engine: Engine, stream: bool) -> None:
    said: Any = [
        {"role": "user", "content": "Hello"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": HELLO, "annotations": []}],
        },
        {"role": "user", "content": [{"type": "input_text", "text": "こんにちは"}]},
    ]
    longer = await ask(client, stream, **asking("", max_output_tokens=16) | {"input": said})
    shorter = await ask(client, stream, **asking("こんにちは", max_output_tokens=16))
    assert longer.usage.input_tokens > shorter.usage.input_tokens
    if engine.stand_in:
        assert [message["role"] for message in engine.stand_in.requests[-2]["messages"]] == [
            "user",
            "assistant",
            "user",
        ]


@MADE_OF_CHAT
@BOTH
async def test_a_used_up_allowance_is_an_incomplete_response(client: openai.AsyncOpenAI, stream: bool) -> None:
    fields = asking("日本語で答えて", max_output_tokens=4)
    if stream:
        events = [event async for event in await client.responses.create(**fields, stream=True)]
        last: Any = events[-1]
        assert last.type == "response.incomplete"
        response = last.response
    else:
        response = await client.responses.create(**fields)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert response.output_text
    assert JAPANESE.startswith(response.output_text)
    assert response.output[-1].status == "incomplete"


@needs("tools")
@BOTH
@pytest.mark.parametrize(
    "known", [known for known in KNOWN if known.calls], ids=lambda known: known.name.replace(" ", "-")
)
async def test_functions_are_called_and_their_results_go_back(
    client: openai.AsyncOpenAI, engine: Engine, known: Known, stream: bool
) -> None:
    asked = asking(known.prompt, tools=[TOOL])
    response = await ask(client, stream, **asked)
    calls = [item for item in response.output if item.type == "function_call"]
    assert tuple(json.loads(call.arguments) for call in calls) == known.calls
    assert all(call.call_id and call.name == "get_weather" for call in calls)
    assert response.output_text.strip() == known.text
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "晴れ、25度"} for call in calls]
    said: Any = [{"role": "user", "content": known.prompt}, *map(_sent, response.output), *results]
    last = await ask(client, stream, **{**asked, "input": said, "max_output_tokens": 64})
    assert last.status in ("completed", "incomplete")
    if engine.stand_in:
        assert "晴れ、25度" in last.output_text


def _sent(item: Any) -> dict[str, Any]:
    """An item as the SDK's users send it back."""
    sent: dict[str, Any] = item.model_dump(exclude_none=True)
    sent.pop("parsed_arguments", None)
    for part in sent.get("content", ()):
        part.pop("parsed", None)
    return sent


@needs("tools")
@MADE_OF_CHAT
async def test_one_call_at_a_time_is_one_call(client: openai.AsyncOpenAI, engine: Engine) -> None:
    response = await ask(client, True, **asking("東京と大阪の天気は？", tools=[TOOL], parallel_tool_calls=False))
    assert [item.type for item in response.output] == ["function_call"]


@needs("json_schema")
async def test_a_schema_reaches_the_engine(client: openai.AsyncOpenAI, engine: Engine) -> None:
    wanted: Any = {"format": {"type": "json_schema", "name": "city", "schema": CITY_SCHEMA, "strict": True}}
    response = await client.responses.create(**asking("JSON", instructions="Answer in JSON.", text=wanted))
    assert json.loads(response.output_text) == json.loads(JSON_TEXT)
    if engine.stand_in:
        said = engine.stand_in.requests[-1]
        assert "additionalProperties" in json.dumps(said.get("format") or said["response_format"])


@needs("reasoning")
@BOTH
async def test_reasoning_is_an_item_before_the_message(client: openai.AsyncOpenAI, stream: bool) -> None:
    thought, said = (await ask(client, stream, **asking("THINK"))).output
    assert (thought.type, said.type) == ("reasoning", "message")
    assert thought.content[0].text == REASONING
    assert said.content[0].text == KNOWN[0].text


@needs("logprobs")
@MADE_OF_CHAT
@BOTH
async def test_log_probabilities(client: openai.AsyncOpenAI, stream: bool) -> None:
    wanted: Any = {"include": ["message.output_text.logprobs"], "top_logprobs": 2, "max_output_tokens": 3}
    response = await ask(client, False, **asking("Hello", **wanted)) if not stream else None
    if stream:
        events = [event async for event in await client.responses.create(**asking("Hello", **wanted), stream=True)]
        last: Any = events[-1]
        response = last.response
    assert response is not None
    tokens = response.output[0].content[0].logprobs
    assert len(tokens) == 3
    assert all(token.token and token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens)


@BOTH
async def test_a_prompt_that_does_not_fit_is_refused(client: openai.AsyncOpenAI, engine: Engine, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.responses.create(**asking("こんにちは " * context_tokens(engine)), stream=stream)
    assert refusal.value.code == "context_length_exceeded"


@MADE_OF_CHAT
@BOTH
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}, "tool_choice.type"),
        ({"tools": [{"type": "web_search"}], "tool_choice": "required"}, "tools.0.type"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"background": True}, "background"),
        ({"extra_body": {"messages": []}}, "messages"),
        ({"extra_body": {"stop": 5}}, "stop"),
    ],
    ids=str,
)
async def test_what_cannot_be_done_is_named(
    client: openai.AsyncOpenAI, fields: dict[str, Any], param: str, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.responses.create(**asking("Hello", **fields), stream=stream)
    assert refusal.value.param == param


@when(lambda engine, **_: engine == "triton")
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [TOOL]}, "tools"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format"),
        ({"reasoning": {"effort": "low"}}, "reasoning.effort"),
        ({"top_logprobs": 2}, "top_logprobs"),
    ],
    ids=str,
)
async def test_what_the_engine_cannot_do_is_refused_in_the_words_of_the_request(
    client: openai.AsyncOpenAI, engine: Engine, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.responses.create(**asking("Hello", **fields))
    assert (refusal.value.code, refusal.value.param) == ("unsupported_parameter", param)
    assert engine.name in refusal.value.message


@MADE_OF_CHAT
async def test_an_agents_usual_fields_never_hurt(client: openai.AsyncOpenAI) -> None:
    about: Any = {
        "store": False,
        "metadata": {"team": "a"},
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "k",
        "service_tier": "auto",
        "truncation": "auto",
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"summary": "auto"},
        "text": {"verbosity": "medium"},
        "safety_identifier": "s",
    }
    assert (await ask(client, True, **asking("Hello", **about))).output_text == HELLO


@when(lambda engine, **_: engine in ("trtllm", "ollama", "sglang", "openai"))
async def test_a_stream_that_breaks_ends_with_the_dialects_error(gateway: RunningGateway, engine: Engine) -> None:
    for fault in engine.faults:
        frames = await fetch_frames(gateway.url, PATH, asking(fault, stream=True), key=gateway.key)
        *events, last = [frame for frame in frames if frame.data]
        seen = Followed()
        for event in events:
            seen.take(event.json)
        assert "response.output_text.delta" in seen.kinds
        assert seen.final is None
        assert (last.event, last.json["code"]) == ("error", "upstream_error")


@BOTH
async def test_a_client_that_leaves_frees_the_engine(gateway: RunningGateway, engine: Engine, stream: bool) -> None:
    async def runs(count: int) -> bool:
        return await engine.running() == count

    before = len(gateway.calls())
    fields = {**engine.endless, **engine.endless.get("extra_body", {}), "stream": stream}
    fields["input"] = fields.pop("messages")
    if (limit := fields.pop("max_tokens", None)) is not None:
        fields["max_output_tokens"] = limit
    fields.pop("extra_body", None)
    async with connection(gateway.url) as leaver:
        await leaver.send(request_bytes("POST", PATH, fields, gateway.key))
        await eventually(lambda: runs(1))
        if stream:
            await leaver.read_head()
        leaver.leave()
        await eventually(lambda: runs(0))
    await eventually(lambda: 499 in [record["status"] for record in gateway.calls()[before:]])
