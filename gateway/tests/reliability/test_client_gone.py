"""RELIABILITY: when a client leaves, the engine is told, in whichever phase the call is and with no limit near; the call is
recorded as 499 and never held against the replica (here one failure would throw it out).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.engine_faults import HEADERS_THEN_SILENCE, NO_ANSWER
from tests.support.engine_script import SSE, Chat, body, head, silence
from tests.support.http import Client
from tests.support.scene import CHAT_PATH, HELLO, PLAIN, STREAM, Stage, scene
from tests.support.waiting import NEVER_S, eventually

pytestmark = pytest.mark.anyio

SLOW = Chat(["。"] * 1500, gap_s=0.1)
LEAVING = ["fin", "rst"]
PATIENT = {"first_byte_s": NEVER_S, "silence_s": NEVER_S}


@pytest.fixture(scope="module")
async def merciless_stage() -> AsyncIterator[Stage]:
    others = {"llama": {"backend": "llamacpp"}, "narrow": {"max_in_flight": 1}}
    async with scene(others=others, timeouts=PATIENT, health={"eject_after": 1, "probe_interval_s": 0.2}) as stage:
        yield stage


@pytest.fixture
async def stage(merciless_stage: Stage) -> AsyncIterator[Stage]:
    async with merciless_stage.between_tests() as fresh:
        yield fresh


def leave(client: Client, how: str) -> None:
    if how == "rst":
        client.reset()
    else:
        client.leave()


async def released(stage: Stage) -> None:
    """The engine has been told, the record says so, and the replica is none the worse."""
    await eventually(lambda: stage.engine.abandoned_at_s)
    call = await stage.call()
    assert (call["status"], call["error"]) == (499, None)
    assert (await stage.get("/health/readiness")).status == 200
    stage.engine.script = Chat()
    assert (await stage.post(PLAIN)).status == 200


@pytest.mark.parametrize("how", LEAVING)
@pytest.mark.parametrize("asked", [PLAIN, STREAM], ids=["whole", "stream"])
async def test_a_client_leaves_before_the_engines_head(stage: Stage, asked: dict[str, Any], how: str) -> None:
    stage.engine.script = NO_ANSWER
    async with stage.connect() as client:
        await client.send(stage.request(asked))
        await eventually(lambda: stage.engine.open == 1)
        leave(client, how)
        await released(stage)


@pytest.mark.parametrize("how", LEAVING)
@pytest.mark.parametrize("asked", [STREAM, {**PLAIN, "model": "llama"}], ids=["stream", "assembled"])
async def test_a_client_leaves_during_prefill(stage: Stage, asked: dict[str, Any], how: str) -> None:
    stage.engine.script = HEADERS_THEN_SILENCE
    async with stage.connect() as client:
        await client.send(stage.request(asked))
        if asked is STREAM:
            await client.read_head()
        else:
            await eventually(lambda: stage.engine.open == 1)
        leave(client, how)
        await released(stage)


@pytest.mark.parametrize("how", LEAVING)
@pytest.mark.parametrize("path", [CHAT_PATH, "/v1/completions", "/generate_stream", "/v1/messages"])
async def test_a_client_leaves_mid_stream(stage: Stage, path: str, how: str) -> None:
    stage.engine.script = SLOW
    if path == "/v1/messages":
        event = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"a"}}\n\n'
        stage.engine.script = [head(headers=SSE), *[each for _ in range(1000) for each in (body(event), 0.05)]]
    asked: dict[str, Any] = (
        {"prompt": "x"} if path == "/generate_stream" else {**STREAM, "prompt": "x", "max_tokens": 9}
    )
    async with stage.connect() as client:
        await client.send(stage.request(asked, path))
        await client.read_head()
        for _ in range(4):
            await client.read_chunk()
        leave(client, how)
        await released(stage)


async def test_an_eventsource_that_is_closed_leaves(stage: Stage) -> None:
    stage.engine.script = SLOW
    async with stage.connect() as client:
        await client.send(stage.request(None, "/generate_stream?prompt=x", method="GET"))
        await client.read_head()
        await client.read_chunk()
        leave(client, "fin")
        await released(stage)


@pytest.mark.parametrize("how", LEAVING)
@pytest.mark.parametrize("model", ["scripted", "llama"])
async def test_a_client_leaves_while_its_whole_answer_is_made(stage: Stage, model: str, how: str) -> None:
    stage.engine.script = SLOW
    async with stage.connect() as client:
        await client.send(stage.request({**PLAIN, "model": model}))
        await eventually(lambda: stage.engine.open == 1)
        await asyncio.sleep(0.05)
        leave(client, how)
        await released(stage)


@pytest.mark.parametrize("how", LEAVING)
@pytest.mark.parametrize("asked", [PLAIN, STREAM], ids=["whole", "stream"])
async def test_a_client_with_a_body_of_200_kilobytes_leaves(stage: Stage, asked: dict[str, Any], how: str) -> None:
    """Behind a body of more than 64 KiB a server stops reading, and with it stops seeing who leaves."""
    stage.engine.script = NO_ANSWER
    async with stage.connect() as client:
        await client.send(stage.request({**asked, "padding": "x" * 200_000}))
        await eventually(lambda: stage.engine.open == 1)
        leave(client, how)
        await released(stage)


@pytest.mark.parametrize("how", LEAVING)
async def test_a_client_that_does_not_read_leaves(stage: Stage, how: str) -> None:
    stage.engine.script = Chat(["x" * 4000] * 5000)
    async with stage.connect(buffer_bytes=4096) as client:
        client.stop_reading()
        await client.send(stage.request(STREAM))
        await eventually(lambda: stage.engine.open == 1)
        sent = -100_000
        while stage.engine.bytes_sent - sent > 10_000:  # until everything between the engine and the client is full
            sent = stage.engine.bytes_sent
            await asyncio.sleep(0.3)
        leave(client, how)
        await released(stage)


@pytest.mark.parametrize("asked", [PLAIN, STREAM], ids=["whole", "stream"])
async def test_a_client_leaves_the_queue(stage: Stage, asked: dict[str, Any]) -> None:
    stage.engine.script = SLOW
    async with stage.connect() as first, stage.connect() as second:
        await first.send(stage.request({**STREAM, "model": "narrow"}))
        await first.read_head()
        await second.send(stage.request({**asked, "model": "narrow"}))

        async def queued() -> bool:
            return (await stage.metrics())["hayate_queued"] == 1

        await eventually(queued)
        second.leave()

        async def left() -> bool:
            return (await stage.metrics())["hayate_queued"] == 0

        await eventually(left)
        assert (await stage.call())["status"] == 499
        assert len(stage.engine.requests) == 1
        assert stage.engine.open == 1


async def test_the_place_of_one_who_left_goes_to_the_next(stage: Stage) -> None:
    stage.engine.script = SLOW
    async with stage.connect() as first, stage.connect() as second:
        await first.send(stage.request({**STREAM, "model": "narrow"}))
        await first.read_head()
        await second.send(stage.request({**STREAM, "model": "narrow"}))
        await asyncio.sleep(0.05)
        first.leave()
        assert (await second.read_head()).status == 200


async def test_a_client_leaves_while_it_still_sends_its_body(stage: Stage) -> None:
    for path in (CHAT_PATH, "/v1/embeddings", "/generate_stream", "/session"):
        async with stage.connect() as client:
            await client.send(stage.request({"messages": HELLO}, path)[:-5])
            await asyncio.sleep(0.05)
            client.leave()
    assert {call["status"] for call in await stage.calls(3)} == {499}
    assert not stage.engine.requests


async def test_a_client_that_sends_its_next_request_early_is_still_seen_to_leave(stage: Stage) -> None:
    stage.engine.script = NO_ANSWER
    async with stage.connect() as client:
        await client.send(stage.request(STREAM))
        await eventually(lambda: stage.engine.open == 1)
        await client.send(stage.request(PLAIN))
        await asyncio.sleep(0.05)
        leave(client, "fin")
        await released(stage)


@pytest.mark.parametrize("model", ["scripted", "llama"])
@pytest.mark.parametrize(
    "garbage",
    [b"\x00\x01", b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"x" * 300_000],
    ids=["bytes", "no host", "a long URL"],
)
async def test_a_client_that_sends_garbage_behind_its_stream_has_left(stage: Stage, model: str, garbage: bytes) -> None:
    """Nothing can be read of it any more; that is its own fault, never the replica's."""
    stage.engine.script = SLOW
    async with stage.connect() as client:
        await client.send(stage.request({**STREAM, "model": model}))
        await client.read_head()
        for _ in range(3):
            await client.read_chunk()
        await client.send(garbage)
        await client.read_to_end()
        await released(stage)


async def test_a_hundred_clients_leave_at_once(stage: Stage) -> None:
    stage.engine.script = Chat(["。"] * 1000, gap_s=0.2, last=[silence])

    async def visit(number: int) -> None:
        async with stage.connect() as client:
            await client.send(stage.request(STREAM if number % 2 else PLAIN))
            await eventually(lambda: stage.engine.max_open >= 100)
            leave(client, LEAVING[number // 2 % 2])

    await asyncio.gather(*(visit(number) for number in range(100)))
    await eventually(lambda: stage.engine.open == 0)
    assert {call["status"] for call in await stage.calls(100)} == {499}
