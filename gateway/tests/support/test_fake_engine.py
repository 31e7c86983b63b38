"""The fake engine misbehaves exactly as it is told."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.engine_faults import GARBAGE, NEVER_READS, cut_mid_frame, error_then_done
from tests.support.engine_script import Answer, Chat, cut, error, trickle
from tests.support.fake_engine import FakeEngine, running_engine, unanswered_port
from tests.support.waiting import LAST_RESORT_S

pytestmark = pytest.mark.anyio


def post(body: dict[str, object], path: str = "/v1/chat/completions") -> bytes:
    content = json.dumps(body).encode()
    return f"POST {path} HTTP/1.1\r\nhost: engine\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content


async def ask(engine: FakeEngine, request: bytes, enough: bytes = b"0\r\n\r\n") -> bytes:
    """Everything until `enough` or the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", engine.port)
    try:
        writer.write(request)
        seen = b""
        async with asyncio.timeout(LAST_RESORT_S):
            while not seen.endswith(enough) and (data := await reader.read(65536)):
                seen += data
        return seen
    finally:
        writer.close()


async def test_a_stream_has_role_texts_finish_usage_and_done() -> None:
    async with running_engine(Chat(["こん", "にちは"])) as engine:
        seen = await ask(engine, post({"stream": True, "stream_options": {"include_usage": True}}))
    assert seen.startswith(b"HTTP/1.1 200 ")
    frames = [line[6:] for line in seen.decode().splitlines() if line.startswith("data: ")]
    assert frames.pop() == "[DONE]"
    chunks = [json.loads(each) for each in frames]
    assert [c["choices"][0]["delta"] for c in chunks[:-1]] == [
        {"role": "assistant", "content": ""},
        {"content": "こん"},
        {"content": "にちは"},
        {},
    ]
    assert chunks[-1]["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    assert engine.requests[0].json["stream"] is True
    assert (engine.open, engine.max_open) == (0, 1)


async def test_a_whole_answer_and_scripts_in_turn_on_one_connection() -> None:
    async with running_engine(Chat(["yes"])) as engine:
        engine.then(error(503, "busy", {"retry-after": "3"}))
        seen = await ask(engine, post({}) + post({}), enough=b'"total_tokens": 8}}')
    assert seen.count(b"HTTP/1.1 ") == 2
    assert b"retry-after: 3" in seen
    assert b'"content": "yes"' in seen
    assert [r.connection for r in engine.requests] == [1, 1]


async def test_a_client_that_leaves_is_noticed_at_once() -> None:
    async with running_engine(Chat(["a"] * 1000, gap_s=0.05)) as engine:
        await ask(engine, post({"stream": True}), enough=b"\r\n")
        async with asyncio.timeout(LAST_RESORT_S):
            await engine.abandoned.wait()
        assert len(engine.abandoned_at_s) == 1


@pytest.mark.parametrize(
    ("script", "ending"),
    [
        (cut_mid_frame(), b"\r\n"),
        (error_then_done(), b"data: [DONE]\n\n\r\n0\r\n\r\n"),
        (GARBAGE, b"not HTTP at all\r\n\r\n"),
        ([b"HTTP/1.1 200 OK\r\n", 0.01, b"content-le", cut], b"content-le"),
        ([cut], b""),
        (lambda request: [trickle(), *Chat(["a"])(request)], b"data: [DONE]\n\n\r\n0\r\n\r\n"),
        (Chat(["a"], framing="length"), b"data: [DONE]\n\n"),
        (Chat(["a"], framing="close", eol="\r\n"), b"data: [DONE]\r\n\r\n"),
    ],
)
async def test_faults_are_sent_as_written(script: Answer, ending: bytes) -> None:
    async with running_engine(script) as engine:
        seen = await ask(engine, post({"stream": True}), enough=ending or b"nothing")
    assert seen.endswith(ending)
    assert bool(seen) == bool(ending)


async def test_a_kept_connection_dies_when_the_next_request_arrives() -> None:
    async with running_engine() as engine:
        engine.stale = [cut]
        seen = await ask(engine, post({}) + post({}), enough=b"never")
    assert seen.count(b"HTTP/1.1 200") == 1
    assert len(engine.requests) == 1


async def test_an_idle_connection_is_closed() -> None:
    async with running_engine() as engine:
        engine.idle_close_s = 0.05
        assert (await ask(engine, post({}), enough=b"never")).startswith(b"HTTP/1.1 200")


async def test_connections_are_refused_and_accepted_again() -> None:
    async with running_engine() as engine:
        await engine.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", engine.port)
        await engine.listen()
        assert b"ok" in await ask(engine, b"GET /health HTTP/1.1\r\n\r\n", enough=b"}")
        assert not engine.requests
        assert engine.probes[0].path == "/health"


async def test_a_request_is_never_read() -> None:
    async with running_engine() as engine:
        engine.on_connect = NEVER_READS
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):  # runs out
                await ask(engine, post({}))
        assert not engine.requests


async def test_a_full_listener_leaves_connecting_unanswered() -> None:
    with unanswered_port() as url, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):  # runs out
            await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def test_a_mistake_in_a_script_fails_the_test() -> None:
    with pytest.raises(ExceptionGroup, match="script failed"):
        async with running_engine(lambda request: request.json["absent"]) as engine:
            await ask(engine, post({}))
