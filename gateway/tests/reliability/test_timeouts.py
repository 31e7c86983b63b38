"""RELIABILITY: connecting, the first byte, the silence between tokens, the total and the wait in the queue are limited, each
with an error that the caller sees in its own dialect; a live stream has no limit.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.engine_faults import HEADERS_THEN_SILENCE, NO_ANSWER, silent_mid_stream
from tests.support.engine_script import SSE, Chat, Script, body, head, silence
from tests.support.fake_engine import unanswered_port
from tests.support.gateway import running_gateway
from tests.support.http import fetch
from tests.support.scene import CHAT_PATH, HELLO, PLAIN, STREAM, Stage, settings
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

STREAMS: dict[str, dict[str, Any]] = {
    CHAT_PATH: STREAM,
    "/v1/completions": {"prompt": "Hello", "stream": True},
    "/generate_stream": {"prompt": "Hello"},
    "/v1/messages": {"messages": HELLO, "max_tokens": 10, "stream": True},
    "/v1/responses": {"input": "Hello", "stream": True},
}
WHOLE: dict[str, dict[str, Any]] = {
    CHAT_PATH: PLAIN,
    "/v1/completions": {"prompt": "Hello"},
    "/v1/messages": {"messages": HELLO, "max_tokens": 10},
    "/v1/responses": {"input": "Hello"},
    "/v1/embeddings": {"input": "Hello"},
}


def code_in(event: Any) -> str:
    """The error's code, by whichever dialect."""
    if event.get("type") == "error" and "error" in event:
        return str(event["error"]["type"])
    return str(event["code"] if "code" in event else event["error"]["code"])


async def is_served(stage: Stage) -> bool:
    """Nobody is turned away; on a busy machine the engine may be late once more."""
    reply = await stage.post(STREAM)
    assert reply.status != 503, reply.text
    return reply.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("script", [NO_ANSWER, [head(), silence]], ids=["no head", "head, then nothing"])
async def test_a_whole_answer_that_does_not_come_is_a_504(limits_stage: Stage, script: Script) -> None:
    limits_stage.engine.script = script
    replies = await asyncio.gather(*(limits_stage.post(body, path) for path, body in WHOLE.items()))
    assert [reply.status for reply in replies] == [504] * len(WHOLE)
    assert {code_in(reply.json) for reply in replies} == {"timeout", "timeout_error"}
    assert {call["status"] for call in await limits_stage.calls(len(WHOLE))} == {504}


async def test_a_stream_whose_head_does_not_come_is_a_504(limits_stage: Stage) -> None:
    limits_stage.engine.script = NO_ANSWER
    replies = await asyncio.gather(*(limits_stage.post(body, path) for path, body in STREAMS.items()))
    assert [reply.status for reply in replies] == [504] * len(STREAMS)
    assert {code_in(reply.json) for reply in replies} == {"timeout", "timeout_error"}
    assert {reply.headers["content-type"] for reply in replies} == {"application/json"}


async def test_a_stream_whose_first_byte_does_not_come_ends_with_an_error_event(limits_stage: Stage) -> None:
    limits_stage.engine.script = HEADERS_THEN_SILENCE
    answers = await asyncio.gather(*(limits_stage.frames(body, path) for path, body in STREAMS.items()))
    for path, frames in zip(STREAMS, answers, strict=True):
        last = [frame for frame in frames if frame.data][-1]
        assert code_in(last.json) == ("timeout_error" if path == "/v1/messages" else "timeout")
        assert last.event == ("message" if "completions" in path else "error")
    assert {(call["status"], call["error"]) for call in await limits_stage.calls(len(STREAMS))} == {(504, "timeout")}


async def test_silence_between_tokens_ends_with_an_error_event(limits_stage: Stage) -> None:
    limits_stage.engine.script = silent_mid_stream(("こん", "にち"))
    paths = [CHAT_PATH, "/v1/completions", "/generate_stream"]
    for frames in await asyncio.gather(*(limits_stage.frames(STREAMS[path], path) for path in paths)):
        *words, last = [frame for frame in frames if frame.data]
        assert "にち" in words[-1].data
        assert code_in(last.json) == "timeout"
        assert "timeouts.silence_s" in last.data


async def test_an_engine_that_only_says_it_lives_is_silent(limits_stage: Stage) -> None:
    """A frozen engine's front end may go on sending comments."""
    frames = Chat(("こん",), finish_reason=None, done=False)
    comments = [each for _ in range(2_000) for each in (0.1, body(b": keep-alive\n\n"))]
    limits_stage.engine.script = lambda request: [head(headers=SSE), *map(body, frames.frames(request)), *comments]
    last = (await limits_stage.frames(STREAM))[-1]
    assert code_in(last.json) == "timeout"


async def test_a_whole_answer_that_stops_is_a_504(limits_stage: Stage) -> None:
    limits_stage.engine.script = [head(framing="length", length=1000), b'{"choices":[', silence]
    assert (await limits_stage.post(PLAIN)).status == 504


async def test_an_error_answer_that_stops_is_a_504(limits_stage: Stage) -> None:
    limits_stage.engine.script = [head(500, framing="length", length=1000), b'{"error":', silence]
    assert (await limits_stage.post(PLAIN)).status == 504


async def test_the_total_is_limited_when_told_so(limits_stage: Stage) -> None:
    limits_stage.engine.script = Chat(["a"] * 5_000, gap_s=0.05)
    frames, reply = await asyncio.gather(
        limits_stage.frames({**STREAM, "model": "total"}), limits_stage.post({**PLAIN, "model": "total"})
    )
    *words, last = frames
    assert words
    assert code_in(last.json) == "timeout"
    assert "timeouts.total_s" in last.data
    assert reply.status == 504


async def test_a_live_stream_has_no_limit(limits_stage: Stage) -> None:
    """It lasts longer than an engine may be silent, and than a whole answer may take."""
    limits_stage.engine.script = Chat(["a"] * 20, gap_s=0.1)
    frames = await limits_stage.frames({**STREAM, "model": "live"})
    assert frames[-1].data == "[DONE]"


@pytest.mark.parametrize("asked", [PLAIN, STREAM], ids=["whole", "stream"])
async def test_the_wait_in_the_queue_is_limited(limits_stage: Stage, asked: dict[str, Any]) -> None:
    limits_stage.engine.script = Chat(["a"] * 5_000, gap_s=0.05)
    async with limits_stage.connect() as first:
        await first.send(limits_stage.request({**STREAM, "model": "narrow"}))
        await first.read_head()
        reply = await limits_stage.post({**asked, "model": "narrow"})
        assert reply.status == 503
        assert reply.json["error"]["code"] == "overloaded"
        assert int(reply.headers["retry-after"]) >= 1
    call = await limits_stage.call()
    assert call["queued_ms"] >= 400


async def test_an_engine_that_does_not_take_the_connection_is_a_502() -> None:
    with unanswered_port() as url:
        async with running_gateway(config=settings(url, timeouts={"connect_s": 0.3})) as gateway:
            ask = [fetch(gateway.url, CHAT_PATH, asked, key=gateway.key) for asked in (PLAIN, STREAM)]
            for reply in await asyncio.gather(*ask):
                assert reply.status == 502
                assert reply.json["error"]["code"] == "upstream_error"


async def test_the_engine_is_released_by_each_limit(limits_stage: Stage) -> None:
    limits_stage.engine.then(NO_ANSWER, HEADERS_THEN_SILENCE, silent_mid_stream())
    await asyncio.gather(*(limits_stage.post(STREAM) for _ in range(3)))
    await eventually(lambda: len(limits_stage.engine.abandoned_at_s) == 3)


async def test_the_next_call_is_served_after_each_limit(limits_stage: Stage) -> None:
    for script in (NO_ANSWER, HEADERS_THEN_SILENCE, silent_mid_stream()):
        limits_stage.engine.then(script)
        await limits_stage.post(STREAM)
        await eventually(lambda: is_served(limits_stage))
