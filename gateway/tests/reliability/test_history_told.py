"""What is told has been kept: the end of an answer waits for the database, and says so when that can't be reached."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.support.engine_script import SSE, Chat, Request, body, frame, head, silence, sse
from tests.support.http import Frame, fetch
from tests.support.remembered import lines, named_by, until_kept
from tests.support.scene import CHAT_PATH, Stage, scene
from tests.support.stages import FORGIVING
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

HI = {"role": "user", "content": "こんにちは"}
MESSAGES, RESPONSES, GENERATE = "/v1/messages", "/v1/responses", "/generate_stream"
TEXT = [{"type": "text", "text": "はい"}]
ITEM = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "はい", "annotations": []}]}  # fmt: skip
RESPONSE = {"id": "resp_engine", "object": "response", "status": "in_progress", "output": []}


@pytest.fixture
async def alone() -> AsyncIterator[Stage]:
    """A gateway whose database may be held."""
    async with scene(health=FORGIVING) as stage:
        yield stage


@contextmanager
def held(stage: Stage) -> Iterator[None]:
    """The database is another program's for the length of the block."""
    with closing(sqlite3.connect(stage.gateway.data / "hayate.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def named(kind: str, **fields: Any) -> bytes:
    return frame({"type": kind, **fields}, event=kind)


STREAMS: dict[str, list[bytes]] = {
    MESSAGES: [
        named(
            "message_start", message={"id": "m", "type": "message", "role": "assistant", "content": [], "model": "x"}
        ),
        named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        named("content_block_delta", index=0, delta={"type": "text_delta", "text": "はい"}),
        named("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1}),
        named("message_stop"),
    ],
    RESPONSES: [
        named("response.created", response=RESPONSE),
        named("response.output_item.added", item={**ITEM, "content": []}),
        named("response.output_text.delta", item_id="msg_1", delta="はい"),
        named("response.completed", response={**RESPONSE, "status": "completed", "output": [ITEM]}),
    ],
}
ASKED: dict[str, dict[str, Any]] = {
    CHAT_PATH: {"messages": [HI]},
    MESSAGES: {"messages": [HI], "model": "scripted", "max_tokens": 9},
    RESPONSES: {"input": "こんにちは"},
    GENERATE: {"prompt": "こんにちは"},
}
ENDS = {CHAT_PATH: "[DONE]", MESSAGES: "message_stop", RESPONSES: "response.completed", GENERATE: "done"}


def streamed(path: str) -> dict[str, Any]:
    return {**ASKED[path], "conversation": "new", **({} if path == GENERATE else {"stream": True})}


def is_end(path: str, each: Frame) -> bool:
    return ENDS[path] in (each.data, each.event)


@pytest.mark.parametrize("path", ASKED)
async def test_the_end_of_a_stream_waits_for_the_database_and_nothing_else_does(alone: Stage, path: str) -> None:
    alone.engine.script = sse(STREAMS[path]) if path in STREAMS else Chat(["はい"])
    async with alone.connect() as client:
        with held(alone):
            await client.send(alone.request(streamed(path), path))
            conversation = named_by(await client.read_head())
            frames: list[Frame] = []

            async def read() -> None:
                async for each in client.frames():
                    frames.append(each)  # noqa: PERF401  each as it comes

            reading = asyncio.create_task(read())
            await eventually(lambda: any("はい" in each.data for each in frames))
            await asyncio.sleep(0.1)
            assert not any(is_end(path, each) for each in frames)
            assert lines(alone, conversation) == []
        await reading
    assert is_end(path, frames[-1])
    assert lines(alone, conversation) == [(1, "user", "こんにちは"), (1, "assistant", "はい")]


@pytest.mark.parametrize("path", ASKED)
async def test_a_database_that_is_gone_is_told_in_place_of_the_end(alone: Stage, path: str) -> None:
    alone.engine.script = sse(STREAMS[path]) if path in STREAMS else Chat(["はい"])
    with held(alone):
        frames = await alone.frames(streamed(path), path)
        last = frames[-1]
        assert "はい" in "".join(each.data for each in frames)
        assert not any(is_end(path, each) for each in frames)
        assert "history_unavailable" in last.data or (
            path == MESSAGES and last.json["error"]["type"] == "overloaded_error"
        )
        if path == CHAT_PATH:
            reply = await alone.post({**ASKED[path], "conversation": "new"})
            assert (reply.status, reply.json["error"]["code"]) == (503, "history_unavailable")
            assert int(reply.headers["retry-after"]) > 0
    call = (await alone.calls())[0]
    assert (call["status"], call["error"]) == (503, "history_unavailable")
    alone.engine.script = Chat()
    assert (await alone.post({"messages": [HI], "conversation": "new"})).status == 200


async def test_a_response_that_names_no_state_is_served_unkept_and_says_so(alone: Stage) -> None:
    with held(alone):
        assert (await alone.post({"messages": [HI]})).status == 200, "calls without history go on"
        alone.engine.script = sse(STREAMS[RESPONSES])
        frames = await alone.frames({"input": "x", "stream": True}, RESPONSES)
        completed = frames[-1].json["response"]
        assert (frames[-1].event, completed["store"]) == ("response.completed", False)
    unknown = await alone.post({"input": "y", "previous_response_id": completed["id"]}, RESPONSES)
    assert (unknown.status, unknown.json["error"]["code"]) == (404, "response_not_found")


async def test_a_call_stopped_by_the_operator_is_kept_as_far_as_it_went(alone: Stage) -> None:
    script = Chat(["あ", "い"]).frames(Request(path="/chat/", body=b"{}"))
    alone.engine.script = [head(headers=SSE), *map(body, script[:3]), silence]
    headers = {"x-request-id": "stop-me"}
    async with alone.connect() as client:
        await client.send(alone.request({"messages": [HI], "stream": True, "conversation": "new"}, headers=headers))
        conversation = named_by(await client.read_head())
        frames = client.frames()
        heard = ""
        while "い" not in heard:
            heard += (await anext(frames)).data
        stopped = await fetch(alone.url, "/admin/calls/stop-me", key=alone.operators_key, method="DELETE")
        assert stopped.status < 300, stopped.text
        assert "call_stopped" in [each async for each in frames][-1].data
    assert await until_kept(alone, conversation, 2) == [(1, "user", "こんにちは"), (1, "assistant", "あい…")]


async def test_a_drain_keeps_what_it_cuts() -> None:
    async with scene(health=FORGIVING, server={"drain_s": 0.2}) as stage:
        script = Chat(["あ", "い"]).frames(Request(path="/chat/", body=b"{}"))
        stage.engine.script = [head(headers=SSE), *map(body, script[:3]), silence]
        async with stage.connect() as client:
            await client.send(stage.request({"messages": [HI], "stream": True, "conversation": "new"}))
            conversation = named_by(await client.read_head())
            frames = client.frames()
            heard = ""
            while "い" not in heard:
                heard += (await anext(frames)).data
            await stage.gateway.stop()
        assert lines(stage, conversation) == [(1, "user", "こんにちは"), (1, "assistant", "あい…")]
