"""A call's stream to its client through ASGI's `receive` and `send`: for servers that lend no connection, and for test clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from hayate.downstream.stream import BODILESS, ClientGone, ClientListener
from hayate.wire.http1 import Headers, fields_of


class AsgiStream:
    """One per call. What is written waits in a backlog for a task that sends it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers: Headers = scope["headers"]
        self.fields = fields_of(self.headers)
        self.method: str = scope["method"]
        self.query: bytes = scope["query_string"]
        self._receive = receive
        self._send = send
        self._listener: ClientListener | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._backlog: _Backlog | None = None
        self._mute = False
        self.half_closed = False  # ASGI does not tell
        self.answer_id = b""

    @property
    def task(self) -> asyncio.Task[Any] | None:
        """Whoever asks."""
        return asyncio.current_task()

    @property
    def chunks(self) -> int:
        """How many pieces have been written."""
        return 0 if self._backlog is None else self._backlog.chunks

    def arrived(self) -> None:
        """Only a message can tell."""

    async def read(self) -> tuple[bytes, bool]:
        """The next piece of the request's body, and whether there is more. Raises ClientGone."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message.get("body", b""), message.get("more_body", False)

    def watch(self, listener: ClientListener) -> None:
        """From now on `listener` is told of the client."""
        self._listener = listener
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    def unwatch(self) -> None:
        """Nobody is told of the client any more: one that leaves after its answer has not left its call."""
        self._listener = None
        if self._watcher is not None:
            self._watcher.cancel()

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer. To a HEAD the server itself sends no body."""
        if status in BODILESS:
            body = b""
        else:
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def start(self, status: int, headers: Headers) -> None:
        """The head of a streamed answer."""
        self._mute = is_bodiless(self.method, status)
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        self._backlog = _Backlog(self._send, self)

    async def end(self) -> None:
        """The proper end of a streamed answer."""
        if self._backlog is not None:
            await self._backlog.flushed()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def hold(self) -> None:
        """The backlog gathers what it can by itself."""

    def flush(self) -> None:
        """It sends as soon as it can."""

    def writer(self) -> Callable[[bytes], None]:
        """What sends pieces of the stream; there once it has started."""
        if self._backlog is None:
            raise RuntimeError("nothing can be written before the stream has started")
        return _nowhere if self._mute else self._backlog.write

    def raw_writer(self) -> None:
        """The framing is the server's."""

    def abort(self) -> None:
        """ASGI has no way to cut a connection; the server does when the application ends without completing its answer."""

    def give_up(self) -> None:
        """The client has not read for too long: it counts as gone."""
        self.lose()

    def full(self) -> None:
        """The backlog is full."""
        if self._listener is not None:
            self._listener.client_full()

    def drained(self) -> None:
        """It has been sent."""
        if self._listener is not None:
            self._listener.client_drained()

    def lose(self) -> None:
        """The client has gone: what it has not been sent is dropped, and whoever listens is told."""
        if self._backlog is not None:
            self._backlog.close()
        if self._listener is not None:
            self._listener.client_gone()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.lose()


def is_bodiless(method: str, status: int) -> bool:
    """Whether an answer has no body, and so no framing of one, whatever it says (RFC 9112, 6.3)."""
    return status in BODILESS or method == "HEAD"


def _nowhere(_: bytes) -> None:
    """The status has no body, whatever an engine sent with it."""


class _Backlog:
    """What is written, until a task of its own has sent it."""

    HIGH_WATER_BYTES = 65536

    def __init__(self, send: Send, stream: AsgiStream) -> None:
        self._send = send
        self._stream = stream
        self._parts: list[bytes] = []
        self._size = 0
        self._full = False
        self.chunks = 0
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._task = asyncio.create_task(self._run())

    def write(self, data: bytes) -> None:
        self.chunks += 1
        self._parts.append(data)
        self._size += len(data)
        self._empty.clear()
        self._wake.set()
        if self._size > self.HIGH_WATER_BYTES and not self._full:
            self._full = True
            self._stream.full()

    async def flushed(self) -> None:
        await self._empty.wait()
        self.close()

    def close(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            data, self._parts, self._size = b"".join(self._parts), [], 0
            message: Message = {"type": "http.response.body", "body": data, "more_body": True}
            try:
                await self._send(message)
            except OSError:  # ASGI's word for a client that has left
                self._empty.set()
                self._stream.lose()
                return
            if not self._parts:
                self._empty.set()
                if self._full:
                    self._full = False
                    self._stream.drained()
