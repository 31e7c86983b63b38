"""A request's body: whole, never more than its limit, and decoded when it came compressed."""

from __future__ import annotations

import gzip

import pytest

from hayate.downstream.asgi_stream import AsgiStream
from hayate.downstream.request_body import read_body
from hayate.errors import BodyTooLarge, UnreadableCoding

pytestmark = pytest.mark.anyio


class Sender:
    """A client that sends these pieces, and how many of them have been read."""

    def __init__(self, *pieces: bytes, **headers: str) -> None:
        self.read = 0
        self._pieces = pieces
        found = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "query_string": b"", "headers": found}
        self.stream = AsgiStream(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, object]:
        piece = self._pieces[self.read]
        self.read += 1
        return {"type": "http.request", "body": piece, "more_body": self.read < len(self._pieces)}

    async def _send(self, message: object) -> None:
        raise AssertionError("nothing is answered here")


@pytest.mark.parametrize(
    "pieces", [(b"",), (b"abc",), (b"", b"abc", b""), (b"a", b"b", b"c"), (b"abcd", b"efgh", b"ij")]
)
async def test_pieces_are_joined(pieces: tuple[bytes, ...]) -> None:
    assert await read_body(Sender(*pieces).stream, 10) == b"".join(pieces)


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    sender = Sender(b"x" * 11, content_length="11")
    with pytest.raises(BodyTooLarge, match=r"over 10 bytes \(server\.max_body_bytes\)"):
        await read_body(sender.stream, 10)
    assert sender.read == 0


@pytest.mark.parametrize("length", ["ten", "-1", "5"])
async def test_a_length_that_is_none_or_too_small_is_not_believed(length: str) -> None:
    sender = Sender(b"x" * 6, b"x" * 6, b"x" * 6, content_length=length)
    with pytest.raises(BodyTooLarge):
        await read_body(sender.stream, 10)
    assert sender.read == 2, "what is over the limit is read no further"


async def test_a_compressed_body_is_what_it_becomes() -> None:
    packed = gzip.compress(b"hello" * 100)
    assert await read_body(Sender(packed[:9], packed[9:], content_encoding="gzip").stream, 500) == b"hello" * 100


async def test_the_limit_holds_for_what_a_body_becomes_too() -> None:
    packed = gzip.compress(b"0" * 1_000_000)
    with pytest.raises(BodyTooLarge):
        await read_body(Sender(packed, content_encoding="gzip").stream, 10_000)


async def test_a_coding_that_nobody_could_read_is_told_before_the_body_is() -> None:
    sender = Sender(b"x", content_encoding="rot13")
    with pytest.raises(UnreadableCoding, match="rot13"):
        await read_body(sender.stream, 10)
    assert sender.read == 0


async def test_what_is_not_in_its_coding_is_told() -> None:
    with pytest.raises(UnreadableCoding):
        await read_body(Sender(b"no gzip at all", content_encoding="gzip").stream, 1000)
