"""What the gateway does not know it leaves alone: request fields on the way in, response fields on the way out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.engine_script import Chat, trickle
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import fetch, fetch_frames

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
BACKENDS = ("vllm", "llamacpp", "openai")
EACH_BACKEND = pytest.mark.parametrize("backend", BACKENDS)
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


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[tuple[FakeEngine, RunningGateway]]:
    """One fake engine behind one deployment per adapter."""
    async with running_engine() as engine:
        deployments = (
            f"  {name}: {{backend: {name}, model: scripted, replicas: ['{engine.url}']}}" for name in BACKENDS
        )
        async with running_gateway(config="\n".join(("deployments:", *deployments))) as gateway:
            await gateway.ready()
            yield engine, gateway


@pytest.fixture
def engine(shared: tuple[FakeEngine, RunningGateway]) -> FakeEngine:
    engine, _ = shared
    engine.script = Chat()
    engine.requests.clear()
    return engine


@pytest.fixture
def gateway(shared: tuple[FakeEngine, RunningGateway]) -> RunningGateway:
    return shared[1]


@EACH_BACKEND
@STREAMING
async def test_unknown_request_fields_reach_the_engine(
    engine: FakeEngine, gateway: RunningGateway, backend: str, stream: bool
) -> None:
    sent = {"model": backend, "messages": MESSAGES, "stream": stream, "user": "u1", **UNKNOWN}
    await fetch(gateway.url, CHAT, sent, key=gateway.key)
    [request] = engine.requests
    received = request.json
    assert received["messages"] == MESSAGES
    assert received["model"] == "scripted"
    assert {name: received[name] for name in UNKNOWN} == UNKNOWN
    assert received["user"] == "u1"
    assert request.headers["content-type"] == "application/json"
    assert gateway.key not in json.dumps(dict(request.headers)), "the client's key is not the engine's business"


@EACH_BACKEND
async def test_unknown_response_fields_survive_a_stream(
    engine: FakeEngine, gateway: RunningGateway, backend: str
) -> None:
    deltas: list[dict[str, Any]] = [
        {"content": "こん", "x_delta": {"n": 1}},
        {"content": "にちは", "reasoning": "考え"},
    ]
    engine.script = Chat(deltas, fields=UNKNOWN)
    frames = await fetch_frames(gateway.url, CHAT, _ask(backend, stream=True), key=gateway.key)
    events = [frame.json for frame in frames[:-1]]
    assert all({name: event[name] for name in UNKNOWN} == UNKNOWN for event in events)
    assert [event["choices"][0]["delta"] for event in events if event["choices"][0]["delta"].get("content")] == deltas


@EACH_BACKEND
async def test_unknown_response_fields_survive_a_whole_answer(
    engine: FakeEngine, gateway: RunningGateway, backend: str
) -> None:
    engine.script = Chat(fields=UNKNOWN)
    reply = await fetch(gateway.url, CHAT, _ask(backend), key=gateway.key)
    assert reply.json["choices"][0]["message"]["content"] == "こんにちは。"
    said = {name: value for name, value in UNKNOWN.items() if value is not None}
    assert {name: reply.json[name] for name in said} == said


@EACH_BACKEND
async def test_a_text_completion_survives_too(engine: FakeEngine, gateway: RunningGateway, backend: str) -> None:
    engine.script = Chat(fields=UNKNOWN)
    sent = {"model": backend, "prompt": "こん", "suffix": "。", **UNKNOWN}
    reply = await fetch(gateway.url, "/v1/completions", sent, key=gateway.key)
    frames = await fetch_frames(gateway.url, "/v1/completions", {**sent, "stream": True}, key=gateway.key)
    assert reply.json["choices"][0]["text"] == "こんにちは。"
    assert "".join(choice["text"] for frame in frames[:-1] for choice in frame.json["choices"]) == "こんにちは。"
    for request in engine.requests:
        assert {name: request.json[name] for name in UNKNOWN} == UNKNOWN
        assert request.json["suffix"] == "。"


@EACH_BACKEND
async def test_bytes_that_arrive_one_by_one_make_the_same_stream(
    engine: FakeEngine, gateway: RunningGateway, backend: str
) -> None:
    text = "髙橋さんと𠮷野さん🗼"
    together = Chat(list(text), per_write=100)
    engine.then(together, lambda request: [trickle(), *together(request)])
    raw = []
    for _ in range(2):
        frames = await fetch_frames(gateway.url, CHAT, _ask(backend, stream=True), key=gateway.key)
        raw.append(b"".join(frame.raw for frame in frames if frame.comment is None))
    assert raw[0] == raw[1]
    assert "".join(f.json["choices"][0]["delta"].get("content") or "" for f in frames[:-1]) == text


def _ask(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "こんにちは"}], **fields}
