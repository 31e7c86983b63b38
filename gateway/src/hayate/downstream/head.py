"""Heads: what is done to a request's before it is served, how a refused one is told, how an answer's is written.

An upgrade is an offer that a server may pass over (RFC 9110, 7.8), and this one always does. llhttp can't be told to:
it takes what follows such a head, body included, for another protocol's bytes. So the head is written again without the
offer, and a parser that has seen nothing else reads it and all that follows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from hayate.errors import GatewayError, HeadersTooLarge, UrlTooLong
from hayate.wire.http1 import Headers, as_line

HEAD_FREE_BYTES = 65536
"""What an unfinished head may take before it draws on what all of them share."""
HEADER_LINE_BYTES = 128
"""What one header line takes beyond its bytes."""
_OFFERS = (b"upgrade", b"http2-settings")
_LONG_PROMPT_PATH = b"/generate_stream"

C = TypeVar("C", bound=Hashable)


class Crowd(Generic[C]):
    """What all connections of one server share. One per server."""

    __slots__ = ("_heads_bytes_left", "idle")

    def __init__(self, unfinished_heads_bytes: int) -> None:
        self.idle: OrderedDict[C, None] = OrderedDict()
        """The connections that ask nothing, the longest idle first. Each puts itself in and takes itself out."""
        self._heads_bytes_left = unfinished_heads_bytes

    def longest_idle(self) -> C | None:
        """The connection that has been idle for longest; no longer counted as idle."""
        return self.idle.popitem(last=False)[0] if self.idle else None

    def draw(self, size_bytes: int) -> bool:
        """Takes so much of what unfinished heads may take together; False when that much is not left. Negative: gives back."""
        if size_bytes > self._heads_bytes_left:
            return False
        self._heads_bytes_left -= size_bytes
        return True


def without_offers(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """A head that has been read, written again without its offers to change the protocol."""
    lines = [b"%b %b HTTP/%b" % (method, url, version.encode())]
    lines += [b"%b: %b" % (name, value) for name, value in _kept(headers)]
    return b"\r\n".join((*lines, b"", b""))


def _kept(headers: Headers) -> Iterable[tuple[bytes, bytes]]:
    for name, value in headers:
        if name == b"connection":
            tokens = [token.strip() for token in value.split(b",")]
            kept = [token for token in tokens if token and token.lower() not in _OFFERS]
            if kept:
                yield name, b", ".join(kept)
        elif name not in _OFFERS:
            yield name, value


def rendered_head(status: int, headers: Headers) -> bytes:
    """The head of an answer. Raises RuntimeError for a header with a line break: it would be another header, or another answer."""
    head = b"%b%b\r\n\r\n" % (STATUS_LINE[status], b"\r\n".join(map(as_line, headers)))
    if head.count(b"\n") != len(headers) + 2:
        raise RuntimeError("a response header with a line break")
    return head


def headers_too_large(limit_bytes: int, url: bytes) -> GatewayError:
    """431, by the setting that says so; `url` tells whether the caller had a better way."""
    hint, hint_ja = _by_post(url)
    return HeadersTooLarge(
        f"The request's headers are over {limit_bytes} bytes (server.max_header_bytes).{hint}",
        f"リクエストヘッダーが上限（{limit_bytes}バイト）を超えています（server.max_header_bytes）。{hint_ja}",
    )


def too_many_headers(limit: int) -> GatewayError:
    """431, by the setting that says so."""
    return HeadersTooLarge(
        f"The request has over {limit} header lines (server.max_header_lines).",
        f"リクエストヘッダーが{limit}行を超えています（server.max_header_lines）。",
    )


def url_too_long(limit_bytes: int, url: bytes) -> GatewayError:
    """414, by the setting that says so; `url` tells whether the caller had a better way."""
    hint, hint_ja = _by_post(url)
    return UrlTooLong(
        f"The request's URL is over {limit_bytes} bytes (server.max_url_bytes).{hint}",
        f"リクエストのURLが上限（{limit_bytes}バイト）を超えています（server.max_url_bytes）。{hint_ja}",
    )


def _by_post(url: bytes) -> tuple[str, str]:
    """What a GET with a long prompt in its URL can do instead."""
    if url.partition(b"?")[0].rpartition(_LONG_PROMPT_PATH)[1]:
        return " POST /generate_stream takes long prompts.", "長いプロンプトは`POST /generate_stream`で送ってください。"
    return "", ""
