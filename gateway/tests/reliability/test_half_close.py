"""RELIABILITY: a client that ends its sending and still reads gets its stream; one that has left is found out by a ping, and
the engine is told. Nothing can be put into a whole answer: there, who ends its sending has left, unless
`server.half_close` says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.engine_faults import NO_ANSWER
from tests.support.engine_script import Chat, Script, error, frame, silence, sse
from tests.support.http import PING, Client
from tests.support.scene import CHAT_PATH, HELLO, PLAIN, STREAM, Stage, scene
from tests.support.stages import FORGIVING
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

STREAMS: dict[str, dict[str, Any]] = {
    CHAT_PATH: STREAM,
    "/v1/completions": {"prompt": "Hello", "stream": True},
    "/generate_stream": {"prompt": "Hello"},
}
WHOLE: dict[str, dict[str, Any]] = {
    CHAT_PATH: PLAIN,
    "/v1/completions": {"prompt": "Hello"},
    "/v1/embeddings": {"input": "Hello"},
    "/v1/messages": {"messages": HELLO, "max_tokens": 10},
    "/v1/responses": {"input": "Hello"},
}
PHASES: dict[str, Chat | Script] = {
    "before the engine's head": NO_ANSWER,
    "in prefill": Chat(prefill_s=60),
    "between tokens": Chat(["。"] * 3, finish_reason=None, done=False, last=[silence]),
}


@pytest.fixture(scope="module")
async def shared_serving_stage() -> AsyncIterator[Stage]:
    async with scene(server={"half_close": "serve", "heartbeat_s": 0.5}, health=FORGIVING) as stage:
        yield stage


@pytest.fixture
async def serving_stage(shared_serving_stage: Stage) -> AsyncIterator[Stage]:
    """A gateway whose clients get whole answers, too, after they have ended their sending; streams are silent for 0.5 s at most."""
    async with shared_serving_stage.between_tests() as fresh:
        yield fresh


async def ask_and_end(client: Client, request: bytes, when: str, stage: Stage) -> None:
    """Sends a request and ends the sending: at once, or when the engine has it."""
    await client.send(request)
    if when == "later":
        await eventually(lambda: stage.engine.open == 1)
    client.half_close()


@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.parametrize("path", STREAMS)
async def test_a_stream_goes_on_to_its_end(stage: Stage, path: str, when: str) -> None:
    stage.engine.script = Chat(("こん", "にちは"), prefill_s=0.3, gap_s=0.1)
    async with stage.connect() as client:
        await ask_and_end(client, stage.request(STREAMS[path], path), when, stage)
        assert (await client.read_head()).status == 200
        frames = [frame async for frame in client.frames()]
        assert await client.read_to_end() == b""
    assert PING in [frame.raw for frame in frames], "the question whether it is still there"
    assert "にちは" in "".join(frame.data for frame in frames)
    assert frames[-1].data == "[DONE]" or frames[-1].event == "done"
    assert ((await stage.call())["status"], stage.engine.abandoned_at_s) == (200, [])


async def test_a_stream_that_has_begun_goes_on_to_its_end(stage: Stage) -> None:
    stage.engine.script = Chat(["。"] * 20, gap_s=0.05)
    async with stage.connect() as client:
        await client.send(stage.request(STREAM))
        await client.read_head()
        first = await client.read_chunk()
        client.half_close()
        frames = [frame async for frame in client.frames()]
        assert await client.read_to_end() == b""
    assert first.startswith(b"data: ")
    assert frames[-1].data == "[DONE]"
    assert (await stage.call())["status"] == 200


async def test_a_stream_without_chunks_goes_on_to_its_end(stage: Stage) -> None:
    stage.engine.script = Chat(["。"] * 20, gap_s=0.02)
    async with stage.connect() as client:
        await client.send(stage.request(STREAM).replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1))
        client.half_close()
        assert (await client.read_to_end()).endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("when", ["at once", "later"])
async def test_a_client_that_ended_its_sending_and_then_left_is_found_out(
    serving_stage: Stage, phase: str, when: str
) -> None:
    """It says so with a FIN and leaves without another word: its machine resets what is sent to it, be it the next ping."""
    serving_stage.engine.script = PHASES[phase]
    async with serving_stage.connect() as client:
        await client.send(serving_stage.request(STREAM))
        if phase == "between tokens":
            await client.read_head()
            assert b"data" in await client.read_chunk()
        await eventually(lambda: serving_stage.engine.open == 1)
        if when == "later":
            client.half_close()
            await asyncio.sleep(0.1)
        client.leave()
        await eventually(lambda: serving_stage.engine.abandoned_at_s)
    call = await serving_stage.call()
    assert (call["status"], call["error"]) == (499, None)


@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.parametrize("path", WHOLE)
async def test_a_whole_answer_is_called_off(stage: Stage, path: str, when: str) -> None:
    stage.engine.script = NO_ANSWER
    async with stage.connect() as client:
        await ask_and_end(client, stage.request(WHOLE[path], path), when, stage)
        assert await client.read_to_end() == b""
    assert (await stage.call())["status"] == 499
    if when == "later":
        await eventually(lambda: stage.engine.abandoned_at_s)


@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.parametrize("path", [CHAT_PATH, "/v1/completions", "/v1/embeddings"])
async def test_a_whole_answer_is_given_where_the_setting_says_so(serving_stage: Stage, path: str, when: str) -> None:
    serving_stage.engine.script = Chat(("こん", "にちは"), prefill_s=0.3)
    async with serving_stage.connect() as client:
        await ask_and_end(client, serving_stage.request(WHOLE[path], path), when, serving_stage)
        reply = await client.read_reply()
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert await client.read_to_end() == b""
    assert (await serving_stage.call())["status"] == 200


@pytest.mark.parametrize(
    "path", ["/health", "/v1/models", "/metrics", "/", "/nowhere", "/v1/models/scripted", "/session"]
)
async def test_what_asks_no_engine_is_answered(stage: Stage, path: str) -> None:
    async with stage.connect() as client:
        await client.send(stage.request(None, path, method="GET"))
        client.half_close()
        assert (await client.read_reply()).status == (404 if path == "/nowhere" else 200)
        assert await client.read_to_end() == b""


@pytest.mark.parametrize("asked", [{"messages": 7}, {"messages": HELLO, "stream": True, "n": 10**6}])
async def test_a_refusal_is_given(stage: Stage, asked: dict[str, Any]) -> None:
    async with stage.connect() as client:
        await client.send(stage.request(asked))
        client.half_close()
        assert (await client.read_reply()).status == 400


async def test_an_engines_error_is_told_in_the_stream(stage: Stage) -> None:
    stage.engine.script = [0.3, *error(500, "boom")]
    async with stage.connect() as client:
        await client.send(stage.request(STREAM))
        client.half_close()
        assert (await client.read_head()).status == 200
        frames = [frame async for frame in client.frames()]
    assert "boom" in frames[-1].data


async def test_requests_sent_ahead_are_answered_too(stage: Stage) -> None:
    stage.engine.script = Chat(("こん", "にちは"), prefill_s=0.1)
    async with stage.connect() as client:
        await client.send(stage.request(STREAM) * 3)
        client.half_close()
        for _ in range(3):
            assert (await client.read_head()).status == 200
            assert [frame async for frame in client.frames()][-1].data == "[DONE]"
        assert await client.read_to_end() == b""


async def test_a_request_that_is_not_whole_is_dropped(stage: Stage) -> None:
    for request in (stage.request(STREAM)[:-5], stage.request(STREAM)[:30], b""):
        async with stage.connect() as client:
            await client.send(request)
            await asyncio.sleep(0.02)
            client.half_close()
            assert await client.read_to_end() == b""
    assert not stage.engine.requests


# The end of an answer.


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_a_client_that_leaves_upon_the_last_event_has_finished(stage: Stage, path: str, how: str) -> None:
    """The engine holds its connection open after `[DONE]`, as some do for a while."""
    stage.engine.script = Chat(("こん", "にちは"), last=[silence])
    async with stage.connect() as client:
        await client.send(stage.request(STREAMS[path], path))
        await client.read_head()
        async for each in client.frames():
            if each.data == "[DONE]" or each.event == "done":
                break
        if how == "rst":
            client.reset()
        else:
            client.leave()
    call = await stage.call()
    assert (call["status"], call["error"], call["finish_reason"]) == (200, None, "stop")


LAST_EVENTS = {
    "/v1/messages": frame({"type": "message_stop"}, "message_stop"),
    "/v1/responses": frame({"type": "response.completed", "response": {"id": "r"}}, "response.completed"),
}


@pytest.mark.parametrize("path", LAST_EVENTS)
async def test_other_dialects_have_last_events_too(stage: Stage, path: str) -> None:
    stage.engine.script = sse([LAST_EVENTS[path]], last=[silence])
    async with stage.connect() as client:
        await client.send(stage.request({**WHOLE[path], "stream": True, "store": False}, path))
        await client.read_head()
        assert LAST_EVENTS[path] in await client.read_chunk()
        client.reset()
    assert (await stage.call())["status"] == 200


@pytest.mark.parametrize("asked", [PLAIN, STREAM], ids=["whole", "stream"])
async def test_a_client_that_leaves_upon_the_last_byte_has_finished(stage: Stage, asked: dict[str, Any]) -> None:
    for _ in range(30):
        async with stage.connect() as client:
            await client.send(stage.request(asked))
            await client.read_reply()
            client.reset()
    assert {call["status"] for call in await stage.calls(30)} == {200}


async def test_a_client_that_leaves_before_the_last_event_has_not(stage: Stage) -> None:
    stage.engine.script = Chat(("こん", "にちは"), done=False, last=[silence])
    async with stage.connect() as client:
        await client.send(stage.request(STREAM))
        await client.read_head()
        await client.read_chunk()
        client.leave()
        await eventually(lambda: stage.engine.abandoned_at_s)
    assert (await stage.call())["status"] == 499
