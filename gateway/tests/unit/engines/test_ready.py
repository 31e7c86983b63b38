"""Whether an engine answers: 2xx, in time, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hayate.engines.ready import answers
from tests.support.ports import free_port
from tests.support.waiting import LAST_RESORT_S

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def saying(answer: bytes, heard: list[bytes] | None = None) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(request)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", free_port()) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 204\r\n\r\n", True),
        (b"HTTP/1.1 503 Loading\r\n\r\n", False),
        (b"HTTP/1.1 302 Found\r\n\r\n", False),
        (b"HTTP/1.1 2\r\n", False),
        (b"SSH-2.0-OpenSSH\r\n", False),
        (b"", False),
        (b"x" * 200_000, False),
    ],
)
async def test_only_2xx_is_an_answer(answer: bytes, expected: bool) -> None:
    async with saying(answer) as port:
        assert await answers(port, "/health", LAST_RESORT_S) is expected


async def test_it_asks_for_the_path_on_a_connection_that_ends() -> None:
    heard: list[bytes] = []
    async with saying(b"HTTP/1.1 200 OK\r\n\r\n", heard) as port:
        await answers(port, "/v1/models", LAST_RESORT_S, ((b"authorization", b"Bearer key"),))
    assert heard[0].startswith(b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:")
    assert heard[0].endswith(b"\r\nConnection: close\r\nauthorization: Bearer key\r\n\r\n")


async def test_where_nobody_listens_or_says_anything_there_is_no_answer() -> None:
    assert not await answers(free_port(), "/health", LAST_RESORT_S)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", free_port()) as server:
        assert not await answers(server.sockets[0].getsockname()[1], "/health", 0.1)
