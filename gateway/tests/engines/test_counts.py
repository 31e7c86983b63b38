"""What an engine says beforehand of a prompt's tokens is what it counts when it answers it, and what the model's own tokenizer
makes of it.
"""

from __future__ import annotations

from typing import Any

import pytest

from hayate.backends.base import Asked, Backend, Counting, Served
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.tokenizer import ModelTokenizer, load_tokenizer
from hayate.backends.vllm_client import VLLMClient
from hayate.fleet.counting import count_prompt
from hayate.fleet.deployment import Deployment
from hayate.fleet.spec import DeploymentSpec
from hayate.settings import Probing
from hayate.wire.paths import CHAT, MESSAGES, RESPONSES
from tests.engines.known import WEATHER_TOOL
from tests.engines.launch import MODEL, TINY_HF, EngineProcess
from tests.support.http import fetch

pytestmark = pytest.mark.anyio

SYSTEM = {"role": "system", "content": "あなたは親切な助手です。"}
QUESTION = {"role": "user", "content": "東京の天気は？"}
ANSWERED = [QUESTION, {"role": "assistant", "content": "晴れです。🗼"}, {"role": "user", "content": "Hello"}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "東京"}'}}
EXCHANGE = [
    QUESTION,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": '{"weather": "晴れ"}'},
]
LIMIT = {"max_tokens": 1, "temperature": 0}
CHATS: dict[str, dict[str, Any]] = {
    "a question": {"messages": [QUESTION]},
    "a system prompt": {"messages": [SYSTEM, QUESTION]},
    "a conversation": {"messages": [SYSTEM, *ANSWERED * 20]},
    "tools": {"messages": [SYSTEM, QUESTION], "tools": [WEATHER_TOOL]},
    "tools that are not to be used": {"messages": [QUESTION], "tools": [WEATHER_TOOL], "tool_choice": "none"},
    "a tool's answer": {"messages": [SYSTEM, *EXCHANGE], "tools": [WEATHER_TOOL]},
    "parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]},
    "an answer gone on with": {
        "messages": [QUESTION, {"role": "assistant", "content": "東京は"}],
        "add_generation_prompt": False,
        "continue_final_message": True,
    },
    "variables of the template": {"messages": [QUESTION], "chat_template_kwargs": {"enable_thinking": False}},
    "an answer in JSON": {"messages": [QUESTION], "response_format": {"type": "json_object"}},
}
BACKENDS: dict[str, type[Backend]] = {"llamacpp": LlamaCppClient, "vllm": VLLMClient}


def deployment(url: str, backend: Backend) -> Deployment:
    """One that has been seen to answer."""
    made = Deployment(DeploymentSpec("tiny", backend, None, (url,)), Probing())
    made.replicas[0].health.probe_succeeded(0.0, beside=False)
    made.replicas[0].served = Served((MODEL,))
    made.refresh()
    return made


async def counted(engine: EngineProcess, path: str, fields: dict[str, Any]) -> int | None:
    return await count_prompt(deployment(engine.url, BACKENDS[engine.backend]()), Asked(path, None, fields))


async def used(engine: EngineProcess, path: str, fields: dict[str, Any]) -> dict[str, Any]:
    reply = await fetch(engine.url, path, {"model": MODEL, **fields})
    assert reply.status == 200, reply.text
    usage: dict[str, Any] = reply.json["usage"]
    return usage


@pytest.fixture(scope="module")
def tokenizer() -> ModelTokenizer:
    return load_tokenizer(str(TINY_HF))


@pytest.mark.parametrize("chat", CHATS)
async def test_a_chat_is_counted_as_it_will_be(engine: EngineProcess, chat: str) -> None:
    fields = {**CHATS[chat], **LIMIT}
    assert await counted(engine, CHAT, fields) == (await used(engine, CHAT, fields))["prompt_tokens"]


async def test_the_models_own_tokenizer_counts_the_same(engine: EngineProcess, tokenizer: ModelTokenizer) -> None:
    for chat in ("a question", "a system prompt", "a conversation"):
        messages = CHATS[chat]["messages"]
        assert await counted(engine, CHAT, {"messages": messages}) == tokenizer.count(tokenizer.render(messages))


async def test_messages_are_counted_as_they_will_be(engine: EngineProcess) -> None:
    messages = [{**each, "content": [{"type": "text", "text": each["content"]}]} for each in ANSWERED]
    tool = {"name": "get_weather", "description": "Get it", "input_schema": {"type": "object", "properties": {}}}
    for more in ({}, {"system": "Answer in JSON."}, {"tools": [tool]}):
        fields = {"messages": messages, **more}
        usage = await used(engine, MESSAGES, {**fields, "max_tokens": 1})
        parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        assert await counted(engine, MESSAGES, fields) == sum(usage.get(part) or 0 for part in parts)


RESPONSE_TOOL = {"type": "function", **WEATHER_TOOL["function"]}  # type: ignore[dict-item]
CALLED = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city": "東京"}'}
REPLY = {
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "晴れです。🗼", "annotations": []}],
}
INPUTS: dict[str, list[dict[str, Any]]] = {
    "a question": [QUESTION],
    "a conversation": [QUESTION, REPLY, QUESTION] * 10,
    "a tool's answer": [
        QUESTION,
        CALLED,
        {"type": "function_call_output", "call_id": "call_1", "output": '{"weather": "晴れ"}'},
    ],
}


@pytest.mark.parametrize("said", INPUTS)
async def test_responses_are_counted_as_they_will_be(engine: EngineProcess, said: str) -> None:
    for more in ({}, {"instructions": "Be kind."}, {"tools": [RESPONSE_TOOL]}):
        fields = {"input": INPUTS[said], **more}
        usage = await used(engine, RESPONSES, {**fields, "max_output_tokens": 1})
        assert await counted(engine, RESPONSES, fields) == usage["input_tokens"], more


async def test_an_older_llamacpp_counts_the_same_by_its_template(shared_llamacpp: EngineProcess) -> None:
    """The same server, asked in two steps, as by whoever finds no newer path."""
    tiny = deployment(shared_llamacpp.url, LlamaCppClient())
    for chat in ("a conversation", "a tool's answer", "an answer gone on with"):
        asked = Asked(CHAT, None, CHATS[chat])
        newer = tiny.backend.counting(asked, MODEL)
        assert isinstance(newer, Counting)
        older: Counting | int | None = newer.read(None)
        paths = []
        while isinstance(older, Counting):
            paths.append(older.request.path)
            reply = await fetch(shared_llamacpp.url, older.request.path, older.request.body)
            older = older.read(reply.body)
        assert paths == ["/apply-template", "/tokenize"]
        assert older == await count_prompt(tiny, asked)


async def test_what_the_engine_would_refuse_is_not_counted(engine: EngineProcess) -> None:
    for messages in ("x", [{"role": 7}], None):
        assert await counted(engine, CHAT, {"messages": messages}) is None
