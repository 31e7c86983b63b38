"""What not every engine can do: where it is declared to work it works alike, where it is declared refused it is a 400 that names
engine and field.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import openai
import pytest

from tests.contract.declared import FEATURES, Refused
from tests.contract.engines import Engine, asking, needs, when
from tests.contract.heard import hear
from tests.engines.known import CITY_SCHEMA, HELLO, JSON_TEXT, KNOWN, WEATHER_TOOL, schema_format
from tests.support.gateway import RunningGateway
from tests.support.http import fetch
from tests.support.standin import REASONING

pytestmark = pytest.mark.anyio

TOOLS: dict[str, Any] = {"tools": [WEATHER_TOOL], "temperature": 0}
NAMED = {"type": "function", "function": {"name": "get_weather"}}
IMAGE = base64.b64encode(b"\x89PNG\r\n\x1a\n not a picture").decode()
SEEN: list[Any] = [
    {"type": "text", "text": "Hello"},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
]
LACKING = {"triton": "/v1/embeddings", "ollama": "/v1/rerank", "sglang": "/v1/audio/speech", "trtllm": "/tokenize"}
REQUESTS: dict[str, dict[str, Any]] = {
    "tools": {**asking("東京の天気は？"), **TOOLS},
    "tool_choice": {**asking("東京の天気は？"), **TOOLS, "tool_choice": "required"},
    "json_schema": {
        **asking("JSON", "Answer in JSON."),
        "response_format": schema_format(CITY_SCHEMA),
        "temperature": 0,
    },
    "json_object": {**asking("JSON", "Answer in JSON."), "response_format": {"type": "json_object"}, "temperature": 0},
    "logprobs": {**asking("Hello"), "logprobs": True, "top_logprobs": 2, "max_tokens": 3, "temperature": 0},
    "n": {**asking("Hello"), "n": 2, "temperature": 0.01},
    "logit_bias": {**asking("Hello"), "logit_bias": {"5": 1}, "temperature": 0},
    "images": {"model": "default", "messages": [{"role": "user", "content": SEEN}]},
}


@when(lambda engine, feature, **_: isinstance(FEATURES[feature].through(engine), Refused))
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("feature", sorted(REQUESTS))
async def test_what_an_engine_cannot_do_is_refused_by_name(
    client: openai.AsyncOpenAI, engine: Engine, feature: str, stream: bool
) -> None:
    support = engine.can(feature)
    assert isinstance(support, Refused)
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.chat.completions.create(**REQUESTS[feature], stream=stream)
    assert (refusal.value.code, refusal.value.param) == ("unsupported_parameter", support.field)
    assert engine.name in refusal.value.message
    assert support.field in refusal.value.message
    japanese = {"accept-language": "ja"}
    with pytest.raises(openai.BadRequestError, match="対応していません") as refusal:
        await client.chat.completions.create(**REQUESTS[feature], extra_headers=japanese)
    assert engine.name in refusal.value.message


def test_every_refusal_has_a_request_that_meets_it() -> None:
    refused = {name for name, feature in FEATURES.items() for each in feature.but.values() if isinstance(each, Refused)}
    assert refused == set(REQUESTS)


@needs("tools")
@pytest.mark.parametrize(
    "known", [known for known in KNOWN if known.calls], ids=lambda known: known.name.replace(" ", "-")
)
async def test_tools_are_called_alike(client: openai.AsyncOpenAI, engine: Engine, known: Any) -> None:
    request = {**asking(known.prompt), **TOOLS}
    [choice] = (await client.chat.completions.create(**request)).choices
    calls = choice.message.tool_calls or []
    assert choice.finish_reason == "tool_calls"
    assert (choice.message.content or "").strip() == known.text
    assert tuple(json.loads(call.function.arguments) for call in calls) == known.calls
    assert all(call.id and call.type == "function" and call.function.name == "get_weather" for call in calls)
    heard = await hear(await client.chat.completions.create(**request, stream=True))
    assert (heard.finish_reason, heard.text.strip(), heard.arguments) == ("tool_calls", known.text, known.calls)
    assert all(call["id"] and call["name"] == "get_weather" for call in heard.calls.values())
    assert len({call["id"] for call in heard.calls.values()}) == len(known.calls)


@needs("tools")
async def test_tools_that_are_forbidden_or_not_needed_are_left_alone(
    client: openai.AsyncOpenAI, engine: Engine
) -> None:
    for prompt, choice in (("東京の天気は？", "none"), ("Hello", "auto")):
        request = {**asking(prompt), **TOOLS, "tool_choice": choice}
        [answer] = (await client.chat.completions.create(**request)).choices
        assert not answer.message.tool_calls
        assert answer.finish_reason == "stop"
        if prompt == "Hello":
            assert answer.message.content == HELLO


@needs("tools")
async def test_a_tool_s_answer_goes_back_to_the_model(client: openai.AsyncOpenAI, engine: Engine) -> None:
    asked = {**asking("東京の天気は？"), **TOOLS}
    [choice] = (await client.chat.completions.create(**asked)).choices
    [call] = choice.message.tool_calls or []
    told = {"role": "tool", "tool_call_id": call.id, "content": "晴れ、25度"}
    messages: Any = [*asked["messages"], choice.message.model_dump(exclude_none=True), told]
    [answer] = (await client.chat.completions.create(**{**asked, "messages": messages}, max_tokens=64)).choices
    assert answer.finish_reason
    if engine.stand_in:
        assert answer.message.content
        assert "晴れ、25度" in answer.message.content


@needs("tool_choice")
@pytest.mark.parametrize("choice", ["required", NAMED], ids=["required", "named"])
async def test_a_demanded_tool_is_called(client: openai.AsyncOpenAI, engine: Engine, choice: Any) -> None:
    request = {**REQUESTS["tool_choice"], "tool_choice": choice}
    [answer] = (await client.chat.completions.create(**request)).choices
    [call] = answer.message.tool_calls or []
    assert call.id
    assert json.loads(call.function.arguments)["city"] == "東京"
    heard = await hear(await client.chat.completions.create(**request, stream=True))
    assert heard.arguments[0]["city"] == "東京"
    assert heard.calls[0]["id"]


@when(lambda engine, kind, **_: FEATURES[kind].works(engine))
@pytest.mark.parametrize("kind", ["json_schema", "json_object"])
async def test_json_is_json(client: openai.AsyncOpenAI, engine: Engine, kind: str) -> None:
    [answer] = (await client.chat.completions.create(**REQUESTS[kind])).choices
    assert json.loads(answer.message.content or "") == json.loads(JSON_TEXT)
    if engine.stand_in:
        said = engine.stand_in.requests[-1]
        wanted = said.get("format") or said["response_format"]
        assert (
            "additionalProperties" in json.dumps(wanted)
            if kind == "json_schema"
            else wanted in ("json", {"type": kind})
        )


@needs("logprobs")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_log_probabilities(client: openai.AsyncOpenAI, engine: Engine, stream: bool) -> None:
    if stream:
        tokens = (await hear(await client.chat.completions.create(**REQUESTS["logprobs"], stream=True))).logprobs
    else:
        [choice] = (await client.chat.completions.create(**REQUESTS["logprobs"])).choices
        assert choice.logprobs
        tokens = choice.logprobs.content or []
    assert len(tokens) == 3
    assert all(token.token and token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens)
    assert HELLO.startswith("".join(token.token for token in tokens))


@needs("n")
async def test_two_choices(client: openai.AsyncOpenAI, engine: Engine) -> None:
    if engine.stand_in:
        await client.chat.completions.create(**REQUESTS["n"])
        assert engine.stand_in.requests[-1]["n"] == 2
        return
    answer = await client.chat.completions.create(**REQUESTS["n"])
    assert [choice.index for choice in answer.choices] == [0, 1]


@needs("logit_bias")
async def test_a_bias_reaches_the_engine(client: openai.AsyncOpenAI, engine: Engine) -> None:
    await client.chat.completions.create(**REQUESTS["logit_bias"], max_tokens=2)
    if engine.stand_in:
        assert engine.stand_in.requests[-1]["logit_bias"] == {"5": 1}


@needs("images")
async def test_an_image_reaches_the_engine(client: openai.AsyncOpenAI, engine: Engine) -> None:
    assert engine.stand_in is not None
    [choice] = (await client.chat.completions.create(**REQUESTS["images"])).choices
    assert choice.message.content
    assert IMAGE in json.dumps(engine.stand_in.requests[-1])


@needs("reasoning")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_reasoning_comes_apart_from_the_text(client: openai.AsyncOpenAI, engine: Engine, stream: bool) -> None:
    if stream:
        heard = await hear(await client.chat.completions.create(**asking("THINK"), stream=True))
        assert (heard.reasoning, heard.text) == (REASONING, KNOWN[0].text)
    else:
        [choice] = (await client.chat.completions.create(**asking("THINK"))).choices
        assert getattr(choice.message, "reasoning_content", None) == REASONING
        assert choice.message.content == KNOWN[0].text


@needs("embeddings")
async def test_embeddings(client: openai.AsyncOpenAI, engine: Engine) -> None:
    answer = await client.embeddings.create(model="default", input=["こんにちは", "Hello"])
    assert [len(item.embedding) for item in answer.data] == [2, 2]


@when(lambda engine, **_: engine in LACKING)
async def test_an_endpoint_that_the_engine_lacks_says_so(gateway: RunningGateway, engine: Engine) -> None:
    path = {
        "triton": "/v1/embeddings",
        "ollama": "/v1/rerank",
        "sglang": "/v1/audio/speech",
        "trtllm": "/tokenize",
    }.get(engine.name)
    if path is None:
        pytest.skip(f"every path is passed on to {engine.name}")
    reply = await fetch(gateway.url, path, {"model": "default", "input": "x"}, key=gateway.key)
    assert (reply.status, reply.json["error"]["code"]) == (501, "not_supported")
    assert engine.name in reply.json["error"]["message"]


async def test_what_only_describes_a_call_never_hurts(client: openai.AsyncOpenAI, engine: Engine) -> None:
    about: dict[str, Any] = {"user": "someone", "metadata": {"team": "a"}, "store": False, "service_tier": "auto"}
    request = {**asking("Hello"), **about, "temperature": 0, "n": 1, "parallel_tool_calls": True}
    [choice] = (await client.chat.completions.create(**request, extra_body={"priority": 2})).choices
    assert choice.message.content == HELLO
    if engine.stand_in:
        sent = engine.stand_in.requests[-1]
        turned = {"sglang": -2, "openai": 2, "trtllm": pytest.approx(1 / 6)}
        assert sent.get("priority") == turned.get(engine.name), "lower is sooner, whichever way the engine counts"


async def test_a_field_that_nobody_knows_is_passed_on_or_refused_by_name(
    client: openai.AsyncOpenAI, engine: Engine
) -> None:
    request = {**asking("Hello"), "temperature": 0, "extra_body": {"x_new_idea": 5}}
    if engine.name in ("trtllm", "triton", "ollama"):
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.chat.completions.create(**request)
        assert (refusal.value.param, refusal.value.code) == ("x_new_idea", "unsupported_parameter")
        assert engine.name in refusal.value.message
        return
    [choice] = (await client.chat.completions.create(**request)).choices
    assert choice.message.content == HELLO
    if engine.stand_in:
        assert engine.stand_in.requests[-1]["x_new_idea"] == 5
