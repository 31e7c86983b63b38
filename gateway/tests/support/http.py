"""An HTTP client for tests on the wire: exact bytes out, incremental reads in, and abrupt leaving.

reply = await fetch(gateway.url, "/v1/models", key=gateway.key)           # one call, whole
async with connection(gateway.url) as client:                             # one connection, step by step
    await client.send(request_bytes("POST", "/v1/chat/completions", {...}, key))
    reply = await client.read_head()
    async for frame in client.frames(): ...
    client.leave()
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.support.waiting import LAST_RESORT_S

T = TypeVar("T")
PING = b": ping\n"
_ESTABLISHED = "01"
"""As Linux writes it."""


@dataclass
class Reply:
    """A response: head first, body when it was read."""

    status: int
    headers: dict[str, str]
    head: bytes
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Frame:
    """One SSE frame as it arrived."""

    raw: bytes
    event: str = "message"
    data: str = ""
    id: str | None = None
    comment: str | None = None
    at_s: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:
        return json.loads(self.data)


def parse_frame(raw: bytes) -> Frame:
    """The fields of one frame, by the rules of EventSource."""
    frame, data = Frame(raw), list[str]()
    for line in filter(None, raw.decode().replace("\r\n", "\n").split("\n")):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            frame.event = value
        elif name == "id":
            frame.id = value
        elif not name:
            frame.comment = value
    frame.data = "\n".join(data)
    return frame


def request_bytes(
    method: str, path: str, body: object = None, key: str | None = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """A well-formed request; a body that is not bytes is sent as JSON."""
    fields = {"host": "gateway", **({"authorization": f"Bearer {key}"} if key else {})}
    content = b""
    if body is not None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields |= {"content-type": "application/json", "content-length": str(len(content))}
    fields |= headers or {}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + content


class Client:
    """One connection to the gateway. Every read has a limit, so that a silent gateway fails the test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit_s: float) -> None:
        self._reader = reader
        self._writer = writer
        self._limit_s = limit_s
        self.reply: Reply

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def read_head(self) -> Reply:
        """The response's status and headers; interim (1xx) answers are passed over."""
        block = await self._within(self._reader.readuntil(b"\r\n\r\n"))
        start, *lines = block[:-4].decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            name = name.lower()
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        self.reply = Reply(int(start.split(" ")[1]), headers, block)
        return await self.read_head() if self.reply.status < 200 else self.reply

    async def read_chunk(self) -> bytes:
        """One HTTP chunk's data; empty at the clean end of the body. A cut raises IncompleteReadError."""
        size = int(await self._within(self._reader.readuntil(b"\r\n")), 16)
        return (await self._within(self._reader.readexactly(size + 2)))[:-2]

    async def read_body(self) -> bytes:
        """The rest of the body, by whatever framing the head named."""
        if self.reply.headers.get("transfer-encoding") == "chunked":
            while chunk := await self.read_chunk():
                self.reply.body += chunk
        elif "content-length" in self.reply.headers:
            self.reply.body = await self._within(self._reader.readexactly(int(self.reply.headers["content-length"])))
        elif self.reply.status not in (204, 304):
            self.reply.body = await self._within(self._reader.read())
        return self.reply.body

    async def read_reply(self) -> Reply:
        await self.read_head()
        await self.read_body()
        return self.reply

    async def frames(self) -> AsyncIterator[Frame]:
        """SSE frames as they arrive, until the clean end of the body; a frame cut short is an error. The gateway's own pings,
        which are no more than a line, are frames of their own.
        """
        rest = b""
        while chunk := await self.read_chunk():
            rest += chunk
            while True:
                if rest.startswith(PING) and rest[len(PING) :][:1] != b"\n":
                    raw, rest = PING, rest[len(PING) :]
                elif (end := rest.find(b"\n\n")) >= 0:
                    raw, rest = rest[: end + 2], rest[end + 2 :]
                else:
                    break
                yield parse_frame(raw)
        assert not rest, f"the stream ended inside a frame: {rest!r}"

    async def read_raw(self, count: int = 65536) -> bytes:
        """Whatever arrives next; empty when the gateway has closed."""
        return await self._within(self._reader.read(count))

    async def read_to_end(self) -> bytes:
        """Everything until the gateway closes, a reset included."""
        seen = b""
        try:
            while data := await self.read_raw():
                seen += data
        except ConnectionError:
            pass
        return seen

    def leave(self) -> None:
        """Go away in the middle, as a closed browser tab does."""
        self._writer.close()

    def reset(self) -> None:
        """Go away with an RST, as a crashed client does."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def half_close(self) -> None:
        """Say that nothing more will be sent, and keep reading."""
        self._writer.write_eof()

    @property
    def cut_off(self) -> bool:
        """Whether the gateway has closed its end, which who does not read is not told: the kernel still offers what it holds."""
        sock = self._writer.get_extra_info("socket")
        ends = f":{sock.getpeername()[1]:04X}", f":{sock.getsockname()[1]:04X}"
        for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines():
            _, local, remote, state, *_ = line.split()
            if (local[-5:], remote[-5:]) == ends:
                return state != _ESTABLISHED
        return True

    def stop_reading(self) -> None:
        """Let the socket fill up, as a client that hangs does."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport too

    def resume_reading(self) -> None:
        self._writer.transport.resume_reading()  # type: ignore[attr-defined]  # a read transport too

    async def _within(self, reading: Awaitable[T]) -> T:
        async with asyncio.timeout(self._limit_s):  # wait_for, up to Python 3.11, may miss that it was cancelled
            return await reading


@asynccontextmanager
async def connection(
    url: str, *, limit_s: float = LAST_RESORT_S, buffer_bytes: int | None = None
) -> AsyncIterator[Client]:
    """A connection that is closed at the end of the block; `buffer_bytes` makes the receive buffer that small."""
    parts = urlsplit(url)
    sock = socket.socket()
    if buffer_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (parts.hostname, parts.port))
    except BaseException:
        sock.close()
        raise
    reader, writer = await asyncio.open_connection(sock=sock, limit=buffer_bytes or 1 << 20)
    try:
        yield Client(reader, writer, limit_s)
    finally:
        writer.close()


async def fetch(
    url: str,
    path: str,
    body: object = None,
    *,
    method: str | None = None,
    key: str | None = None,
    headers: Mapping[str, str] | None = None,
    limit_s: float = LAST_RESORT_S,
) -> Reply:
    """One whole call on a connection of its own: GET, or POST when there is a body."""
    async with connection(url, limit_s=limit_s) as client:
        verb = method or ("GET" if body is None else "POST")
        await client.send(request_bytes(verb, path, body, key, headers))
        return await client.read_reply()


async def fetch_frames(
    url: str, path: str, body: object = None, *, key: str | None = None, limit_s: float = LAST_RESORT_S
) -> list[Frame]:
    """Every frame of one streamed answer."""
    async with connection(url, limit_s=limit_s) as client:
        await client.send(request_bytes("GET" if body is None else "POST", path, body, key))
        reply = await client.read_head()
        if reply.status != 200:
            await client.read_body()
            raise AssertionError(f"{reply.status} instead of a stream: {reply.text}")
        return [frame async for frame in client.frames()]
