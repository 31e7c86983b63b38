"""A client in memory: its request, and all that it is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from hayate.downstream.stream import ClientListener
from hayate.wire.http1 import Fields, Headers, fields_of
from tests.unit.api.bare import KEY


class Written:
    """A client's stream (`stream.ClientStream`) that keeps what it is given, and a client that leaves when it is told to."""

    def __init__(self, *, key: str = KEY, **headers: str) -> None:
        self.headers: Headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.headers += [(b"authorization", f"Bearer {key}".encode())] if key else []
        self.fields: Fields = fields_of(self.headers)
        self.method, self.query, self.answer_id = "POST", b"", b""
        self.chunks, self.half_closed = 0, False
        self.status = 0
        self.answer: Headers = []
        self.body = b""
        self.ended, self.aborted = False, False
        self._listener: ClientListener | None = None

    @property
    def task(self) -> asyncio.Task[Any] | None:
        return asyncio.current_task()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def leave(self) -> None:
        assert self._listener is not None
        self._listener.client_gone()

    def arrived(self) -> bytes:
        return b"{}"

    async def read(self) -> tuple[bytes, bool]:
        return b"{}", False

    def watch(self, listener: ClientListener) -> None:
        self._listener = listener

    def unwatch(self) -> None:
        self._listener = None

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        await self.start(status, headers)
        self.body, self.ended = body, True

    async def start(self, status: int, headers: Headers) -> None:
        assert not self.status, "an answer has one head"
        self.status, self.answer = status, headers

    async def end(self) -> None:
        self.ended = True

    def hold(self) -> None:
        """Nothing is held."""

    def flush(self) -> None:
        """Nothing was held."""

    def writer(self) -> Callable[[bytes], None]:
        return self._write

    def _write(self, data: bytes) -> None:
        assert self.status, "an answer begins with its head"
        assert not self.ended
        self.chunks += 1
        self.body += data

    def raw_writer(self) -> None:
        """What comes is not framed."""

    def abort(self) -> None:
        self.aborted = True

    def give_up(self) -> None:
        """It always reads."""
