"""An answer that is made while it is sent ends with its client, and has no end when it can't go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.types import Message

from hayate.api.streamed import Streamed
from hayate.errors import HistoryUnavailable
from hayate.telemetry import log

pytestmark = pytest.mark.anyio


class Pieces:
    """So many; after the one `breaks`, the store is gone."""

    def __init__(self, count: int, breaks: int | None = None) -> None:
        self.count, self.breaks = count, breaks
        self.made = 0
        self.closed = False

    async def __call__(self) -> AsyncGenerator[bytes]:
        try:
            for n in range(self.count):
                if n == self.breaks:
                    raise HistoryUnavailable("gone", "ない")
                self.made += 1
                yield b"%d" % n
        finally:
            self.closed = True


async def sent(pieces: Pieces, method: str = "GET", leaves_after: int | None = None) -> list[Message]:
    told: list[Message] = []
    gone = asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        told.append(message)
        if len(told) - 1 == leaves_after:
            gone.set()
            await asyncio.sleep(3600)

    scope: dict[str, Any] = {"type": "http", "method": method, "path": "/v1/conversations/export", "asgi": {}}
    await Streamed(pieces(), "text/plain", "all.txt")(scope, receive, send)
    return told


async def test_piece_after_piece_and_then_the_end() -> None:
    told = await sent(Pieces(3))
    assert [each.get("body") for each in told[1:]] == [b"0", b"1", b"2", b""]
    assert [each.get("more_body") for each in told[1:]] == [True, True, True, False]
    headers = dict(told[0]["headers"])
    assert headers[b"content-disposition"] == b'attachment; filename="all.txt"'
    assert headers[b"cache-control"] == b"no-store"
    assert b"content-length" not in headers


async def test_what_breaks_has_no_end_and_is_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr("hayate.api.streamed.log_event", lambda event, **facts: said.append((event, facts)))
    told = await sent(Pieces(3, breaks=2))
    assert [each.get("more_body") for each in told[1:]] == [True, True]
    assert said == [("answer_cut", {"path": "/v1/conversations/export", "reason": "gone"})]
    assert log.rendered_event("answer_cut", said[0][1])


async def test_a_client_that_leaves_ends_it() -> None:
    pieces = Pieces(100)
    await sent(pieces, leaves_after=3)
    assert pieces.closed
    assert pieces.made <= 4


async def test_to_a_head_no_piece_is_made() -> None:
    pieces = Pieces(3)
    told = await sent(pieces, "HEAD")
    assert [each["type"] for each in told] == ["http.response.start", "http.response.body"]
    assert pieces.made == 0
