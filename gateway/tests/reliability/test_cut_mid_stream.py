"""RELIABILITY: an engine that is cut off or fails in the middle ends with an error event, never with a clean `[DONE]`; the
gateway serves the next call.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.engine_faults import (
    CLOSE_BEFORE_HEADERS,
    GARBAGE,
    HUGE_HEADER,
    RESET_BEFORE_HEADERS,
    cut_mid_frame,
    error_then_done,
)
from tests.support.engine_script import (
    SSE,
    Answer,
    Chat,
    Script,
    answer,
    body,
    cut,
    end,
    frame,
    head,
    reset,
    trickle,
    until,
)
from tests.support.http import Frame
from tests.support.scene import CHAT_PATH, HELLO, PLAIN, STREAM, Stage

pytestmark = pytest.mark.anyio

ABORTED = Chat(("こん", "にち"), finish_reason="abort")
UNFINISHED = Chat(("こん", "にち"), finish_reason=None, done=False)


HEARD = asyncio.Event()


def broken(*last: Any, framing: Any = "chunked", length: int | None = None) -> Answer:
    """Two words, then, once the client has heard them, whatever `last` does: what comes with nonsense is lost with it."""

    def script(request: Any) -> Script:
        words = map(body, UNFINISHED.frames(request))
        return [head(headers=SSE, framing=framing, length=length), *words, until(HEARD), *last]

    return script


ENDINGS: dict[str, Answer] = {
    "closed between events": broken(cut),
    "reset between events": broken(reset),
    "closed inside an event": cut_mid_frame(),
    "closed inside a character": broken(body(b'data: {"choices":[{"delta":{"content":"\xe3\x81'), cut),
    "closed inside a chunk's size": broken(b"1", cut),
    "closed before all of its length": broken(cut, framing="length", length=100_000),
    "ended properly, but too early": broken(end),
    "ended by closing, but too early": broken(cut, framing="close"),
    "an error event and [DONE]": error_then_done(),
    "an error event and nothing": broken(body(frame({"error": {"message": "CUDA out of memory", "code": 500}})), end),
    "an error that is a string": broken(body(frame({"error": "it broke"})), end),
    "finish_reason abort": ABORTED,
    "an event that is no JSON": broken(body(b"data: {oops\n\n"), body(b"data: [DONE]\n\n"), end),
    "choices that are no choices": broken(body(frame({"choices": [7]})), body(b"data: [DONE]\n\n"), end),
    "choices that are text": broken(body(frame({"choices": "text"})), body(b"data: [DONE]\n\n"), end),
    "a chunk size that is none": broken(b"zz\r\nhello\r\n"),
    "another answer in the middle": broken(b"HTTP/1.1 200 OK\r\n\r\n"),
    "an event without an end": broken(*[body(b"x" * (1 << 20)) for _ in range(9)], end),
}


def error_of(frames: list[Frame]) -> Any:
    """The last frame, which must be the only error."""
    *before, last = [each for each in frames if each.data]
    assert all('"error"' not in each.data for each in before)
    assert "[DONE]" not in [each.data for each in frames]
    return last.json["error"]


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("path", [CHAT_PATH, "/generate_stream"])
async def test_a_stream_that_breaks_ends_with_an_error_event(stage: Stage, name: str, path: str) -> None:
    stage.engine.then(ENDINGS[name])
    asked = STREAM if path == CHAT_PATH else {"prompt": "Hello"}
    HEARD.clear()
    frames = []
    async with stage.connect() as client:
        await client.send(stage.request(asked, path))
        assert (await client.read_head()).status == 200
        async for each in client.frames():
            frames.append(each)
            if "にち" in each.data:
                HEARD.set()
    error = error_of(frames)
    assert error["code"] == "upstream_error"
    assert error["message"]
    assert [each.event for each in frames][-1] == ("message" if path == CHAT_PATH else "error")
    assert any("こん" in each.data for each in frames)
    call = await stage.call()
    assert (call["status"], call["error"]) == (502, "upstream_error")
    assert (await stage.frames(STREAM))[-1].data == "[DONE]"


async def test_the_engines_own_words_are_in_the_event(stage: Stage) -> None:
    stage.engine.then(error_then_done("EngineCore encountered an issue."))
    assert "EngineCore encountered an issue." in error_of(await stage.frames(STREAM))["message"]


@pytest.mark.parametrize("size", [1, 7])
async def test_an_engine_that_trickles_is_not_broken(stage: Stage, size: int) -> None:
    stage.engine.then(lambda request: [trickle(), *Chat()(request)])
    frames = await stage.frames(STREAM)
    assert frames[-1].data == "[DONE]"
    assert "".join(f.json["choices"][0]["delta"].get("content", "") for f in frames[:-1]) == Chat().text


@pytest.mark.parametrize("framing", ["length", "close"])
async def test_a_whole_stream_may_end_by_length_or_by_closing(stage: Stage, framing: Any) -> None:
    stage.engine.then(Chat(framing=framing))
    assert (await stage.frames(STREAM))[-1].data == "[DONE]"


async def test_a_stream_whose_done_is_missing_gets_one(stage: Stage) -> None:
    stage.engine.then(Chat(done=False))
    assert (await stage.frames(STREAM))[-1].data == "[DONE]"


async def test_a_cut_after_done_is_no_loss(stage: Stage) -> None:
    for last in (cut, reset):
        stage.engine.then(Chat(last=[last]))
        assert (await stage.frames(STREAM))[-1].data == "[DONE]"
        assert (await stage.call())["status"] == 200


BROKEN_WHOLES: dict[str, Answer] = {
    "closed before the head": CLOSE_BEFORE_HEADERS,
    "reset before the head": RESET_BEFORE_HEADERS,
    "closed inside the head": [b"HTTP/1.1 200 OK\r\ncontent-le", cut],
    "closed inside the body": [head(framing="length", length=500), b'{"choices":', cut],
    "not HTTP": GARBAGE,
    "a huge header": HUGE_HEADER,
    "not JSON": answer(b"<html>It works!</html>", headers={"content-type": "text/html"}),
    "JSON that is no answer": answer({"hello": "world"}),
    "a list": answer([1, 2]),
    "an error under 200": answer({"error": {"message": "boom", "code": 500}}),
    "finish_reason abort": ABORTED,
    "another engine's 401": answer({"error": "Unauthorized"}, 401),
    "a 500": answer({"error": {"message": "boom", "code": 500}}, 500),
    "a 500 that is a page": answer(b"<html>Bad</html>", 500, {"content-type": "text/html"}),
    "a redirect": answer(b"", 302, {"location": "http://elsewhere/"}),
    "a 101": [b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"],
}


@pytest.mark.parametrize("name", BROKEN_WHOLES)
async def test_a_whole_answer_that_breaks_is_a_502(stage: Stage, name: str) -> None:
    for asked in (PLAIN, STREAM) if "abort" not in name else (PLAIN,):
        stage.engine.then(BROKEN_WHOLES[name], BROKEN_WHOLES[name])  # a kept connection that breaks is tried once more
        reply = await stage.post(asked)
        stage.engine._next.clear()
        if reply.status == 200:  # the head of the stream was good
            assert b'"upstream_error"' in reply.body
            assert b"[DONE]" not in reply.body
        else:
            assert reply.status == 502
            assert reply.json["error"]["code"] == "upstream_error"
        assert b"elsewhere" not in reply.body
    assert (await stage.post(PLAIN)).status == 200


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses"])
async def test_a_passed_through_stream_that_breaks_ends_in_its_dialect(stage: Stage, path: str) -> None:
    first = b'event: message_start\ndata: {"type":"message_start","message":{}}\n\n'
    stage.engine.then([head(headers=SSE), body(first), cut])
    frames = await stage.frames({"messages": HELLO, "input": "x", "max_tokens": 5, "stream": True}, path)
    assert [each.event for each in frames] == ["message_start", "error"]
    assert frames[-1].json["type"] == "error"


async def test_a_body_without_events_that_breaks_is_cut(stage: Stage) -> None:
    """There is no way to say it in the middle of a sound file; but no clean end may be faked either."""
    stage.engine.then([head(headers={"content-type": "audio/wav"}), body(b"RIFF" * 100), cut])
    async with stage.connect() as client:
        await client.send(stage.request({"input": "x"}, "/v1/audio/speech"))
        assert (await client.read_head()).status == 200
        seen = await client.read_to_end()
    assert not seen.endswith(b"0\r\n\r\n")
    assert (await stage.call())["status"] == 502
