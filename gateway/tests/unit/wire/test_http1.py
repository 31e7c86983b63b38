"""An engine's answer is read as HTTP/1.1 or not at all, however its bytes arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.upstream_errors import UpstreamBroke
from hayate.wire.http1 import MAX_HEAD_BYTES, ResponseReader, header, render_request, request_head
from tests.support.tables import table

JSON = b'{"text":"\xe3\x81\x93\xe3\x82\x93"}'
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Id: 7\r\ncontent-length: %d\r\n\r\n%b" % (
    len(JSON),
    JSON,
)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"9\r\ndata: 1\n\n\r\n0a;name=value\r\ndata: 22\n\n\r\n0\r\nx-trailer: end\r\n\r\n"
)
CLOSED = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nuntil the end"
EARLY_HINTS = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + LENGTH
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
ANSWERS = {
    "length": (LENGTH, JSON),
    "chunked": (CHUNKED, b"data: 1\n\ndata: 22\n\n"),
    "interim": (EARLY_HINTS, JSON),
    "no-content": (NO_CONTENT, b""),
}


def read(reader: ResponseReader, *chunks: bytes) -> bytes:
    return b"".join(reader.feed(chunk) for chunk in chunks if chunk)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_does_not_depend_on_how_bytes_arrive(name: str) -> None:
    raw, body = ANSWERS[name]
    for size in range(1, len(raw) + 1):
        reader = ResponseReader()
        assert read(reader, *(raw[n : n + size] for n in range(0, len(raw), size))) == body
        assert (reader.complete, reader.keep_alive) == (True, True)
        assert reader.status == (204 if name == "no-content" else 200)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_may_be_cut_in_two_anywhere(name: str) -> None:
    raw, body = ANSWERS[name]
    for cut in range(1, len(raw)):
        reader = ResponseReader()
        assert read(reader, raw[:cut], raw[cut:]) == body
        assert reader.complete


def test_headers_are_lower_case_and_only_the_last_answers() -> None:
    reader = ResponseReader()
    reader.feed(EARLY_HINTS)
    headers = reader.take_headers()
    assert headers == [
        (b"content-type", b"application/json"),
        (b"x-id", b"7"),
        (b"content-length", b"%d" % len(JSON)),
    ]
    assert header(headers, b"x-id") == b"7"
    assert header(headers, b"link") is None


def test_the_head_is_there_before_the_body() -> None:
    reader = ResponseReader()
    reader.feed(CHUNKED[:50])
    assert (reader.started, reader.head_complete, reader.complete) == (True, True, False)


def test_one_answer_after_another_on_the_same_connection() -> None:
    reader = ResponseReader()
    for raw, body in (*ANSWERS.values(), *ANSWERS.values()):
        reader.begin()
        assert not reader.started
        assert read(reader, raw) == body
        assert reader.complete


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nconnection: close\r\n", b"HTTP/1.0 200 OK\r\n"])
def test_a_connection_that_will_close_is_not_kept(head: bytes) -> None:
    reader = ResponseReader()
    reader.feed(head + b"content-length: 0\r\n\r\n")
    assert (reader.complete, reader.keep_alive) == (True, False)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    reader = ResponseReader()
    assert reader.feed(CLOSED) == b"until the end"
    reader.take_headers()
    assert not reader.complete
    assert reader.end()


@pytest.mark.parametrize("name", ["length", "chunked"])
def test_a_body_that_is_cut_is_no_end(name: str) -> None:
    raw, _ = ANSWERS[name]
    for cut in range(1, len(raw)):
        reader = ResponseReader()
        reader.feed(raw[:cut])
        if reader.head_complete:
            reader.take_headers()
        assert not reader.end()
    assert not ResponseReader().end()


@pytest.mark.parametrize("second", [LENGTH, CHUNKED, b"HTTP/1.1 500 Oh\r\nset-cookie: x\r\n", b"junk"])
def test_an_answer_nobody_asked_for_is_refused(second: bytes) -> None:
    together = ResponseReader()
    with pytest.raises(UpstreamBroke):
        together.feed(LENGTH + second)
    apart = ResponseReader()
    apart.feed(LENGTH)
    assert apart.complete
    with pytest.raises(UpstreamBroke):
        apart.feed(second)


@table(
    "raw",
    [
        b"\x16\x03\x01\x02\x00 a TLS hello\r\n\r\n",
        b"<html>not HTTP</html>\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: \x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nxx",
        b"HTTP/2 200\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_whole_and_byte_by_byte(raw: bytes) -> None:
    for chunks in ([raw], [raw[n : n + 1] for n in range(len(raw))]):
        reader = ResponseReader()
        with pytest.raises(UpstreamBroke, match="not usable"):
            read(reader, *chunks)


def test_a_header_block_without_an_end_is_given_up() -> None:
    reader = ResponseReader()
    lines = [b"x-%08d: %b\r\n" % (n, b"v" * 87) for n in range(MAX_HEAD_BYTES // 100 + 1)]
    with pytest.raises(UpstreamBroke):
        read(reader, b"HTTP/1.1 200 OK\r\n", *lines)


@given(st.binary(max_size=120))
def test_any_bytes_are_an_answer_or_refused(junk: bytes) -> None:
    for raw in (junk, b"HTTP/1.1 200 OK\r\n" + junk, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + junk):
        reader = ResponseReader()
        try:
            read(reader, raw)
            reader.end()
        except UpstreamBroke:
            pass


def test_a_request_is_written_whole() -> None:
    head = request_head(b"/v1/chat/completions", b"engine:8000", [(b"authorization", b"Bearer k")])
    assert render_request(b"POST", head, [(b"x-request-id", b"7")], b"{}", b"application/json") == (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: engine:8000\r\naccept-encoding: identity\r\n"
        b"authorization: Bearer k\r\nx-request-id: 7\r\n"
        b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    )


def test_a_post_without_a_body_says_so_and_a_get_does_not() -> None:
    head = request_head(b"/x", b"h", [])
    assert b"content-length: 0\r\n" in render_request(b"POST", head, [], b"", b"text/plain")
    assert b"content-length" not in render_request(b"GET", head, [], b"", b"text/plain")
