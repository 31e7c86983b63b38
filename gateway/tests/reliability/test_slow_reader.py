"""RELIABILITY: a client that does not read stops the reading from its engine, holds less than 1 MiB, is cut after a while, and
the others do not feel it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_script import SSE, Chat, Exchange, answer, body, end, frame, head
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, Stage, scene
from tests.support.waiting import LAST_RESORT_S, NEVER_S, eventually

pytestmark = pytest.mark.anyio

PIECE = body(frame({"choices": [{"index": 0, "delta": {"content": "x" * 8000}, "finish_reason": None}]}))


async def flood(exchange: Exchange) -> None:
    """Text without end, as fast as it is taken."""
    while True:
        await PIECE(exchange)  # type: ignore[operator]  # a step that is a function
        await asyncio.sleep(0)


FAST = [head(headers=SSE), flood]


@pytest.fixture(scope="module")
async def shared_stalling_stage() -> AsyncIterator[Stage]:
    others = {"narrow": {"max_in_flight": 1, "queue_timeout_s": NEVER_S}}
    async with scene(server={"client_stall_s": 0.5, "heartbeat_s": 0.2}, others=others) as stage:
        yield stage


@pytest.fixture
async def stalling_stage(shared_stalling_stage: Stage) -> AsyncIterator[Stage]:
    """A gateway that cuts who takes nothing for half a second."""
    async with shared_stalling_stage.between_tests() as fresh:
        yield fresh


@pytest.fixture(scope="module")
async def shared_patient_stage() -> AsyncIterator[Stage]:
    others = {"hasty": {"timeouts": {"silence_s": 1.0}}}
    async with scene(server={"client_stall_s": NEVER_S, "heartbeat_s": 0.5}, others=others) as stage:
        yield stage


@pytest.fixture
async def stage(shared_patient_stage: Stage) -> AsyncIterator[Stage]:
    """A gateway that cuts nobody. `hasty`, on the same engine, gives it a second between tokens."""
    async with shared_patient_stage.between_tests() as fresh:
        yield fresh


def resident_bytes(stage: Stage) -> int:
    pages = Path(f"/proc/{stage.gateway.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096


async def stopped(stage: Stage) -> None:
    """Until the engine can send no more: everything between it and the clients is full.

    The gateway has answered between two looks, so that it had its turn, however busy the machine is.
    """
    sent, still = -1, 0
    while still < 4:
        await asyncio.sleep(0.05)
        assert (await stage.get("/health")).status == 200
        still = still + 1 if stage.engine.bytes_sent == sent else 0
        sent = stage.engine.bytes_sent


async def test_slow_readers_hold_little_memory_and_slow_nobody_down(stage: Stage) -> None:
    readers = 16
    before = resident_bytes(stage)
    stage.engine.script = FAST
    async with AsyncExitStack() as held:
        for _ in range(readers):
            client = await held.enter_async_context(stage.connect(buffer_bytes=4096))
            client.stop_reading()
            await client.send(stage.request(STREAM))
        await stopped(stage)
        grown = resident_bytes(stage) - before
        assert stage.engine.open == readers
        assert grown / readers < 1 << 20
        stage.engine.then(Chat(["a"] * 60, gap_s=0.01))
        assert (await stage.frames(STREAM))[-1].data == "[DONE]"
        assert stage.engine.open == readers, "and that was while they all waited"


async def test_a_client_that_does_not_read_at_all_is_cut_and_its_engine_released(stalling_stage: Stage) -> None:
    stage = stalling_stage
    stage.engine.script = FAST
    async with stage.connect(buffer_bytes=4096) as client:
        client.stop_reading()
        await client.send(stage.request(STREAM))
        await asyncio.wait_for(stage.engine.abandoned.wait(), LAST_RESORT_S)
        call = await stage.call()
        assert (call["status"], call["error"]) == (499, None)


STALL_S = 4.0
REST_S = 0.45
BETWEEN_RESTS = 1_500_000
"""So many bytes make the kernel take more from the gateway, whatever it holds itself."""


async def read_slowly(stage: Stage, asked: dict[str, Any]) -> bytes:
    """All of an answer, with a rest whenever the gateway must have sent some of it: longer than a client may stall, all in all."""
    got, rests = bytearray(), 0
    async with stage.connect(buffer_bytes=8192) as client:
        await client.send(stage.request(asked))
        while b'"total_tokens"' not in got[-4096:]:
            data = await client.read_raw()
            assert data, f"cut after {len(got)} bytes"
            got += data
            if len(got) > (rests + 1) * BETWEEN_RESTS:
                rests += 1
                await asyncio.sleep(REST_S)
    assert rests * REST_S > STALL_S
    return bytes(got)


async def test_a_client_that_reads_slowly_gets_all_of_it() -> None:
    """It stays behind for longer than a client may stall, and is not cut, because it goes on reading."""
    texts = [f"{n:08d}" * 1000 for n in range(2000)]
    asked = [PLAIN, {**STREAM, "stream_options": {"include_usage": True}}]
    async with scene(server={"client_stall_s": STALL_S}) as stage:
        stage.engine.script = Chat(texts)
        for got in await asyncio.gather(*(read_slowly(stage, each) for each in asked)):
            assert all(text.encode() in got for text in texts[::100])
        assert [call["status"] for call in await stage.calls(2)] == [200, 200]


async def test_a_client_that_pauses_goes_on_where_it_was(stage: Stage) -> None:
    texts = [f"{n:08d}" * 200 for n in range(2000)]
    stage.engine.script = Chat(texts)
    async with stage.connect(buffer_bytes=4096) as client:
        client.stop_reading()
        await client.send(stage.request(STREAM))
        await stopped(stage)
        client.resume_reading()
        await client.read_head()
        frames = [frame async for frame in client.frames() if frame.data]
    assert [frame.json["choices"][0]["delta"].get("content") for frame in frames[1:-2]] == texts


@pytest.mark.parametrize("answered", ["stream", "stream, end later", "whole", "raw"])
async def test_a_client_that_does_not_read_the_end_gives_its_place_back(stalling_stage: Stage, answered: str) -> None:
    """More than the socket takes, all of it written before the client is known to be behind: nothing waits for it forever."""
    stage = stalling_stage
    asked, path = STREAM, CHAT_PATH
    big = Chat(["x" * 6_000_000], per_write=10)
    stage.engine.script = big
    if answered == "stream, end later":
        stage.engine.script = lambda request: [*big(request)[:-1], 0.1, end]
    elif answered == "whole":
        asked = PLAIN
    elif answered == "raw":
        asked, path = {"input": "x"}, "/v1/audio/speech"
        stage.engine.script = [head(headers={"content-type": "audio/wav"}), body(b"x" * 6_000_000), end]
    async with stage.connect(buffer_bytes=4096) as client:
        client.stop_reading()
        await client.send(stage.request({**asked, "model": "narrow"}, path))
        await eventually(lambda: stage.engine.requests)
        stage.engine.script = Chat()
        assert (await stage.post({**PLAIN, "model": "narrow"})).status == 200


async def test_what_waits_for_a_client_that_does_not_read_is_thrown_away(stalling_stage: Stage) -> None:
    """Also when its answer is complete and the connection is only being kept."""
    stage = stalling_stage
    stage.engine.script = answer({"choices": [], "padding": "x" * 6_000_000})
    async with stage.connect(buffer_bytes=4096) as client:
        client.stop_reading()
        await client.send(stage.request(PLAIN))
        assert (await stage.call())["status"] == 200
        await eventually(lambda: client.cut_off)


async def test_a_client_that_does_not_read_is_not_kept_for_its_next_request(stage: Stage) -> None:
    """The answers of a client that only asks: what waits for it stays bounded."""
    stage.engine.script = answer({"choices": [], "padding": "x" * 500_000})
    before = resident_bytes(stage)
    async with stage.connect(buffer_bytes=4096) as client:
        client.stop_reading()
        for _ in range(20):
            await client.send(stage.request(PLAIN))
        await stopped(stage)
        assert len(stage.engine.requests) < 20
        assert resident_bytes(stage) - before < 8 << 20


async def test_a_stream_that_cannot_begin_is_not_read_ahead_of(stage: Stage) -> None:
    """The answer before it still waits for the client: the next one's bytes stay with the engine, not in the gateway."""
    stage.engine.script = FAST
    stage.engine.then(answer({"choices": [], "padding": "x" * 6_000_000}))
    async with stage.connect(buffer_bytes=4096) as client:
        client.stop_reading()
        await client.send(stage.request(PLAIN))
        assert (await stage.call())["status"] == 200
        before = resident_bytes(stage)
        await client.send(stage.request(STREAM))
        await eventually(lambda: stage.engine.open == 1)
        await stopped(stage)
        assert resident_bytes(stage) - before < 8 << 20


async def test_silence_while_the_client_is_behind_is_not_the_engines(stage: Stage) -> None:
    """An engine that could not send is not blamed for having been silent."""
    stage.engine.script = Chat(["x" * 8000] * 3000)
    async with stage.connect(buffer_bytes=4096) as client:
        client.stop_reading()
        await client.send(stage.request({**STREAM, "model": "hasty"}))
        await asyncio.sleep(1.5)
        client.resume_reading()
        await client.read_head()
        assert [frame async for frame in client.frames()][-1].data == "[DONE]"
