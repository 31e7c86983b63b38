"""What a client's connection may take of the gateway: uvicorn's httptools protocol with the limits that uvicorn lacks.

The protocol measures what arrives, and refuses what is too much with an answer that says so (`edge_close`); what is too slow is
cut by `edge_times`. However much has come, a little is read at once, so that no client's requests hold up another's.
"""

from __future__ import annotations

import asyncio
from operator import itemgetter

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hayate.downstream.head import (
    HEAD_FREE_BYTES,
    HEADER_LINE_BYTES,
    headers_too_large,
    too_many_headers,
    url_too_long,
    without_offers,
)
from hayate.downstream.times import TimedProtocol
from hayate.errors import InvalidRequest, Overloaded, WrongMethod
from hayate.wire.http1 import fields_of

MAX_READ_AHEAD = 4
"""How many requests of a client that does not wait for answers are read before the first is answered."""
PIECE_BYTES = 8 * 1024
"""What is read at once, however much has come: some hundred requests, or two thousand header lines, at most."""
_NAME = itemgetter(0)


class _Refused(Exception):
    """Stops the parser: the connection has been answered, or is about to be."""


class LimitedProtocol(TimedProtocol):
    """A connection whose requests are measured."""

    __slots__ = ("_drawn_bytes", "_more_url", "_small_head_bytes", "unread")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected; its first request must arrive in time. When there are too many, the longest idle one goes."""
        self._more_url: bytearray | None = None
        self._drawn_bytes = 0
        limits = self.limits
        self._small_head_bytes = min(limits.max_url_bytes, limits.max_header_bytes, 4 * limits.max_header_lines)
        """A head that is no longer keeps every limit, whatever is in it: a line takes four bytes at least."""
        self.unread: memoryview | None = None
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            idle = self.crowd.longest_idle()
            if idle is None:
                self.turn_away(
                    Overloaded(
                        "Too many connections (server.max_connections).",
                        "接続数が上限に達しています（server.max_connections）。",
                        retry_after_s=1,
                    )
                )
                return
            idle.close()
        self._watch_phase()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._give_back()
        super().connection_lost(exc)

    def data_received(self, data: bytes | memoryview) -> None:
        """Bytes of requests. Of very many that were sent ahead at once, most are left for later."""
        if len(data) > PIECE_BYTES:
            self._take_in_pieces(memoryview(data))
            return
        if self.closing:
            self.linger(len(data))
            return
        if self._phase == "idle":
            if len(data) <= 4 and not bytes(data).strip(b"\r\n"):
                return  # an empty line after a body, as some old clients send (RFC 9112, 2.2): no request begins
            self._idlers.pop(self, None)
            self._phase = "head"
            self._phase_bytes = len(data)
            self._phase_began = 0.0
        elif self._phase == "head":
            self._phase_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        except httptools.HttpParserUpgrade as offer:
            if not self._pass_over(offer, data):
                return
        if self._phase == "idle":
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
            return
        if not self._phase_began:  # a phase that this read did not end began with it
            self._phase_began = self.loop.time()
        if self._phase == "head":
            self._measure_head()
        if self._deadline is None and not self.closing:
            self._watch_phase()

    def _take_in_pieces(self, data: memoryview) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            self.data_received(data[start : start + PIECE_BYTES])
            if len(self.pipeline) >= MAX_READ_AHEAD and not self.closing and start + PIECE_BYTES < len(data):
                self._leave(data[start + PIECE_BYTES :])
                return

    def _leave(self, rest: memoryview) -> None:
        if not self.crowd.draw(len(rest)):
            self.turn_away(_too_much_ahead())
            return
        self.unread = rest
        self.flow.pause_reading()

    def _read_on(self) -> None:
        """Most of what had been sent ahead is answered: on with what was left."""
        data, self.unread = self.unread, None
        if data is None or self.raw.is_closing():
            return
        self.crowd.draw(-len(data))
        self.data_received(data)
        if self.unread is None:
            self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP gets an answer in OpenAI's shape."""
        self.turn_away(
            InvalidRequest("The request is not valid HTTP/1.1.", "リクエストが正しいHTTP/1.1ではありません。")
        )

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A request starts. uvicorn's scope is made once it is known that the request is for uvicorn."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        if self._phase != "head":  # more than one in a read
            self._phase = "head"
            self._phase_bytes = 0
            self._phase_began = 0.0

    def on_url(self, url: bytes) -> None:
        """The request target, or a piece of it."""
        if not self.url:  # whether it is too long is asked when more of the head has come
            self.url = url
            return
        if self._more_url is None:
            self._more_url = bytearray(url)
        else:
            self._more_url += url
        if self._is_url_too_long():
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole: too large, or on to the body."""
        if self._more_url is not None:
            self.url += self._more_url
            self._more_url = None
        if (self._phase_bytes > self._small_head_bytes or not self._phase_bytes) and self._is_head_too_large():
            raise _Refused
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self.turn_away(
                    WrongMethod(
                        "This is no proxy: CONNECT is not served.", "プロキシではないため、CONNECTは使えません。"
                    )
                )
                raise _Refused
            return  # `_pass_over` has it read again
        headers = self.headers
        self.fields = fields = fields_of(headers)
        if b"expect" in fields:
            self.expect_100_continue = (b"expect", b"100-continue") in [(n, v.lower()) for n, v in headers]
        if b"host" not in fields:
            if self.parser.get_http_version() != "1.0":
                raise ValueError("no host")  # RFC 9112, 3.2; HTTP/0.9 is refused with it
        elif len(fields) != len(headers) and [*map(_NAME, headers)].count(b"host") > 1:
            raise ValueError("more than one host")
        if self._drawn_bytes:
            self._give_back_head()
        self._phase = "body"
        self._phase_bytes = 0
        self._phase_began = 0.0
        self.serve()

    def on_body(self, body: bytes) -> None:
        """A piece of the body: it earns time."""
        self._phase_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._phase == "head":
            return  # an upgrade's, of which nothing has been served yet
        self._phase = "idle"
        cycle = self.cycle
        if cycle.response_complete:
            if not self.closing and not self.raw.is_closing():
                self._rest()
        else:
            cycle.more_body = False
            cycle.message_event.set()

    def serve(self) -> None:
        """Serves the request whose head has just been read: through uvicorn and ASGI."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.expect_100_continue = url, expects
        self.headers += headers  # the scope holds this very list
        HttpToolsProtocol.on_headers_complete(self)

    # What uvicorn, and whoever serves, call.

    def on_response_complete(self) -> None:
        """An answer is whole: the next request that was read, or a wait for one."""
        self.server_state.total_requests += 1
        if self.closing or self.raw.is_closing():
            return
        self.flow.resume_reading()
        if self.unread is not None and len(self.pipeline) < MAX_READ_AHEAD:
            self.loop.call_soon(self._read_on)
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self._idle is None:
            self._watch_idle()
        if self._phase == "idle" and self.unread is None:
            self._rest()

    # Heads.

    def _pass_over(self, offer: httptools.HttpParserUpgrade, data: bytes | memoryview) -> bool:
        """An upgrade was offered: the request is served as if it was not, and what follows its head is read on. False when
        that was the end of the connection.
        """
        rest = memoryview(data)  # no copy for each of many
        try:
            while True:
                rest = rest[offer.args[0] :]
                head = without_offers(self.parser.get_method(), self.url, self.parser.get_http_version(), self.headers)
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
                self.parser.feed_data(head)
                try:
                    self.parser.feed_data(rest)
                except httptools.HttpParserUpgrade as another:
                    offer = another
                else:
                    return True
        except httptools.HttpParserError:
            self.send_400_response("")
            return False

    def _url_bytes(self) -> int:
        return len(self.url) + (0 if self._more_url is None else len(self._more_url))

    def _is_url_too_long(self) -> bool:
        if self._url_bytes() <= self.limits.max_url_bytes:
            return False
        self.turn_away(url_too_long(self.limits.max_url_bytes, self.url))
        return True

    def _is_head_too_large(self) -> bool:
        """Whether a head that is whole is, and has been refused."""
        if self._is_url_too_long():
            return True
        limits = self.limits
        if len(self.headers) > limits.max_header_lines:
            self.turn_away(too_many_headers(limits.max_header_lines))
        elif (
            self._phase_bytes > limits.max_header_bytes
            and sum(len(name) + len(value) + 4 for name, value in self.headers) > limits.max_header_bytes
        ):
            self.turn_away(headers_too_large(limits.max_header_bytes, self.url))
        else:
            return False
        return True

    def _measure_head(self) -> None:
        """The head has not ended: is it too large already, or more than all of them together may be?"""
        if self._is_url_too_long():
            return
        if self._phase_bytes - self._url_bytes() > self.limits.max_header_bytes:
            self.turn_away(headers_too_large(self.limits.max_header_bytes, self.url))
            return
        if len(self.headers or ()) > self.limits.max_header_lines:
            self.turn_away(too_many_headers(self.limits.max_header_lines))
            return
        beyond_bytes = self._phase_bytes + HEADER_LINE_BYTES * len(self.headers or ()) - HEAD_FREE_BYTES
        if beyond_bytes > self._drawn_bytes:
            if not self.crowd.draw(beyond_bytes - self._drawn_bytes):
                self.turn_away(_too_much_ahead())
                return
            self._drawn_bytes = beyond_bytes

    def _close(self, *, linger: bool) -> None:
        super()._close(linger=linger)
        if self.closing:  # nothing more is read; what has been must not stay for as long as the client goes on sending
            self.url, self.headers, self._more_url = b"", [], None
            self._give_back()

    def _give_back(self) -> None:
        self._give_back_head()
        if self.unread is not None:
            self.crowd.draw(-len(self.unread))
            self.unread = None

    def _give_back_head(self) -> None:
        self.crowd.draw(-self._drawn_bytes)
        self._drawn_bytes = 0


def _too_much_ahead() -> Overloaded:
    return Overloaded(
        "Too many large requests are arriving at once (server.unfinished_heads_bytes). Try again.",
        "受信中の大きなリクエストが多すぎます（server.unfinished_heads_bytes）。もう一度お試しください。",
        retry_after_s=1,
    )
