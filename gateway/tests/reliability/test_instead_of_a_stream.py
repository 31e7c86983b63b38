"""A streamed call that an engine answers with something else, an encoded answer, a large one, a slow one: each has its way."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.engine_script import SSE, Chat, Request, Script, answer, body, end, head
from tests.support.scene import HELLO, PLAIN, STREAM, Stage, scene

pytestmark = pytest.mark.anyio

WHOLE = {
    "id": "x",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
async def test_a_redirect_is_told_and_not_followed(stage: Stage, status: int, stream: bool, path: str) -> None:
    stage.engine.script = answer("", status, headers={"location": "https://elsewhere.example/v1?token=secret"})
    reply = await stage.post({**PLAIN, "input": "x", "stream": stream}, path)
    assert reply.status == 502
    assert f"redirect ({status})" in reply.json["error"]["message"]
    assert reply.headers["location"] == "https://elsewhere.example/v1"
    assert "secret" not in reply.text


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"error": {"message": "quota exhausted", "code": 429}}, 429, "quota exhausted"),
        ({"error": {"message": "warming up"}}, 502, "warming up"),
        ({"code": 1002, "msg": "token expired"}, 502, "token expired"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_under_200_gets_a_status_and_keeps_its_words(
    stage: Stage, said: dict[str, Any], status: int, words: str, stream: bool
) -> None:
    stage.engine.script = answer(said)
    reply = await stage.post({**PLAIN, "stream": stream})
    assert (reply.status, words in reply.text) == (status, True)


async def test_a_page_instead_of_a_stream_is_an_error_with_a_status(stage: Stage) -> None:
    stage.engine.script = [
        head(headers={"content-type": "text/html"}),
        body(b"<html><title>Sign in</title></html>"),
        end,
    ]
    reply = await stage.post(STREAM)
    assert (reply.status, "Sign in" in reply.text) == (502, True)


@pytest.mark.parametrize("usage", [True, False])
async def test_an_engine_that_ignores_stream_is_streamed(stage: Stage, usage: bool) -> None:
    stage.engine.script = answer(WHOLE)
    frames = await stage.frames({**STREAM, "stream_options": {"include_usage": usage}})
    events = [frame.json for frame in frames if frame.data != "[DONE]"]
    assert "".join(c["delta"].get("content") or "" for event in events for c in event["choices"]) == "Hi"
    assert any(event.get("usage") for event in events) is usage
    assert (await stage.call())["completion_tokens"] == 1


CODINGS: dict[str, Callable[..., bytes]] = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("pieces", [1, 3])
async def test_an_answer_that_is_encoded_all_the_same_is_decoded(stage: Stage, coding: str, pieces: int) -> None:
    def script(request: Request) -> Script:
        assert request.headers["accept-encoding"] == "identity"
        plain = b"".join(Chat(["Hel", "lo"]).frames(request)) if request.asks_for_stream else json.dumps(WHOLE).encode()
        raw = CODINGS[coding](plain)
        size = -(-len(raw) // pieces)
        headers = {**(SSE if request.asks_for_stream else {}), "content-encoding": coding}
        return [head(headers=headers), *(body(raw[at : at + size]) for at in range(0, len(raw), size)), end]

    stage.engine.script = script
    assert (await stage.post(PLAIN)).json == WHOLE
    assert (await stage.post({"input": "x"}, "/v1/embeddings")).json == WHOLE
    frames = await stage.frames(STREAM)
    assert frames[-1].data == "[DONE]"


@pytest.mark.parametrize("coding", ["gzip", "br", "compress"])
async def test_what_is_not_in_its_coding_is_an_error(stage: Stage, coding: str) -> None:
    stage.engine.script = [head(headers={"content-encoding": coding}), body(b"\x1f\x8bgarbage"), end]
    reply = await stage.post(PLAIN)
    assert (reply.status, coding in reply.text) == (502, True)


async def test_an_engine_that_forbids_stream_options_is_asked_without_and_once(stage: Stage) -> None:
    def script(request: Request) -> Script:
        if "stream_options" in request.json:
            return answer(
                {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}, 422
            )
        return Chat()(request)

    async with scene(backend="openai") as fresh:
        fresh.engine.script = script
        for asked in (2, 1):
            fresh.engine.requests.clear()
            frames = await fresh.frames({"messages": HELLO, "stream": True})
            assert frames[-1].data == "[DONE]"
            assert len([each for each in fresh.engine.requests if each.path.endswith("completions")]) == asked
        calls = await fresh.calls(2)
        assert [(call["status"], call["attempts"]) for call in calls] == [(200, 2), (200, 1)]


async def test_an_answer_larger_than_is_collected_goes_through(stage: Stage) -> None:
    numbers = b"[" + b"0.125," * 300_000 + b'0],"usage":{"prompt_tokens":7,"total_tokens":7}}'
    raw = b'{"data":' + numbers
    stage.engine.script = [head(framing="length", length=len(raw)), body(raw), end]
    reply = await stage.post({"input": "x"}, "/v1/embeddings")
    assert (reply.status, reply.body) == (200, raw)
    assert (await stage.call())["prompt_tokens"] == 7


async def resting(_: object) -> None:
    await asyncio.sleep(0.3)


async def test_any_byte_restarts_the_silence_of_a_whole_answer() -> None:
    warm = [step for _ in range(5) for step in (resting, body(b" "))]
    async with scene(timeouts={"silence_s": 1.2}) as fresh:
        fresh.engine.script = [head(), body(b" "), *warm, body(json.dumps(WHOLE).encode()), end]
        paths = ("/v1/chat/completions", "/v1/embeddings")
        replies = await asyncio.gather(*(fresh.post({**PLAIN, "input": "x"}, path) for path in paths))
        assert [reply.json for reply in replies] == [WHOLE, WHOLE]
