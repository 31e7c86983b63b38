"""RELIABILITY: slow request headers and slow bodies are cut; what arrives at a fair rate is not."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support.engine_script import Chat
from tests.support.http import Client
from tests.support.scene import PLAIN, STREAM, Stage

pytestmark = pytest.mark.anyio

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"


async def trickled(client: Client, data: bytes) -> bytes:
    """Everything the gateway says while `data` leaves byte by byte; all of it would take much longer than the gateway waits."""

    async def send() -> None:
        for byte in data:
            try:
                await client.send(bytes((byte,)))
            except ConnectionError:
                return
            await asyncio.sleep(0.02)

    sending = asyncio.create_task(send())
    try:
        return await client.read_to_end()
    finally:
        sending.cancel()


async def test_slow_headers_are_cut_with_408(strict_stage: Stage) -> None:
    began = time.monotonic()
    async with strict_stage.connect() as client:
        said = await trickled(client, HEAD + b"x: " + b"y" * 1000)
    assert time.monotonic() - began > 0.9
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in said
    assert b"connection: close" in said


async def test_slow_headers_of_a_second_request_are_cut_too(strict_stage: Stage) -> None:
    async with strict_stage.connect() as client:
        await client.send(strict_stage.request(PLAIN))
        assert (await client.read_reply()).status == 200
        said = await trickled(client, HEAD + b"x: " + b"y" * 1000)
    assert said.startswith(b"HTTP/1.1 408 ")


async def test_a_connection_that_says_nothing_is_closed_without_a_word(strict_stage: Stage) -> None:
    async with strict_stage.connect() as client:
        assert await client.read_to_end() == b""


async def test_a_kept_connection_that_says_nothing_is_closed_without_a_word(strict_stage: Stage) -> None:
    async with strict_stage.connect() as client:
        await client.send(strict_stage.request(PLAIN))
        assert (await client.read_reply()).status == 200
        assert await client.read_to_end() == b""


async def test_a_slow_body_is_cut_with_408(strict_stage: Stage) -> None:
    request = strict_stage.request({**PLAIN, "padding": "x" * 4000})
    head, _, body = request.partition(b"\r\n\r\n")
    async with strict_stage.connect() as client:
        await client.send(head + b"\r\n\r\n")
        said = await trickled(client, body)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in said
    assert not strict_stage.engine.requests


async def test_a_body_that_stops_is_cut_with_408(strict_stage: Stage) -> None:
    request = strict_stage.request({**PLAIN, "padding": "x" * 4000})
    async with strict_stage.connect() as client:
        await client.send(request[:-1])
        said = await client.read_to_end()
    assert said.startswith(b"HTTP/1.1 408 ")


async def test_a_slow_chunked_body_is_cut_with_408(strict_stage: Stage) -> None:
    key = strict_stage.key.encode()
    async with strict_stage.connect() as client:
        await client.send(HEAD + b"authorization: Bearer " + key + b"\r\ntransfer-encoding: chunked\r\n\r\n")
        said = await trickled(client, b"1\r\n{\r\n" * 300)
    assert said.startswith(b"HTTP/1.1 408 ")


async def test_a_body_may_take_longer_when_it_arrives_at_a_fair_rate(strict_stage: Stage) -> None:
    """A second and a half in all, where everyone has one: each 50 KB earn a second more, ten times what is made of it."""
    request = strict_stage.request({**PLAIN, "padding": "x" * 500_000})
    async with strict_stage.connect() as client:
        for n in range(0, len(request), 50_000):
            await client.send(request[n : n + 50_000])
            await asyncio.sleep(0.15)
        assert (await client.read_reply()).status == 200


async def test_the_wait_for_an_answer_is_no_slow_request(strict_stage: Stage) -> None:
    strict_stage.engine.script = Chat(prefill_s=1.5)
    assert (await strict_stage.post(PLAIN)).status == 200
    assert (await strict_stage.frames(STREAM))[-1].data == "[DONE]"


async def test_after_an_early_answer_a_body_that_stops_is_cut_without_a_second_one(strict_stage: Stage) -> None:
    async with strict_stage.connect() as client:
        await client.send(HEAD + b"content-length: 4000\r\n\r\n{")
        said = await client.read_to_end()
    assert said.startswith(b"HTTP/1.1 401 ")
    assert said.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("ahead", ["a single byte", "half a head", "half a body"])
async def test_what_is_slow_behind_a_stream_does_not_cost_the_stream(strict_stage: Stage, ahead: str) -> None:
    """It is cut when the stream has ended."""
    strict_stage.engine.script = Chat(["。"] * 30, gap_s=0.08)
    second = strict_stage.request(PLAIN)
    async with strict_stage.connect() as client:
        await client.send(strict_stage.request(STREAM))
        await client.read_head()
        await client.send({"a single byte": second[:1], "half a head": second[:50], "half a body": second[:-5]}[ahead])
        frames = [frame async for frame in client.frames()]
        assert frames[-1].data == "[DONE]"
        assert (await client.read_to_end()).startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 "))
    assert (await strict_stage.call())["status"] == 200
