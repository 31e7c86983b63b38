"""RELIABILITY: on SIGTERM new calls are refused and readiness is down at once, running streams end whole, and the process is
gone with status 0 soon after the last; `server.drain_s` and a second signal end the waiting.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from contextlib import suppress

import pytest

from tests.support.engine_script import Chat, end, until
from tests.support.http import Client, Frame
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, Stage, scene
from tests.support.waiting import LAST_RESORT_S, NEVER_S, eventually

pytestmark = pytest.mark.anyio

ENDLESS = Chat(["。"] * 1000, gap_s=0.2)


async def whole_stream(stage: Stage) -> list[Frame]:
    return await stage.frames(STREAM)


async def refuses(stage: Stage) -> bool:
    """Whether a new connection is turned away."""
    try:
        await stage.get("/health/readiness")
    except (ConnectionError, asyncio.IncompleteReadError):
        return True
    return False


async def rest_of(client: Client) -> list[Frame]:
    """The frames up to the end of the connection, clean or not."""
    found: list[Frame] = []
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        async for frame in client.frames():
            found.append(frame)  # noqa: PERF401  what came before a cut is kept
    return found


async def test_running_streams_end_whole_and_nothing_new_is_taken() -> None:
    async with scene() as stage:
        gate = asyncio.Event()
        stage.engine.script = Chat(["。"] * 40, last=[until(gate), end])
        streams = [asyncio.create_task(whole_stream(stage)) for _ in range(20)]
        await eventually(lambda: stage.engine.open == 20)
        stage.gateway.process.send_signal(signal.SIGTERM)
        await eventually(lambda: refuses(stage))
        assert not any(stream.done() for stream in streams)
        assert stage.gateway.running
        gate.set()
        for frames in await asyncio.gather(*streams):
            assert sum('"content":"。"' in frame.data for frame in frames) == 40
            assert frames[-1].data == "[DONE]"
        assert await asyncio.wait_for(stage.gateway.process.wait(), LAST_RESORT_S) == 0
        assert [call["status"] for call in await stage.calls(20)] == [200] * 20


async def test_whole_and_queued_calls_under_way_are_answered() -> None:
    async with scene(max_in_flight=1) as stage:
        gate = asyncio.Event()
        stage.engine.script = lambda request: [until(gate), *Chat()(request)]
        calls = [asyncio.create_task(stage.post(PLAIN)) for _ in range(3)]
        await eventually(lambda: stage.engine.open == 1)

        async def queued() -> bool:
            return (await stage.metrics())["hayate_queued"] == 2

        await eventually(queued)
        stage.gateway.process.send_signal(signal.SIGTERM)
        await eventually(lambda: refuses(stage))
        gate.set()
        assert [reply.status for reply in await asyncio.gather(*calls)] == [200] * 3
        assert await asyncio.wait_for(stage.gateway.process.wait(), LAST_RESORT_S) == 0


async def test_a_kept_connection_does_not_hold_the_process() -> None:
    async with scene(server={"drain_s": NEVER_S}) as stage, stage.connect() as idle, stage.connect() as silent:
        await idle.send(stage.request(PLAIN))
        assert (await idle.read_reply()).status == 200
        await silent.send(b"GET /health HTTP/1.1\r\n")
        assert await stage.gateway.stop() == 0
        assert await idle.read_to_end() == b""


@pytest.mark.parametrize("path", [CHAT_PATH, "/generate_stream"])
async def test_a_stream_that_outlasts_the_drain_is_told_so(path: str) -> None:
    async with scene(server={"drain_s": 1}) as stage, stage.connect() as client:
        stage.engine.script = ENDLESS
        await client.send(stage.request(STREAM if path == CHAT_PATH else {"prompt": "x"}, path))
        await client.read_head()
        began = time.monotonic()
        stage.gateway.process.send_signal(signal.SIGTERM)
        last = (await rest_of(client))[-1]
        assert last.event == ("message" if path == CHAT_PATH else "error")
        assert last.json["error"]["code"] == "shutting_down"
        assert await asyncio.wait_for(stage.gateway.process.wait(), LAST_RESORT_S) == 0
        assert time.monotonic() - began > 0.8
        await eventually(stage.engine.abandoned.is_set)
        call = await stage.call()
        assert (call["status"], call["error"]) == (503, "shutting_down")


async def test_a_second_sigterm_ends_at_once() -> None:
    async with scene(server={"drain_s": NEVER_S}) as stage, stage.connect() as client:
        stage.engine.script = ENDLESS
        await client.send(stage.request(STREAM))
        await client.read_head()
        stage.gateway.process.send_signal(signal.SIGTERM)
        await eventually(lambda: refuses(stage))
        assert stage.gateway.running
        assert await stage.gateway.stop() == 0
        assert all(frame.data != "[DONE]" for frame in await rest_of(client))
        events = [json.loads(line).get("event") for line in stage.gateway.stderr().splitlines()]
        assert events[events.index("stopping") :].count("stopped") == 1
        assert events.count("stopping") == 1
        await eventually(stage.engine.abandoned.is_set)
