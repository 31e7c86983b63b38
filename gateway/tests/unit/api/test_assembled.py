"""What a whole answer becomes when only the gateway asked for a stream: its answer, or an error with a status of its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from hayate.api.assembled import AssemblingSink
from hayate.upstream_errors import AnswerTooLarge
from hayate.wire.assemble import Assembler
from hayate.wire.messages import MessageAssembler
from tests.support.engine_script import SSE, Request, Script, Step, answer, body, cut, end, error, head, silence
from tests.support.scene import HELLO, Stage
from tests.support.waiting import LAST_RESORT_S, eventually

pytestmark = pytest.mark.anyio


def named(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


MESSAGE: dict[str, Any] = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "content": [],
    "model": "scripted",
    "stop_reason": None,
}
MESSAGES = [
    named("message_start", message={**MESSAGE, "usage": {"input_tokens": 9, "output_tokens": 0}}),
    named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    named("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hi"}),
    named("content_block_stop", index=0),
    named("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 4}),
    named("message_stop"),
]
RESPONSE = {"id": "r", "status": "incomplete", "output": [], "usage": {"input_tokens": 9, "output_tokens": 4}}
RESPONSES = [
    named("response.created", response={"id": "r"}),
    named("response.in_progress", response={"id": "r"}, prompt_progress={"total": 9, "processed": 9}),
    named("response.output_text.delta", delta="Hi"),
    named("response.incomplete", response=RESPONSE),
]
PATHS = {"/v1/messages": MESSAGES, "/v1/responses": RESPONSES}
WHOLE: dict[str, Any] = {
    "/v1/messages": {
        **MESSAGE,
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 9, "output_tokens": 4},
    },
    "/v1/responses": RESPONSE,
}
ASKED = {"model": "llama", "messages": HELLO, "input": "x", "max_tokens": 9, "store": False}
BOTH = pytest.mark.parametrize("path", PATHS)


def streams(*events: bytes, last: Step = end) -> Script:
    return [head(headers=SSE), *map(body, events), last]


@BOTH
@pytest.mark.parametrize("stream", [None, False])
async def test_llamacpp_is_asked_for_a_stream_and_the_client_gets_one_answer(
    stage: Stage, path: str, stream: bool | None
) -> None:
    stage.engine.script = streams(b": ping\n\n", b"data: null\n\n", *PATHS[path])
    reply = await stage.post({**ASKED, "stream": stream}, path)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json == WHOLE[path]
    assert stage.engine.requests[0].json["stream"] is True
    call = await stage.call()
    assert (call["status"], call["prompt_tokens"], call["completion_tokens"]) == (200, 9, 4)
    assert call["ttft_ms"] is not None


@BOTH
async def test_a_streaming_client_gets_the_events_it_would_have_got(stage: Stage, path: str) -> None:
    stage.engine.script = streams(*PATHS[path])
    frames = await stage.frames({**ASKED, "stream": True}, path)
    assert not any("prompt_progress" in frame.data for frame in frames)
    assert [frame.event for frame in frames] == [raw.split(b"\n")[0][7:].decode() for raw in PATHS[path]]


@BOTH
async def test_progress_that_a_client_asks_for_it_gets(stage: Stage, path: str) -> None:
    stage.engine.script = streams(*PATHS[path])
    frames = await stage.frames({**ASKED, "stream": True, "return_progress": True}, path)
    assert [frame.raw for frame in frames] == PATHS[path]


FAILURES = {
    "error": {"type": "error", "error": {"type": "server_error", "message": "out of memory"}},
    "llama.cpp's own": {"error": {"code": 500, "type": "server_error", "message": "out of memory"}},
    "overloaded": {"error": {"code": 503, "type": "unavailable_error", "message": "Loading model"}},
}


@BOTH
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("after", [0, 2])
async def test_an_error_inside_the_stream_becomes_a_status(stage: Stage, path: str, failure: str, after: int) -> None:
    said = f"data: {json.dumps(FAILURES[failure])}\n\n".encode()
    stage.engine.script = streams(*PATHS[path][:after], said)
    reply = await stage.post(ASKED, path)
    assert reply.status == (503 if failure == "overloaded" else 502)
    assert json.loads(said[6:])["error"]["message"] in reply.json["error"]["message"]
    assert (reply.json.get("type") == "error") is (path == "/v1/messages"), "in the caller's dialect"


@BOTH
@pytest.mark.parametrize("last", [end, cut], ids=["clean end", "cut"])
async def test_half_an_answer_is_an_error(stage: Stage, path: str, last: Step) -> None:
    stage.engine.script = streams(*PATHS[path][:3], last=last)
    reply = await stage.post(ASKED, path)
    assert reply.status == 502


@BOTH
@pytest.mark.parametrize(
    "garbage",
    [
        b'data: {"type":"content_block_start","index":"x","content_block":{}}\n\n',
        b'data: {"type":"content_block_delta","index":0,"delta":7}\n\n',
        b'data: {"type":"message_start","message":[]}\n\ndata: {"type":"message_stop"}\n\n',
        b'data: {"type": \n\n',
    ],
)
async def test_garbage_is_an_error_and_the_next_call_is_served(stage: Stage, path: str, garbage: bytes) -> None:
    stage.engine.script = streams(garbage)
    reply = await stage.post(ASKED, path)
    assert reply.status == 502
    stage.engine.script = streams(*PATHS[path])
    assert (await stage.post(ASKED, path)).status == 200


@BOTH
async def test_an_error_before_the_stream_and_an_answer_that_is_none_keep_their_ways(stage: Stage, path: str) -> None:
    stage.engine.script = error(400, "no such tool")
    reply = await stage.post(ASKED, path)
    assert (reply.status, "no such tool" in reply.json["error"]["message"]) == (400, True)
    stage.engine.script = answer(WHOLE[path])
    assert (await stage.post(ASKED, path)).json == WHOLE[path]


async def test_a_message_whose_start_is_missing_is_counted_by_asking(stage: Stage) -> None:
    def script(request: Request) -> Script:
        return answer({"input_tokens": 65}) if request.path.endswith("/count_tokens") else streams(*MESSAGES[1:])

    stage.engine.script = script
    message = (await stage.post(ASKED, "/v1/messages")).json
    assert message["usage"] == {"cache_read_input_tokens": 0, "input_tokens": 65, "output_tokens": 4}
    assert (message["type"], message["role"], message["content"]) == (
        "message",
        "assistant",
        WHOLE["/v1/messages"]["content"],
    )
    assert (await stage.call())["prompt_tokens"] == 65


@pytest.mark.parametrize("counting", [answer({"detail": "no"}, 404), answer([]), answer({"input_tokens": "x"}), [cut]])
async def test_a_count_that_fails_costs_nothing_but_the_count(stage: Stage, counting: Script) -> None:
    def script(request: Request) -> Script:
        return counting if request.path.endswith("/count_tokens") else streams(*MESSAGES[1:])

    stage.engine.script = script
    reply = await stage.post(ASKED, "/v1/messages")
    assert (reply.status, reply.json["content"]) == (200, WHOLE["/v1/messages"]["content"])


@pytest.mark.parametrize("path", [*PATHS, "/v1/chat/completions", "/v1/completions"])
async def test_a_client_that_leaves_a_whole_answer_cuts_the_stream(stage: Stage, path: str) -> None:
    stage.engine.script = [head(headers=SSE), *map(body, PATHS.get(path, [])[:2]), silence]
    async with stage.connect() as client:
        await client.send(stage.request({**ASKED, "prompt": "x"}, path))
        await eventually(lambda: bool(stage.engine.requests))
        client.leave()
        await asyncio.wait_for(stage.engine.abandoned.wait(), LAST_RESORT_S)
    assert (await stage.call())["status"] == 499


def chunk(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


@pytest.mark.parametrize("assembler", [Assembler(), MessageAssembler()])
def test_an_answer_that_is_too_large_is_nobodys_fault(assembler: Any) -> None:
    sink = AssemblingSink(assembler, limit=1000)
    take = sink.writer()
    with pytest.raises(AnswerTooLarge, match="stream"):
        take(chunk("x" * 60) * 20)
    assert not AnswerTooLarge.counts_against_replica
