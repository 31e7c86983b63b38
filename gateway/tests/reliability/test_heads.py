"""RELIABILITY: a URL has a limit of its own (414), apart from the headers' (431); heads that are still arriving cost bounded
memory together, and no more time than their length.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import quote

import pytest

from tests.support.engine_script import Chat
from tests.support.http import fetch
from tests.support.processes import cpu_s
from tests.support.scene import PLAIN, STREAM, Stage, scene
from tests.support.stages import FORGIVING
from tests.support.waiting import LAST_RESORT_S, NEVER_S

pytestmark = pytest.mark.anyio

URL_LIMIT = 262_144
JAPANESE = {"accept-language": "ja"}


def url_of(size: int, start: str = "/generate_stream?prompt=") -> str:
    return start + "x" * (size - len(start))


@pytest.mark.parametrize("size", [66_000, 180_000, URL_LIMIT])
async def test_a_long_prompt_in_a_url_is_served(stage: Stage, size: int) -> None:
    assert (await stage.get(url_of(size))).status == 200
    prompt = stage.engine.requests[0].json["messages"][0]["content"]
    assert len(prompt) == size - len("/generate_stream?prompt=")


async def test_a_long_prompt_in_japanese_arrives_as_it_was(stage: Stage) -> None:
    prompt = "長い質問です" * 3333
    assert (await stage.get("/generate_stream?prompt=" + quote(prompt))).status == 200
    assert stage.engine.requests[0].json["messages"][0]["content"] == prompt


@pytest.mark.parametrize("start", ["/generate_stream?prompt=", "/v1/models?x=", "/"])
@pytest.mark.parametrize("ended", [True, False], ids=["whole", "without an end"])
async def test_a_url_over_the_limit_gets_414(stage: Stage, start: str, ended: bool) -> None:
    head = f"GET {url_of(URL_LIMIT + 1, start)}" + (" HTTP/1.1\r\nhost: gateway\r\n\r\n" if ended else "")
    async with stage.connect() as client:
        await client.send(head.encode())
        reply = await client.read_reply()
    assert (reply.status, reply.headers["connection"]) == (414, "close")
    assert reply.json["error"]["code"] == "url_too_long"
    assert "max_url_bytes" in reply.text
    assert ("POST /generate_stream takes long prompts" in reply.text) == start.startswith("/generate_stream")


async def test_headers_over_the_limit_point_a_long_prompt_to_post_too(stage: Stage) -> None:
    long = {"x-long": "x" * 70_000}
    reply = await stage.get("/generate_stream?prompt=hi", headers=long)
    assert reply.status == 431
    assert "POST /generate_stream takes long prompts" in reply.text
    reply = await stage.get("/generate_stream?prompt=hi", headers=JAPANESE | long)
    assert "`POST /generate_stream`で送ってください" in reply.text
    assert "POST" not in (await stage.get("/v1/models", headers=long)).text


async def test_a_long_url_takes_nothing_from_the_headers(stage: Stage) -> None:
    assert (await stage.get(url_of(200_000), headers={"x-long": "x" * 60_000})).status == 200


async def test_a_url_that_comes_in_small_pieces_costs_time_by_its_length(stage: Stage) -> None:
    """Copying what has come for each piece would be 13 GB here: seconds of the gateway's own time, whoever else is busy."""
    before_s = cpu_s(stage.gateway.pid)
    request = f"GET {url_of(URL_LIMIT)} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {stage.key}\r\n\r\n".encode()
    async with stage.connect() as client:
        for at in range(0, len(request), 256):
            await client.send(request[at : at + 256])
            await asyncio.sleep(0)
        assert (await client.read_head()).status == 200
    assert cpu_s(stage.gateway.pid) - before_s < 3


@pytest.fixture(scope="module")
async def shared_narrow_stage() -> AsyncIterator[Stage]:
    server = {"unfinished_heads_bytes": 200_000, "header_timeout_s": NEVER_S}
    async with scene(server=server, health=FORGIVING) as stage:
        yield stage


@pytest.fixture
async def narrow_stage(shared_narrow_stage: Stage) -> AsyncIterator[Stage]:
    async with shared_narrow_stage.between_tests() as fresh:
        yield fresh


@pytest.mark.parametrize("shape", ["long URLs", "many short lines"])
async def test_heads_that_are_still_arriving_share_one_amount_of_memory(narrow_stage: Stage, shape: str) -> None:
    """Ten slow clients want more than there is: the last ones are turned away, everybody else is served."""
    long_url, many_lines = (
        f"GET {url_of(160_000)}".encode(),
        b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 250 + b"b: " + b"b" * 60_000,
    )
    started = long_url if shape == "long URLs" else many_lines  # a line costs more than its bytes
    async with AsyncExitStack() as held:
        clients = [await held.enter_async_context(narrow_stage.connect()) for _ in range(10)]
        for client in clients:
            await client.send(started)
        refused = clients[-1]
        reply = await refused.read_reply()
        assert (reply.status, reply.json["error"]["code"]) == (503, "overloaded")
        assert "unfinished_heads_bytes" in reply.text
        assert "retry-after" in reply.headers
        assert (await narrow_stage.post(PLAIN)).status == 200
    assert (await fetch(narrow_stage.url, url_of(160_000), key=narrow_stage.key)).status == 200


async def test_what_a_head_took_is_given_back_when_it_has_ended(narrow_stage: Stage) -> None:
    request = narrow_stage.request(None, url_of(200_000), method="GET")
    for _ in range(10):
        async with narrow_stage.connect() as client:
            await client.send(request[:150_000])
            await asyncio.sleep(0.02)
            await client.send(request[150_000:])
            assert (await client.read_head()).status == 200


@pytest.mark.parametrize("asked", ["a call", "the list of models"])
async def test_an_empty_line_after_a_body_begins_no_request(strict_stage: Stage, asked: str) -> None:
    """A second later a request that had begun would be cut as too slow."""
    request = (
        strict_stage.request(PLAIN) if asked == "a call" else strict_stage.request(None, "/v1/models", method="GET")
    )
    async with strict_stage.connect() as client:
        await client.send(request)
        assert (await client.read_reply()).status == 200
        for piece in (b"\r\n", b"\r", b"\n"):
            await client.send(piece)
        await asyncio.sleep(1.5)
        await client.send(request)
        client.reply.body = b""
        assert (await client.read_reply()).status == 200


async def test_requests_sent_ahead_share_that_memory_too(narrow_stage: Stage) -> None:
    """What is read of them waits behind a stream; the connection that finds no room is closed, the others go on."""
    narrow_stage.engine.script = Chat(["。"] * 1000, gap_s=0.2)
    ahead = narrow_stage.request(PLAIN, headers={"x-long": "x" * 3000}) * 20
    async with AsyncExitStack() as held:
        clients = [await held.enter_async_context(narrow_stage.connect()) for _ in range(12)]
        for client in clients:
            await client.send(narrow_stage.request(STREAM))
            await client.read_head()
            await client.send(ahead)
        ended = [asyncio.create_task(client.read_to_end()) for client in clients]
        done, going_on = await asyncio.wait(ended, timeout=LAST_RESORT_S, return_when=asyncio.FIRST_COMPLETED)
        assert done
        assert going_on
        for task in going_on:
            task.cancel()
        narrow_stage.engine.script = Chat()
        assert (await narrow_stage.post(PLAIN)).status == 200
    await narrow_stage.quiet()
    async with narrow_stage.connect() as client:  # and it has come back
        await client.send(narrow_stage.request(PLAIN, headers={"x-long": "x" * 3000}) * 20)
        for _ in range(20):
            assert (await client.read_reply()).status == 200
            client.reply.body = b""
