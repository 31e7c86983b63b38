"""RELIABILITY: never two requests are read from one payload.

Each payload below holds `GET /smuggled` where a right reading sees a body, or nothing at all; a server or a proxy that counts
differently would answer it. All are sent at once, each on a connection of its own, and each must get one answer at most.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import pytest

from tests.support.engine_script import answer
from tests.support.gateway import KEY
from tests.support.scene import CHAT_PATH, HELLO, Stage

pytestmark = pytest.mark.anyio

HIDDEN = b"GET /smuggled HTTP/1.1\r\nhost: gateway\r\n\r\n"
BODY = json.dumps({"messages": HELLO}).encode()
EARLY_END = b"0\r\n\r\n" + HIDDEN
"""A chunked body that is over at once, for one that counts by content-length."""
ONE_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
"""The request inside a chunk, for one that counts by chunks."""


def post(*lines: bytes, body: bytes = b"", start: bytes = b"POST " + CHAT_PATH.encode() + b" HTTP/1.1") -> bytes:
    head = [start, b"host: gateway", b"authorization: Bearer " + KEY.encode(), *lines, b"", b""]
    return b"\r\n".join(head) + body


def both(*encodings: bytes) -> bytes:
    """A content-length that covers all, and something that may or may not mean chunked."""
    return post(b"content-length: %d" % len(EARLY_END), *encodings, body=EARLY_END)


def length(value: bytes, body: bytes = BODY + HIDDEN) -> bytes:
    return post(b"content-length: " + value, body=body)


def chunks(body: bytes) -> bytes:
    return post(b"transfer-encoding: chunked", body=body)


SIZE = b"%d" % len(BODY)
PAYLOADS: dict[str, bytes] = {
    "content-length, then chunked": both(b"transfer-encoding: chunked"),
    "chunked, then content-length": post(b"transfer-encoding: chunked", b"content-length: 4", body=ONE_CHUNK),
    "chunked, then content-length over all": post(
        b"transfer-encoding: chunked", b"content-length: %d" % len(EARLY_END), body=EARLY_END
    ),
    "chunked in capitals": both(b"Transfer-Encoding: CHUNKED"),
    "chunked twice": both(b"transfer-encoding: chunked", b"transfer-encoding: chunked"),
    "chunked, then identity": both(b"transfer-encoding: chunked", b"transfer-encoding: identity"),
    "identity, then chunked": both(b"transfer-encoding: identity", b"transfer-encoding: chunked"),
    "chunked and identity in one line": both(b"transfer-encoding: chunked, identity"),
    "chunked and chunked in one line": both(b"transfer-encoding: chunked, chunked"),
    "chunked with a parameter": both(b"transfer-encoding: chunked;q=1"),
    "an encoding nobody knows": both(b"transfer-encoding: xchunked"),
    "an encoding nobody knows, alone": post(b"transfer-encoding: xchunked", body=EARLY_END),
    "identity alone": post(b"transfer-encoding: identity", body=HIDDEN),
    "gzip alone": post(b"transfer-encoding: gzip", body=HIDDEN),
    "chunked in quotes": both(b'transfer-encoding: "chunked"'),
    "a space before the colon": both(b"transfer-encoding : chunked"),
    "a tab before the colon": both(b"transfer-encoding\t: chunked"),
    "a tab after the colon": both(b"transfer-encoding:\tchunked"),
    "a vertical tab after the value": both(b"transfer-encoding: chunked\x0b"),
    "a NUL in the value": both(b"transfer-encoding: chu\x00nked"),
    "a NUL in the name": both(b"transfer-\x00encoding: chunked"),
    "a folded line": both(b"x: y\r\n transfer-encoding: chunked"),
    "a folded value": both(b"transfer-encoding:\r\n chunked"),
    "a folded content-length": post(b"content-length:\r\n " + SIZE, body=BODY + HIDDEN),
    "a bare LF before the header": both(b"x: y\ntransfer-encoding: chunked"),
    "a bare CR before the header": both(b"x: y\rtransfer-encoding: chunked"),
    "a leading space": both(b" transfer-encoding: chunked"),
    "an underscore for the hyphen": both(b"transfer_encoding: chunked"),
    "a name of another script": both("transfer\u2010encoding: chunked".encode()),
    "two lengths, the first short": post(b"content-length: 0", b"content-length: " + SIZE, body=BODY + HIDDEN),
    "two lengths, the second short": post(b"content-length: " + SIZE, b"content-length: 0", body=BODY + HIDDEN),
    "two lengths in one line": length(b"0, " + SIZE),
    "the same length twice in one line": length(SIZE + b", " + SIZE),
    "a length with a plus": length(b"+" + SIZE),
    "a length with a minus": length(b"-1"),
    "a length with a space inside": length(SIZE[:1] + b" " + SIZE[1:]),
    "a length in hexadecimal": length(b"0x%x" % len(BODY)),
    "a length with a fraction": length(SIZE + b".0"),
    "a length with an exponent": length(b"1e1"),
    "a length with an underscore": length(SIZE[:1] + b"_" + SIZE[1:]),
    "a length in other digits": length("４".encode()),
    "an empty length": length(b"", HIDDEN),
    "a length beyond 64 bits": length(b"%d" % (2**64 + len(BODY))),
    "a length of 2^63": length(b"%d" % 2**63),
    "a chunk size beyond 64 bits": chunks(b"1%016x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY) + HIDDEN),
    "a chunk size with a plus": chunks(b"+%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY) + HIDDEN),
    "a chunk size with a minus": chunks(b"-1\r\n" + HIDDEN),
    "a chunk size with 0x": chunks(b"0x%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY) + HIDDEN),
    "a chunk size with a space before it": chunks(b" %x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY) + HIDDEN),
    "a chunk size of nothing": chunks(b"\r\n" + HIDDEN),
    "a chunk size with an underscore": chunks(b"1_0\r\n" + HIDDEN),
    "a chunk that ends with LF": chunks(b"%x\n%b\n0\n\n" % (len(BODY), BODY) + HIDDEN),
    "a chunk longer than it says": chunks(b"1\r\n" + HIDDEN + b"\r\n0\r\n\r\n"),
    "a chunk extension with a line feed": chunks(b"%x;a\nb\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY) + HIDDEN),
    "a chunk extension of a megabyte": chunks(b"5;" + b"x" * (1 << 20)),
    "an endless run of chunk extensions": chunks(b"1;a=b\r\n{\r\n" * 50 + b"z\r\n" + HIDDEN),
    "a trailer that is a request": chunks(b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY) + HIDDEN),
    "chunked in HTTP/1.0": post(
        b"transfer-encoding: chunked", body=ONE_CHUNK, start=b"POST /v1/chat/completions HTTP/1.0"
    ),
    "HTTP/0.9": b"GET /health\r\n" + HIDDEN,
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "a version of the future": b"GET /health HTTP/3.7\r\nhost: gateway\r\n\r\n" + HIDDEN,
    "a version with ten": b"GET /health HTTP/1.10\r\nhost: gateway\r\n\r\n" + HIDDEN,
    "a request line with a tab": b"GET\t/health\tHTTP/1.1\r\nhost: gateway\r\n\r\n" + HIDDEN,
    "a method in lower case": b"get /health HTTP/1.1\r\nhost: gateway\r\n\r\n" + HIDDEN,
    "a method nobody knows": b"SMUGGLE /health HTTP/1.1\r\nhost: gateway\r\n\r\n" + HIDDEN,
    "CONNECT": b"CONNECT gateway:80 HTTP/1.1\r\nhost: gateway\r\n\r\n" + HIDDEN,
    "a header without a colon": b"GET /health HTTP/1.1\r\nhost: gateway\r\nnonsense\r\n\r\n" + HIDDEN,
    "a header without a name": b"GET /health HTTP/1.1\r\nhost: gateway\r\n: x\r\n\r\n" + HIDDEN,
    "a space in a header's name": b"GET /health HTTP/1.1\r\nhost: gateway\r\nx y: z\r\n\r\n" + HIDDEN,
    "lines that end with LF": b"GET /health HTTP/1.1\nhost: gateway\n\n" + HIDDEN,
    "lines that end with CR": b"GET /health HTTP/1.1\rhost: gateway\r\r" + HIDDEN,
    "data after connection: close": b"GET /health HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n" + HIDDEN,
    "an upgrade to HTTP/2": (
        b"GET /health HTTP/1.1\r\nhost: gateway\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n"
        b"http2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\ncontent-length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN
    ),
    "an upgrade to a web socket": (
        b"GET /health HTTP/1.1\r\nhost: gateway\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"transfer-encoding: chunked\r\n\r\n" + ONE_CHUNK
    ),
    "a GET with a body": post(b"content-length: %d" % len(HIDDEN), body=HIDDEN, start=b"GET /health HTTP/1.1"),
    "a HEAD with a body": post(b"content-length: %d" % len(HIDDEN), body=HIDDEN, start=b"HEAD /health HTTP/1.1"),
    "a DELETE with chunks": post(b"transfer-encoding: chunked", body=ONE_CHUNK, start=b"DELETE /session HTTP/1.1"),
    "a body nobody reads": post(b"content-length: %d" % len(HIDDEN), body=HIDDEN, start=b"POST /nowhere HTTP/1.1"),
    "a wrong key, and a body": post(b"content-length: %d" % len(HIDDEN), body=HIDDEN).replace(KEY.encode(), b"wrong"),
    "expect, and a body that comes at once": post(
        b"expect: 100-continue", b"content-length: %d" % len(HIDDEN), body=HIDDEN
    ),
    "a form whose part is a request": post(
        b"content-type: multipart/form-data; boundary=x",
        b"content-length: %d" % len(HIDDEN),
        body=HIDDEN,
        start=b"POST /v1/audio/transcriptions HTTP/1.1",
    ),
}
TWO_READINGS = (
    *("content-length, then", "chunked, then", "chunked in", "chunked twice", "identity, then", "two lengths"),
    *("a length with", "a length beyond", "a chunk size", "a space before", "a NUL", "a folded"),
)
REFUSED = sorted(name for name in PAYLOADS if name.startswith(TWO_READINGS))
"""What a right reading can only refuse; of the rest, some are one good request."""


@pytest.fixture(scope="module")
async def said(shared_strict_stage: Stage) -> Mapping[str, bytes]:
    """What the gateway answered to each payload until it closed the connection, which it does for want of more."""

    async def ask(payload: bytes) -> bytes:
        async with shared_strict_stage.connect() as client:
            try:
                await client.send(payload)
            except ConnectionError:
                pass
            return await client.read_to_end()

    await shared_strict_stage.healthy()
    shared_strict_stage.engine.script = answer({"choices": []})
    answers = await asyncio.gather(*(ask(payload) for payload in PAYLOADS.values()))
    return dict(zip(PAYLOADS, answers, strict=True))


@pytest.mark.parametrize("name", PAYLOADS)
async def test_one_payload_is_one_request_at_most(said: Mapping[str, bytes], name: str) -> None:
    answers = said[name].replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    assert answers.count(b"HTTP/1.1 ") <= 1, answers
    assert b"unknown_path" not in answers or name == "a body nobody reads", answers
    assert b"HTTP/1.1 5" not in answers or b"not_supported" in answers, answers


@pytest.mark.parametrize("name", REFUSED)
async def test_what_can_be_read_in_two_ways_is_refused(said: Mapping[str, bytes], name: str) -> None:
    assert said[name][:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 413 "), said[name]
    assert b"connection: close" in said[name]


async def test_no_payload_reached_the_engine_in_another_shape(said: Mapping[str, bytes], strict_stage: Stage) -> None:
    for request in strict_stage.engine.requests:
        assert request.method == "POST"
        assert b"smuggled" not in request.body
