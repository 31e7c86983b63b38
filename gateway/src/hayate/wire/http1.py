"""HTTP/1.1 toward engines: a request as bytes, an answer out of bytes. No sockets here.

`ResponseReader` reads one answer after another on the same connection. It never guesses: what httptools (llhttp,
strict) does not accept is UpstreamBroke.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import httptools

from hayate.reasons import Reason
from hayate.upstream_errors import UpstreamBroke

Headers = list[tuple[bytes, bytes]]
Fields = dict[bytes, bytes]
"""The first value of each of them."""
NO_FIELDS: Fields = {}
"""In place of those that are not needed any more. Nobody puts anything in."""
MAX_HEAD_BYTES = 65536
as_line = b": ".join
"""A header, as name and value, in the way it is sent."""


def request_head(target: bytes, host: bytes, credentials: Iterable[tuple[bytes, bytes]]) -> bytes:
    """What all requests to one target have after their method: they ask for an answer that is not compressed, whose events are
    passed on as they come.

    Names and values, here and of what a request has beside, must be free of line breaks: `clean_value` makes them so.
    """
    first = b" %b HTTP/1.1\r\nhost: %b\r\naccept-encoding: identity" % (target, host)
    return b"\r\n".join([first, *map(as_line, credentials)])


def render_request(
    method: bytes, head: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes, content_type: bytes
) -> bytes:
    """One request with its body. `head` is what `request_head` makes."""
    lines = [method + head, *map(as_line, headers)]
    if body:
        lines += (b"content-type: %b\r\ncontent-length: %d" % (content_type, len(body)), b"", body)
    else:
        lines.append(b"\r\n" if method == b"GET" else b"content-length: 0\r\n\r\n")
    return b"\r\n".join(lines)


def header(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The first value of `name` (lower case), or None."""
    return dict(reversed(headers)).get(name)


def fields_of(headers: Sequence[tuple[bytes, bytes]]) -> Fields:
    """Each header's first value, by its name (lower case)."""
    return dict(reversed(headers))


def idle_limit_s(field: bytes) -> float:
    """How long a connection may stay unused by a Keep-Alive field such as `timeout=5, max=100`, less a margin."""
    for part in field[:200].lower().split(b","):
        name, _, value = part.strip().partition(b"=")
        if name.strip() == b"timeout" and value.strip().isdigit():
            stated_s = int(value.strip()[:9])
            return max(stated_s - 1.0, stated_s / 2)
    return math.inf


def chunk_size(data: bytes) -> int:
    """How many bytes of body `data` carries when it is exactly one whole chunk, its framing included; else 0."""
    line = data.find(b"\r\n", 1, 10)
    if line < 0 or not data.endswith(b"\r\n") or not data[:line].isalnum():
        return 0
    try:
        size = int(data[:line], 16)
    except ValueError:
        return 0
    return size if size == len(data) - line - 4 else 0


_USUAL_NAMES = (
    b"host user-agent accept accept-encoding accept-language connection keep-alive cache-control authorization x-api-key api-key "
    b"cookie origin referer x-request-id content-type content-length transfer-encoding content-encoding date server via forwarded "
    b"x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip"
).split()
known_name = {spelled: name for name in _USUAL_NAMES for spelled in (name, name.title())}.get
"""The name in lower case of a field that many requests have, for its two usual spellings; None for any other. With names of its
own each call would hold a third of a kilobyte more.
"""
TLS_ALERT = b"\x15\x03"
"""What a server that speaks TLS says to plain HTTP (RFC 8446, 5.1)."""
_HOW_IT_COMES = frozenset((b"transfer-encoding", b"content-encoding", b"keep-alive"))


class ResponseReader:
    """Bytes of one connection in; status, headers and body out. `begin` before each answer."""

    __slots__ = (
        "_body",
        "_delimited",
        "_discard",
        "_head_bytes",
        "_parser",
        "chunked",
        "coding",
        "complete",
        "head_complete",
        "headers",
        "idle_limit",
        "keep_alive",
        "on_body",
        "status",
    )

    def __init__(self) -> None:
        self._body: list[bytes] = []
        self.on_body = self._body.append
        """A piece of the body. The parser takes it as it is when it is made: no code of Python's runs for a piece."""
        self.status = 0
        """This and what follows come with each head: nobody asks before, so they are not forgotten in between."""
        self.keep_alive = False
        self._delimited = True
        self._discard = False
        """Whether more than one answer came: there is no other request on such a connection."""
        self._parser = httptools.HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """Forgets the answer before; the next bytes are a new one's."""
        self.headers: Headers = []
        self.head_complete = False
        self.complete = False
        self._head_bytes = 0
        self.chunked = False
        self.coding: bytes | None = None
        """The body's content-encoding, if the answer names one."""
        self.idle_limit: bytes | None = None
        """The Keep-Alive field: how long the connection may stay unused."""

    def feed(self, data: bytes) -> bytes:
        """The body bytes that `data` holds. Raises UpstreamBroke when it is not HTTP."""
        if self.complete:
            raise _not_http("more than one answer")
        if not self.head_complete:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            broke = _not_http("not HTTP/1.1")
            if not self.head_complete and data.startswith(TLS_ALERT):
                broke.reason = Reason.TLS_REFUSED
            raise broke from None
        if self._discard:
            raise _not_http("more than one answer")
        if self._head_bytes > MAX_HEAD_BYTES and not self.head_complete:
            raise _not_http(f"a header block over {MAX_HEAD_BYTES} bytes")
        pieces = self._body
        if not pieces:
            return b""
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return body

    @property
    def started(self) -> bool:
        """Whether anything of an answer has come."""
        return self._head_bytes > 0

    def take_headers(self) -> Headers:
        """The answer's headers, to keep: the reader remembers only how the body's end will be told."""
        headers, self.headers = self.headers, []
        found = dict(reversed(headers))
        self._delimited = b"content-length" in found
        if not _HOW_IT_COMES.isdisjoint(found):
            transfer = found.get(b"transfer-encoding")
            self.chunked = transfer is not None and transfer.lower() == b"chunked"
            self._delimited = self._delimited or transfer is not None
            self.coding = found.get(b"content-encoding")
            self.idle_limit = found.get(b"keep-alive")
        return headers

    def end(self) -> bool:
        """The connection has closed. True when that is a proper end: the answer had no length and was not chunked."""
        if self.complete:
            return True
        if not self.head_complete:
            return False
        return not self._delimited

    def close(self) -> None:
        """Nothing more will be read: the parser goes, which holds this as this holds it."""
        del self._parser

    # What httptools calls.

    def on_message_begin(self) -> None:
        """A new answer starts; a second one on the same request is refused in `feed`."""
        if self.complete:
            self._discard = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line; names are compared in lower case from here on."""
        self.headers.append((known_name(name) or name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole; 1xx answers are passed over."""
        status = self._parser.get_status_code()
        if status < 200:
            self.headers = []
            return
        self.status = status
        self.head_complete = True
        self.keep_alive = self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was a 1xx: then the answer proper follows."""
        if self.head_complete:
            self.complete = True


def _not_http(what: str) -> UpstreamBroke:
    broke = UpstreamBroke(
        f"The engine's answer is not usable ({what}). Is BACKEND_URL the engine's own address?",
        f"エンジンの応答を解釈できません（{what}）。BACKEND_URLがエンジンのアドレスか確認してください。",
    )
    broke.reason = Reason.NO_ENGINE
    return broke
