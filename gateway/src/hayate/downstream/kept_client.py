"""The client's side of a call whose prompt and answer are kept: everything goes the same way, and a copy of it aside.

Only text is kept: JSON and streams of events, no recordings and no sound. A stream takes no fast path past the copy.
"""

from __future__ import annotations

from collections.abc import Callable

from hayate.downstream.client import Client
from hayate.telemetry.content import Content
from hayate.wire.http1 import Headers, header

_TEXT = (b"application/json", b"text/")


class KeptClient(Client):
    """A client with a copy. It takes the place of one of whom nothing was read yet, and to whom nothing was sent."""

    __slots__ = ("_content", "_is_text")

    def __init__(self, before: Client, content: Content) -> None:
        super().__init__(
            before._stream,
            before._ticker,
            before._heartbeat_s,
            before._record,
            serves_half_closed=before._serves_half_closed,
        )
        self._content = content
        self._is_text = True
        self.answer_headers = before.answer_headers
        if self.method == "GET":
            content.asked(self.query)

    def arrived(self, limit: int) -> bytes | None:
        """The request's body as of any client, and a copy."""
        body = super().arrived(limit)
        if body is not None:
            self._ask(body)
        return body

    async def body(self, limit: int) -> bytes:
        """The request's body as of any client, and a copy."""
        body = await super().body(limit)
        self._ask(body)
        return body

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer as to any client, and a copy."""
        if _is_text(headers):
            self._content.said(body)
        await super().respond(status, headers, body)

    async def start_stream(self, status: int = 200, headers: Headers | None = None) -> None:
        """The head as to any client; of what is no text nothing is copied."""
        self._is_text = headers is None or _is_text(headers)
        await super().start_stream(status, headers)

    def write(self, data: bytes) -> None:
        """A piece as to any client, and a copy."""
        if self._is_text:
            self._content.said(data)
        super().write(data)

    def writer(self) -> Callable[[bytes], None]:
        """What sends pieces as to any client, and copies them."""
        write, said = self._stream.writer(), self._content.said
        if not self._is_text:
            return write

        def copied(piece: bytes) -> None:
            said(piece)
            write(piece)

        return copied

    def raw_writer(self) -> None:
        """Nothing: no piece passes without a copy."""

    def _ask(self, body: bytes) -> None:
        if self.method == "POST" and _is_text([(b"content-type", self.header(b"content-type") or _TEXT[0])]):
            self._content.asked(body)


def _is_text(headers: Headers) -> bool:
    return (header(headers, b"content-type") or b"").lower().startswith(_TEXT)
