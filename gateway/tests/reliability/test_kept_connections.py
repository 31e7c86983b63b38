"""Connections that are kept: an engine's that was closed costs no call, and none is sent twice; a client's serves one request
after another, pipelined, with 100-continue, or as HTTP/1.0.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.engine_script import Chat, Request, Script, cut, error, reset, silence
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, Stage
from tests.support.waiting import LAST_RESORT_S, eventually

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("death", [[cut], [reset]], ids=["fin", "rst"])
@pytest.mark.parametrize("asked", [PLAIN, STREAM], ids=["whole", "stream"])
async def test_a_call_whose_connection_dies_is_sent_once(stage: Stage, asked: dict[str, Any], death: Script) -> None:
    """The engine has read it, and may have worked on it: a second one would be a second answer, or a second bill."""
    assert (await stage.post(PLAIN)).status == 200
    seen: list[Request] = []

    def die(request: Request) -> Script:
        seen.append(request)
        return death

    stage.engine.stale = die
    assert (await stage.post(asked)).status == 502
    assert len(seen) == 1
    assert [call["attempts"] for call in await stage.calls(2)] == [1, 1]
    assert (await stage.post(asked)).status == 200


async def test_connections_that_an_engine_closes_when_idle_are_not_used(stage: Stage) -> None:
    stage.engine.idle_close_s = 0.05
    for _ in range(3):
        assert (await stage.post(PLAIN)).status == 200
        await asyncio.sleep(0.1)
        assert (await stage.get("/health")).status == 200  # by now the gateway has seen the end of it


async def test_a_connection_to_the_engine_serves_many_calls(stage: Stage) -> None:
    for _ in range(10):
        assert (await stage.post(PLAIN)).status == 200
        assert (await stage.frames(STREAM))[-1].data == "[DONE]"
    assert len({request.connection for request in stage.engine.requests}) < 10


async def test_a_connection_whose_answer_was_an_error_is_kept_too(stage: Stage) -> None:
    stage.engine.then(*[error(400) for _ in range(10)])
    for _ in range(10):
        assert (await stage.post(PLAIN)).status == 400
    assert len({request.connection for request in stage.engine.requests}) < 10


async def test_an_engine_that_accepts_and_closes_is_a_502_and_leaves_nothing_behind(stage: Stage) -> None:
    stage.engine.on_connect = [cut]
    stage.engine.drop_connections()
    await eventually(lambda: not stage.engine.connections)
    replies = [await stage.post(PLAIN) for _ in range(5)]
    assert {reply.status for reply in replies} <= {502, 503}
    stage.engine.on_connect = ()
    await stage.gateway.ready()

    async def few_connections() -> bool:
        return (await stage.metrics())["hayate_upstream_connections"] <= 2

    await eventually(few_connections)


async def test_a_clients_connection_serves_many_calls_of_every_kind(stage: Stage) -> None:
    async with stage.connect() as client:
        for _ in range(3):
            await client.send(stage.request(PLAIN))
            assert (await client.read_reply()).status == 200
            await client.send(stage.request(STREAM))
            await client.read_head()
            assert [frame async for frame in client.frames()][-1].data == "[DONE]"
            await client.send(stage.request(None, "/v1/models", method="GET"))
            assert (await client.read_reply()).status == 200
            await client.send(stage.request({"messages": 7}))
            assert (await client.read_reply()).status == 400


async def test_pipelined_requests_are_answered_in_order(stage: Stage) -> None:
    stage.engine.then(Chat(["first"], prefill_s=0.2), Chat(["second"]), Chat(["third"]))
    async with stage.connect() as client:
        await client.send(stage.request(PLAIN) + stage.request(STREAM) + stage.request(PLAIN))
        assert "first" in (await client.read_reply()).text
        await client.read_head()
        assert "second" in "".join([frame.data async for frame in client.frames()])
        assert "third" in (await client.read_reply()).text


async def test_many_requests_sent_ahead_are_all_answered(stage: Stage) -> None:
    """More than are read ahead."""
    async with stage.connect() as client:
        await client.send(stage.request(PLAIN) * 30)
        for _ in range(30):
            assert (await client.read_reply()).status == 200
            client.reply.body = b""


async def test_a_client_that_asks_to_continue_is_told_to(stage: Stage) -> None:
    request = stage.request(PLAIN, headers={"expect": "100-continue"})
    head, _, body = request.partition(b"\r\n\r\n")
    async with stage.connect() as client:
        await client.send(head + b"\r\n\r\n")
        assert await client.read_raw() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(body)
        assert (await client.read_reply()).status == 200


async def test_a_client_that_asks_to_continue_in_vain_is_refused_at_once(stage: Stage) -> None:
    request = stage.request(b"", headers={"expect": "100-continue", "content-length": str(50 << 20)})
    async with stage.connect() as client:
        await client.send(request)
        assert (await client.read_raw()).startswith(b"HTTP/1.1 413 ")


def as_http10(request: bytes) -> bytes:
    return request.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)


async def test_a_client_of_http10_gets_a_whole_answer(stage: Stage) -> None:
    async with stage.connect() as client:
        await client.send(as_http10(stage.request(PLAIN)))
        reply = await client.read_reply()
        assert reply.json["choices"][0]["message"]["content"] == Chat().text
        assert await client.read_to_end() == b""


@pytest.mark.parametrize("path", [CHAT_PATH, "/generate_stream"])
async def test_a_client_of_http10_gets_a_stream_without_chunks(stage: Stage, path: str) -> None:
    """It knows no chunked framing: the stream ends when the connection does."""
    asked = STREAM if path == CHAT_PATH else {"prompt": "Hello"}
    stage.engine.then(Chat(["a", "b"] * 20, gap_s=0.005))
    async with stage.connect() as client:
        await client.send(as_http10(stage.request(asked, path)))
        reply = await client.read_head()
        assert "transfer-encoding" not in reply.headers
        assert reply.headers["connection"] == "close"
        body = await client.read_to_end()
    assert body.startswith((b"data: ", b"id: "))
    assert body.endswith(b"data: [DONE]\n\n" if path == CHAT_PATH else b"}\n\n")
    assert b"\r\n" not in body


async def test_a_client_of_http10_that_leaves_is_noticed(stage: Stage) -> None:
    stage.engine.then(Chat(["a"] * 5, last=[silence]))
    async with stage.connect() as client:
        await client.send(as_http10(stage.request(STREAM)))
        await client.read_head()
        client.leave()
        await asyncio.wait_for(stage.engine.abandoned.wait(), LAST_RESORT_S)


@pytest.mark.parametrize("kind", ["models", "calls", "nowhere", "mixed"])
async def test_very_many_requests_sent_ahead_are_all_answered_in_order(stage: Stage, kind: str) -> None:
    """They come in few reads, of which little is taken at once; each answer says whose it is."""
    asked = []
    for number in range(1500):
        path = {"models": "/v1/models", "nowhere": "/nowhere"}.get(kind, "/v1/models" if number % 3 else "/nowhere")
        if kind == "calls" or (kind == "mixed" and number % 10 == 0):
            asked.append(stage.request({"messages": number}, headers={"x-request-id": f"n{number}"}))
        else:
            asked.append(stage.request(None, path, {"x-request-id": f"n{number}"}, "GET"))
    async with stage.connect() as client:
        sending = asyncio.create_task(client.send(b"".join(asked)))
        for number in range(1500):
            assert (await client.read_reply()).headers["x-request-id"] == f"n{number}"
            client.reply.body = b""
        await sending
        await client.send(stage.request(PLAIN))  # and the connection is of use
        assert (await client.read_reply()).status == 200


async def test_a_long_body_behind_requests_sent_ahead_arrives_whole(stage: Stage) -> None:
    long = {**PLAIN, "user": "u" * 700_000}
    stage.engine.script = Chat(prefill_s=0.02)
    async with stage.connect() as client:
        sending = asyncio.create_task(
            client.send(stage.request(PLAIN) * 10 + stage.request(long) + stage.request(PLAIN))
        )
        for _ in range(12):
            assert (await client.read_reply()).status == 200
            client.reply.body = b""
        await sending
    assert [len(request.json.get("user", "")) for request in stage.engine.requests] == [0] * 10 + [700_000, 0]


async def test_requests_sent_ahead_by_one_hold_up_nobody_else(stage: Stage) -> None:
    """A megabyte of them comes at once: others are answered between them, not behind them."""
    async with stage.connect() as greedy:
        sending = asyncio.create_task(greedy.send(b"GET /nowhere HTTP/1.1\r\nhost: gateway\r\n\r\n" * 25_000))
        await greedy.read_head()
        for _ in range(3):
            assert (await stage.get("/health")).status == 200
        greedy.reset()  # most of them are still unanswered
        sending.cancel()
    served = (await stage.get("/health")).status
    assert served == 200
