"""The endpoints beside chat, through the gateway, against real engines: what they have works, what they lack is said clearly."""

from __future__ import annotations

import pytest

from tests.engines.known import HELLO, JAPANESE
from tests.engines.launch import EngineProcess
from tests.support.gateway import RunningGateway
from tests.support.http import fetch, fetch_frames

pytestmark = pytest.mark.anyio

ASKED = {"model": "default", "temperature": 0, "max_tokens": 30, "messages": [{"role": "user", "content": "Hello"}]}


async def test_generate_stream_brings_the_whole_japanese_answer(gateway: RunningGateway) -> None:
    body = {"prompt": "日本語で答えて", "temperature": 0, "max_tokens": 400}
    frames = await fetch_frames(gateway.url, "/generate_stream", body, key=gateway.key)
    events = [frame for frame in frames if frame.data]
    assert "".join(frame.json["delta"] for frame in events[:-1]) == JAPANESE
    assert all(frame.id and frame.event == "message" for frame in events[:-1])
    done = events[-1]
    assert (done.event, done.json["finish_reason"]) == ("done", "stop")
    assert done.json["usage"]["completion_tokens"] == 332


async def test_text_completions(gateway: RunningGateway, engine: EngineProcess) -> None:
    body = {"model": "tiny-qwen2", "prompt": "Hello", "max_tokens": 8, "temperature": 0}
    direct = (await fetch(engine.url, "/v1/completions", body)).json["choices"][0]["text"]
    assert (await fetch(gateway.url, "/v1/completions", body, key=gateway.key)).json["choices"][0]["text"] == direct
    frames = await fetch_frames(gateway.url, "/v1/completions", {**body, "stream": True}, key=gateway.key)
    assert frames[-1].data == "[DONE]"
    assert "".join(choice["text"] for frame in frames[:-1] for choice in frame.json["choices"]) == direct


async def test_responses(gateway: RunningGateway) -> None:
    body = {"model": "default", "input": "Hello", "temperature": 0, "max_output_tokens": 30}
    whole = (await fetch(gateway.url, "/v1/responses", body, key=gateway.key)).json
    assert whole["output"][-1]["content"][0]["text"] == HELLO
    frames = await fetch_frames(gateway.url, "/v1/responses", {**body, "stream": True}, key=gateway.key)
    assert "".join(f.json["delta"] for f in frames if f.event == "response.output_text.delta") == HELLO
    assert [frame.event for frame in frames if frame.data][-1] == "response.completed"


async def test_messages(gateway: RunningGateway) -> None:
    whole = (await fetch(gateway.url, "/v1/messages", ASKED, key=gateway.key)).json
    assert (whole["content"][0]["text"], whole["stop_reason"]) == (HELLO, "end_turn")
    frames = await fetch_frames(gateway.url, "/v1/messages", {**ASKED, "stream": True}, key=gateway.key)
    deltas = [frame.json["delta"] for frame in frames if frame.event == "content_block_delta"]
    assert "".join(delta["text"] for delta in deltas) == HELLO
    assert [frame.event for frame in frames if frame.data][-1] == "message_stop"
    counted = await fetch(gateway.url, "/v1/messages/count_tokens", ASKED, key=gateway.key)
    assert counted.json["input_tokens"] == 53


async def test_tokenize_and_back(gateway: RunningGateway) -> None:
    text = "Hello 世界"
    tokens = (await fetch(gateway.url, "/tokenize", {"prompt": text, "content": text}, key=gateway.key)).json["tokens"]
    assert len(tokens) == 10
    back = (await fetch(gateway.url, "/detokenize", {"tokens": tokens}, key=gateway.key)).json
    assert text in (back.get("prompt"), back.get("content"))


async def test_what_the_engine_lacks_is_said_clearly(gateway: RunningGateway) -> None:
    reply = await fetch(gateway.url, "/v1/embeddings", {"model": "default", "input": "Hello"}, key=gateway.key)
    assert reply.status == 501
    assert reply.json["error"]["code"] == "not_supported"


async def test_the_model_list_knows_the_engines_context(gateway: RunningGateway, engine: EngineProcess) -> None:
    models = {
        item["id"]: item["hayate"] for item in (await fetch(gateway.url, "/v1/models", key=gateway.key)).json["data"]
    }
    assert models["default"]["context_tokens"] == engine.context_tokens
    assert (models["default"]["kind"], models["default"]["ready"]) == ("alias", True)
    assert models["tiny-qwen2"]["engine"] == engine.backend
