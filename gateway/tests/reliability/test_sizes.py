"""RELIABILITY: a header block has a limit (431), a body too (413), before it is read when its length is declared."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time

import pytest

from tests.support.http import Client
from tests.support.scene import CHAT_PATH, HELLO, PLAIN, Stage
from tests.support.waiting import LAST_RESORT_S

pytestmark = pytest.mark.anyio

LIMIT = 1 << 20


def sized(size: int) -> bytes:
    """A chat whose body has exactly `size` bytes."""
    empty = len(json.dumps({"messages": HELLO, "padding": ""}))
    return json.dumps({"messages": HELLO, "padding": "x" * (size - empty)}).encode()


async def test_headers_up_to_the_limit_pass(stage: Stage) -> None:
    assert (await stage.post(PLAIN, headers={"x-long": "x" * 60_000})).status == 200


@pytest.mark.parametrize("shape", ["one long value", "many short lines", "no end at all"])
async def test_headers_over_the_limit_get_431(stage: Stage, shape: str) -> None:
    head = f"POST {CHAT_PATH} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {stage.key}\r\ncontent-length: 0\r\n"
    if shape == "one long value":
        head += f"x-long: {'x' * 70_000}\r\n\r\n"
    elif shape == "many short lines":
        head += "".join(f"x-{n}: {n}\r\n" for n in range(7000)) + "\r\n"
    else:
        head += f"x-long: {'x' * 70_000}"
    async with stage.connect() as client:
        await client.send(head.encode())
        reply = await client.read_reply()
        assert reply.status == 431
        assert reply.json["error"]["code"] == "headers_too_large"
        assert reply.headers["connection"] == "close"
        assert await client.read_to_end() == b""


async def test_headers_over_the_limit_get_431_on_a_kept_connection(stage: Stage) -> None:
    async with stage.connect() as client:
        await client.send(stage.request(PLAIN))
        assert (await client.read_reply()).status == 200
        await client.send(stage.request(PLAIN, headers={"x-long": "x" * 70_000}))
        assert (await client.read_reply()).status == 431


async def test_a_body_at_the_limit_passes(stage: Stage) -> None:
    assert (await stage.post(sized(LIMIT))).status == 200


@pytest.mark.parametrize("path", [CHAT_PATH, "/v1/completions", "/v1/embeddings", "/v1/messages", "/generate_stream"])
async def test_a_body_over_the_limit_gets_413_before_it_is_read(stage: Stage, path: str) -> None:
    async with stage.connect() as client:
        request = stage.request(b"", path, headers={"content-length": str(LIMIT + 1)})
        await client.send(request)  # not one byte of the body
        reply = await client.read_reply()
        assert reply.status == 413
        assert b"request_too_large" in reply.body
        assert reply.headers["connection"] == "close"
    assert not stage.engine.requests


async def test_a_body_of_absurd_length_gets_413_or_400(stage: Stage) -> None:
    for length in ("9" * 18, "9" * 19, "9" * 400):
        async with stage.connect() as client:
            await client.send(stage.request(b"", headers={"content-length": length}))
            assert (await client.read_reply()).status in (400, 413)


async def test_a_chunked_body_within_the_limit_passes(stage: Stage) -> None:
    body = sized(300_000)
    async with stage.connect() as client:
        await client.send(stage.request(None, headers={"transfer-encoding": "chunked"}))
        for n in range(0, len(body), 1000):
            piece = body[n : n + 1000]
            await client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await client.send(b"0\r\n\r\n")
        assert (await client.read_reply()).status == 200
    assert stage.engine.requests[0].json["messages"] == HELLO


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_client_that_sends_its_whole_body_first_still_reads_the_413(stage: Stage, framing: str) -> None:
    """A plain blocking client: it writes everything, then reads. A chunked body is over the limit when it gets there."""
    request = stage.request(sized(3 * LIMIT))
    if framing == "chunked":
        request = (
            stage.request(None, headers={"transfer-encoding": "chunked"})
            + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 48
            + b"0\r\n\r\n"
        )

    def ask() -> bytes:
        with socket.create_connection(("127.0.0.1", stage.gateway.port), timeout=LAST_RESORT_S) as sock:
            with contextlib.suppress(ConnectionError):  # it may be cut while it still writes
                sock.sendall(request)
            return sock.recv(65536)

    for _ in range(5):
        assert (await asyncio.to_thread(ask)).startswith(b"HTTP/1.1 413 ")
    assert not stage.engine.requests


@pytest.mark.parametrize("path", [CHAT_PATH, "/session"])
async def test_an_answer_given_early_is_read_though_much_more_was_sent(stage: Stage, path: str) -> None:
    """The connection is not reset over what the client is still sending: 40 times, because a reset is a race."""
    request = stage.request(b"x" * (3 * LIMIT), path)
    for _ in range(40):
        async with stage.connect() as client:
            sending = asyncio.create_task(client.send(request))
            reply = await client.read_reply()
            assert (reply.status, reply.headers["connection"]) == (413, "close")
            assert await client.read_raw() == b"", "nothing more comes"
            await sending


async def test_a_client_that_sends_on_after_its_answer_is_closed_after_a_while(stage: Stage) -> None:
    async with stage.connect() as client:
        await client.send(stage.request(b"", headers={"content-length": str(LIMIT * 100)}))
        assert (await client.read_reply()).status == 413
        with pytest.raises(ConnectionError):
            await _send_for(client, LAST_RESORT_S)


async def _send_for(client: Client, duration_s: float) -> None:
    until = time.monotonic() + duration_s
    while time.monotonic() < until:
        await client.send(b"x" * 1000)
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("ended", [True, False], ids=["whole", "without an end"])
async def test_more_header_lines_than_allowed_get_431(stage: Stage, ended: bool) -> None:
    """However short they are: reading a line costs time that its bytes do not show."""
    head = b"GET /health HTTP/1.1\r\nhost: gateway\r\n" + b"a:\r\n" * 260 + (b"\r\n" if ended else b"")
    async with stage.connect() as client:
        await client.send(head)
        reply = await client.read_reply()
        assert (reply.status, reply.headers["connection"]) == (431, "close")
        assert "server.max_header_lines" in reply.text
    async with stage.connect() as client:
        await client.send(head.replace(b"a:\r\n", b"", 5) + (b"" if ended else b"\r\n"))
        assert (await client.read_reply()).status == 200
