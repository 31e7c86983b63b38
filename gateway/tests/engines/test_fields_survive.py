"""What the gateway does not know it leaves alone: request fields on the way in, response fields on the way out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.engine_script import Chat
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.gateway import running_gateway
from tests.support.http import fetch, fetch_frames

pytestmark = pytest.mark.anyio

BACKENDS = pytest.mark.parametrize("backend", ["vllm", "llamacpp", "openai"])
STREAMING = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
UNKNOWN = {
    "x_list": [1, 2.5, {"深い": ["値", None]}],
    "guided_regex": "[a-z]+",
    "chat_id": 12345678901234567,
    "x_null": None,
    "metadata": {"team": "検索"},
    "top_k": 7,
}
MESSAGES = [
    {"role": "system", "content": "短く。", "name": "house"},
    {"role": "user", "content": [{"type": "text", "text": "𠮷野さん 🗼"}], "x_turn": 3},
]


def env(backend: str, engine: FakeEngine) -> dict[str, str]:
    return {"LLM_BACKEND": backend, "BACKEND_URL": engine.url, "MODEL": "scripted"}


@BACKENDS
@STREAMING
async def test_unknown_request_fields_reach_the_engine(backend: str, stream: bool) -> None:
    async with running_engine() as engine, running_gateway(env(backend, engine)) as gateway:
        sent = {"model": "default", "messages": MESSAGES, "stream": stream, "user": "u1", **UNKNOWN}
        await fetch(gateway.url, "/v1/chat/completions", sent, key=gateway.key)
    [request] = engine.requests
    received = request.json
    assert received["messages"] == MESSAGES
    assert received["model"] == "scripted"
    assert {name: received[name] for name in UNKNOWN} == UNKNOWN
    assert received["user"] == "u1"
    assert request.headers["content-type"] == "application/json"
    assert gateway.key not in json.dumps(dict(request.headers)), "the client's key is not the engine's business"


@BACKENDS
async def test_unknown_response_fields_survive_a_stream(backend: str) -> None:
    chat = Chat([{"content": "こん", "x_delta": {"n": 1}}, {"content": "にちは", "reasoning": "考え"}], fields=UNKNOWN)
    async with running_engine(chat) as engine, running_gateway(env(backend, engine)) as gateway:
        frames = await fetch_frames(gateway.url, "/v1/chat/completions", _ask(stream=True), key=gateway.key)
    events = [frame.json for frame in frames[:-1]]
    assert all({name: event[name] for name in UNKNOWN} == UNKNOWN for event in events)
    deltas = [event["choices"][0]["delta"] for event in events]
    assert {"content": "こん", "x_delta": {"n": 1}} in deltas
    assert {"content": "にちは", "reasoning": "考え"} in deltas


@BACKENDS
async def test_unknown_response_fields_survive_a_whole_answer(backend: str) -> None:
    known_by_value = {name: value for name, value in UNKNOWN.items() if value is not None}
    async with running_engine(Chat(fields=UNKNOWN)) as engine, running_gateway(env(backend, engine)) as gateway:
        reply = await fetch(gateway.url, "/v1/chat/completions", _ask(), key=gateway.key)
    assert reply.json["choices"][0]["message"]["content"] == "こんにちは。"
    assert {name: reply.json[name] for name in known_by_value} == known_by_value


@BACKENDS
async def test_a_text_completion_survives_too(backend: str) -> None:
    async with running_engine(Chat(fields=UNKNOWN)) as engine, running_gateway(env(backend, engine)) as gateway:
        sent = {"model": "default", "prompt": "こん", "suffix": "。", **UNKNOWN}
        reply = await fetch(gateway.url, "/v1/completions", sent, key=gateway.key)
        frames = await fetch_frames(gateway.url, "/v1/completions", {**sent, "stream": True}, key=gateway.key)
    assert reply.json["choices"][0]["text"] == "こんにちは。"
    assert "".join(choice["text"] for frame in frames[:-1] for choice in frame.json["choices"]) == "こんにちは。"
    for request in engine.requests:
        assert {name: request.json[name] for name in UNKNOWN} == UNKNOWN
        assert request.json["suffix"] == "。"


@BACKENDS
async def test_bytes_that_arrive_one_by_one_make_the_same_stream(backend: str) -> None:
    text = "髙橋さんと𠮷野さん🗼"
    async with running_engine() as engine, running_gateway(env(backend, engine)) as gateway:
        together = Chat(list(text), per_write=100)
        engine.then(together, lambda request: [_one_by_one, *together(request)])
        streams = [
            await fetch_frames(gateway.url, "/v1/chat/completions", _ask(stream=True), key=gateway.key)
            for _ in range(2)
        ]
    raw = [b"".join(frame.raw for frame in frames if frame.comment is None) for frames in streams]
    assert raw[0] == raw[1]
    assert "".join(f.json["choices"][0]["delta"].get("content") or "" for f in streams[1][:-1]) == text


async def _one_by_one(exchange: Any) -> None:
    exchange.trickle_s = 0.0


def _ask(**fields: Any) -> dict[str, Any]:
    return {"model": "default", "messages": [{"role": "user", "content": "こんにちは"}], **fields}
