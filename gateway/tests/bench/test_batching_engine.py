"""The batching engine, in a process of its own: it speaks as vLLM does, and its places are scarce."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from bench.batching_wire import MODEL, text

from tests.bench.stub_process import running_stub
from tests.support.http import connection, fetch, fetch_frames, request_bytes
from tests.support.scene import CHAT_PATH
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio
LONG = 5_000
OPTIONS = ("--max-num-seqs", 2, "--kv-tokens", 32_768, "--speed", 20)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_stub(tmp_path_factory.mktemp("engine"), "bench.batching_engine", *OPTIONS) as (port, _):
        yield f"http://127.0.0.1:{port}"


def chat(answer: int, **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": f"Please. answer:{answer}"}], **fields}


async def gauge(engine: str, name: str) -> float:
    lines = (await fetch(engine, "/metrics")).text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name}{{"))


async def test_a_stream_is_a_whole_answer_with_its_usage(engine: str) -> None:
    frames = await fetch_frames(engine, CHAT_PATH, chat(20, stream=True, stream_options={"include_usage": True}))
    said = "".join(choice["delta"]["content"] for frame in frames[:-1] for choice in frame.json["choices"])

    assert said.encode() == text(0, 20)
    assert frames[0].json["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert frames[-3].json["choices"][0]["finish_reason"] == "stop"
    assert frames[-2].json["usage"]["completion_tokens"] == 20
    assert frames[-1].data == "[DONE]"


async def test_an_answer_that_is_no_stream_is_whole_too(engine: str) -> None:
    answer = (await fetch(engine, CHAT_PATH, chat(20, max_tokens=5))).json

    assert answer["choices"][0]["message"]["content"].encode() == text(0, 5)
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5


async def test_who_finds_no_place_waits_until_somebody_leaves(engine: str) -> None:
    async with connection(engine) as first, connection(engine) as second:
        for client in first, second:
            await client.send(request_bytes("POST", CHAT_PATH, chat(LONG, stream=True)))
            await client.read_head()
            await client.read_chunk()
        third = asyncio.create_task(fetch(engine, CHAT_PATH, chat(1)))

        async def waits() -> bool:
            return await gauge(engine, "vllm:num_requests_waiting") == 1

        await eventually(waits)
        assert await gauge(engine, "vllm:num_requests_running") == 2
        assert 0 < await gauge(engine, "vllm:kv_cache_usage_perc") < 1
        first.leave()
        assert (await third).status == 200
        second.leave()

    async def idle() -> bool:
        return await gauge(engine, "vllm:num_requests_running") == 0

    await eventually(idle)
    assert await gauge(engine, "vllm:kv_cache_usage_perc") == 0


async def test_who_asks_for_nothing_that_is_known_is_told_so(engine: str) -> None:
    refused = await fetch(engine, CHAT_PATH, {"messages": []})
    models = await fetch(engine, "/v1/models")

    assert (refused.status, refused.json["error"]["code"]) == (400, 400)
    assert [(each["id"], each["max_model_len"]) for each in models.json["data"]] == [(MODEL, 32_768)]
    assert (await fetch(engine, "/health")).status == 200
    assert (await fetch(engine, "/nothing")).status == 404
