"""Heads that offer to change the protocol, written again without the offer; what all connections of a server share."""

from __future__ import annotations

import httptools
from hypothesis import given
from hypothesis import strategies as st

from hayate.downstream.head import Crowd, headers_too_large, url_too_long, without_offers
from hayate.wire.http1 import Headers

NAMES = st.sampled_from([b"host", b"x-a", b"connection", b"upgrade", b"http2-settings", b"content-type", b"te"])
VALUES = st.one_of(
    st.sampled_from([b"upgrade", b"Upgrade, HTTP2-Settings", b"close", b"keep-alive, Upgrade", b"h2c", b"", b"a, b"]),
    st.binary(max_size=20).map(lambda value: bytes(each for each in value if 32 < each < 127 or each > 127)),
)


class Reader:
    """What llhttp reads."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: Headers = []
        self.body = b""
        self.whole = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.whole = True


@given(
    st.sampled_from([b"GET", b"POST", b"DELETE"]),
    st.sampled_from([b"/", b"/a?b=c%20", b"http://x/y"]),
    st.sampled_from(["1.1", "1.0"]),
    st.lists(st.tuples(NAMES, VALUES), max_size=8),
    st.binary(max_size=30),
)
def test_a_head_without_offers_says_all_the_rest(
    method: bytes, url: bytes, version: str, headers: Headers, body: bytes
) -> None:
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    reader = Reader()
    parser = httptools.HttpRequestParser(reader)
    parser.feed_data(without_offers(method, url, version, headers) + body)
    assert not parser.should_upgrade()
    assert (parser.get_method(), reader.url, parser.get_http_version()) == (method, url, version)
    assert (reader.body, reader.whole) == (body, True)
    kept = [(name, value) for name, value in reader.headers if name != b"connection"]
    assert kept == [each for each in headers if each[0] not in (b"connection", b"upgrade", b"http2-settings")]
    tokens = [token.strip() for name, value in headers if name == b"connection" for token in value.split(b",")]
    assert [
        token.strip() for name, value in reader.headers if name == b"connection" for token in value.split(b",")
    ] == [token for token in tokens if token and token.lower() not in (b"upgrade", b"http2-settings")]


def test_the_longest_idle_connection_is_the_first_that_began_to_be() -> None:
    crowd = Crowd[str](100)
    for name in ("a", "b", "c"):
        crowd.idle[name] = None
    crowd.idle.pop("a", None)
    crowd.idle["a"] = None
    crowd.idle.pop("nobody", None)
    assert [crowd.longest_idle() for _ in range(4)] == ["b", "c", "a", None]


def test_what_heads_take_together_has_an_end_and_comes_back() -> None:
    crowd = Crowd[str](100)
    assert crowd.draw(60)
    assert not crowd.draw(41)
    assert crowd.draw(40)
    crowd.draw(-60)
    assert crowd.draw(60)
    assert not crowd.draw(1)


def test_only_a_prompt_in_a_url_is_pointed_to_post() -> None:
    for told in (headers_too_large(1024, b"/generate_stream?prompt=x"), url_too_long(9, b"http://a/generate_stream?x")):
        assert "POST /generate_stream" in told.english
        assert "POST /generate_stream" in told.japanese
    for told in (headers_too_large(1024, b"/v1/models?x=/generate_stream"), url_too_long(1024, b"")):
        assert "POST" not in told.english + told.japanese
