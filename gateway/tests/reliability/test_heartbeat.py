"""A stream that has nothing to say sends a comment: in the queue, before the engine's head, in prefill, between tokens. What
fails after such an early start is told in the stream, never as a clean end.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.support.engine_script import Chat, error
from tests.support.http import PING, Frame
from tests.support.scene import CHAT_PATH, HELLO, PLAIN, STREAM, Stage, scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

STREAMS: dict[str, dict[str, Any]] = {
    CHAT_PATH: STREAM,
    "/v1/completions": {"prompt": "Hello", "stream": True},
    "/generate_stream": {"prompt": "Hello"},
}
PASSED_THROUGH: dict[str, dict[str, Any]] = {
    "/v1/messages": {"messages": HELLO, "max_tokens": 10, "stream": True},
    "/v1/responses": {"input": "Hello", "stream": True},
}
OPENING = re.compile(rb"id: [0-9a-f]+-0\nretry: 3000\n\n")
"""What /generate_stream begins with, so that a browser that loses it can say so."""
LATE_S = 1.2
"""Six times the heartbeat, of which two must be heard: a busy machine may be late for some."""


@pytest.fixture(scope="module")
async def beating_stage() -> AsyncIterator[Stage]:
    others: dict[str, dict[str, Any]] = {
        "llama": {"backend": "llamacpp"},
        "narrow": {"max_in_flight": 1},
        "hasty": {"max_in_flight": 1, "queue_timeout_s": 1},
    }
    async with scene(server={"heartbeat_s": 0.2}, others=others, health={"eject_after": 10_000}) as stage:
        yield stage


@pytest.fixture
async def stage(beating_stage: Stage) -> AsyncIterator[Stage]:
    """A gateway whose streams are silent for 0.2 s at most. Other models, same engine: `llama` (llama.cpp), `narrow` (one call
    at a time), `hasty` (the same, with one second in the queue at most).
    """
    async with beating_stage.between_tests() as fresh:
        yield fresh


def is_ping(frame: Frame) -> bool:
    return frame.raw == PING


def said_in(frames: Sequence[Frame]) -> list[Frame]:
    """What is neither a ping nor what /generate_stream begins with."""
    return [frame for frame in frames if not is_ping(frame) and not OPENING.fullmatch(frame.raw)]


def code_in(event: Any) -> str:
    """The error's code, by whichever dialect."""
    if event.get("type") == "error" and "error" in event:
        return str(event["error"]["type"])
    return str(event["code"] if "code" in event else event["error"]["code"])


def check_whole(path: str, frames: Sequence[Frame]) -> None:
    """The answer of `Chat()`, complete."""
    said = said_in(frames)
    assert all(frame.data for frame in said)
    assert "こん" in "".join(frame.data for frame in said)
    assert said[-1].event == "done" if path == "/generate_stream" else said[-1].data == "[DONE]"


@pytest.mark.parametrize("path", STREAMS)
async def test_before_the_engines_head(stage: Stage, path: str) -> None:
    stage.engine.script = Chat(prefill_s=LATE_S, early_headers=False)
    opening, *frames = await stage.frames({**STREAMS[path], "model": "llama"}, path)
    if path != "/generate_stream":
        frames.insert(0, opening)
    assert is_ping(frames[0])
    assert is_ping(frames[1])
    check_whole(path, frames)


@pytest.mark.parametrize("path", STREAMS)
async def test_after_the_head_without_data(stage: Stage, path: str) -> None:
    stage.engine.script = Chat(prefill_s=LATE_S)
    frames = await stage.frames(STREAMS[path], path)
    pings = [number for number, frame in enumerate(frames) if is_ping(frame)]
    assert len(pings) >= 2
    assert not said_in(frames[: pings[1]])
    check_whole(path, frames)


@pytest.mark.parametrize("path", STREAMS)
async def test_between_tokens(stage: Stage, path: str) -> None:
    stage.engine.script = Chat(("こん", "にちは"), gap_s=0.7, role_first=False)
    frames = await stage.frames(STREAMS[path], path)
    texts = [number for number, frame in enumerate(frames) if "こん" in frame.data or "にちは" in frame.data][:2]
    assert any(map(is_ping, frames[texts[0] + 1 : texts[1]]))
    check_whole(path, frames)


async def test_in_the_queue(stage: Stage) -> None:
    stage.engine.script = Chat(["。"] * 1500, gap_s=0.1)
    async with stage.connect() as first, stage.connect() as second:
        await first.send(stage.request({**STREAM, "model": "narrow"}))
        await first.read_head()
        stage.engine.script = Chat()
        await second.send(stage.request({**STREAM, "model": "narrow"}))
        assert (await second.read_head()).status == 200
        assert await second.read_chunk() == await second.read_chunk() == PING
        assert len(stage.engine.requests) == 1
        first.leave()
        check_whole(CHAT_PATH, [frame async for frame in second.frames()])


@pytest.mark.parametrize("path", [*STREAMS, *PASSED_THROUGH])
async def test_an_engines_error_after_an_early_start_is_told_in_the_stream(stage: Stage, path: str) -> None:
    stage.engine.script = [LATE_S, *error(500, "boom")]
    asked = {**STREAMS, **PASSED_THROUGH}[path]
    frames = await stage.frames(asked, path)
    assert any(map(is_ping, frames[:2]))
    (told,) = said_in(frames)
    assert code_in(told.json) == ("api_error" if path == "/v1/messages" else "upstream_error")
    assert told.event == ("message" if "completions" in path else "error")
    assert "boom" in told.data
    call = await stage.call()
    assert (call["status"], call["error"]) == (502, "upstream_error")


async def test_a_wait_in_the_queue_that_was_too_long_is_told_in_the_stream(stage: Stage) -> None:
    stage.engine.script = Chat(["。"] * 1500, gap_s=0.1)
    async with stage.connect() as first:
        await first.send(stage.request({**STREAM, "model": "hasty"}))
        await first.read_head()
        frames = await stage.frames({**STREAM, "model": "hasty"})
        assert is_ping(frames[0])
        (told,) = said_in(frames)
        assert told.json["error"]["code"] == "overloaded"


@pytest.mark.parametrize("model", ["scripted", "llama"])
async def test_a_whole_answer_gets_no_pings(stage: Stage, model: str) -> None:
    stage.engine.script = Chat(prefill_s=LATE_S)
    reply = await stage.post({**PLAIN, "model": model})
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.body.startswith(b"{")
    assert b"ping" not in reply.body


@pytest.mark.parametrize("path", [*STREAMS, *PASSED_THROUGH])
async def test_a_ping_ends_no_event(stage: Stage, path: str) -> None:
    """Widely used clients take the empty line after a comment for the end of an event without data, and fail on it."""
    stage.engine.script = Chat(prefill_s=LATE_S, early_headers=False) if path in STREAMS else [LATE_S, *error(500)]
    async with stage.connect() as client:
        await client.send(stage.request({**STREAMS, **PASSED_THROUGH}[path], path))
        await client.read_head()
        body = await client.read_body()
    if path == "/generate_stream":
        opening = OPENING.match(body)
        assert opening
        body = body[opening.end() :]
    assert body.startswith(PING * 2)
    assert b"\n\n\n" not in body
    assert PING + b"\n" not in body


async def test_an_error_before_the_first_ping_keeps_its_status(shared_stage: Stage) -> None:
    async with shared_stage.between_tests() as stage:  # whose first ping is fifteen seconds away
        stage.engine.script = error(503, headers={"retry-after": "3"})
        reply = await stage.post(STREAM)
        assert (reply.status, reply.headers["retry-after"]) == (503, "3")


async def test_a_client_that_leaves_after_an_early_start_is_noticed(stage: Stage) -> None:
    stage.engine.script = Chat(prefill_s=20, early_headers=False)
    async with stage.connect() as client:
        await client.send(stage.request(STREAM))
        await client.read_head()
        client.leave()
        await eventually(stage.engine.abandoned.is_set)
    assert (await stage.call())["status"] == 499
