"""How what a client sends is read: a little at once, so that no client's requests hold up another's, and a request
after another.

The parser is uvicorn's (llhttp), and so is whatever is no call: its scope is made once it is known that a request is
for uvicorn.
"""

from __future__ import annotations

import asyncio
from operator import itemgetter

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from hayate.downstream.head import without_offers
from hayate.downstream.limits import LimitedProtocol, Refused, too_much_ahead
from hayate.downstream.stream import Serving
from hayate.downstream.uvicorn_cycle import UvicornCycle
from hayate.errors import InvalidRequest, WrongMethod
from hayate.wire.http1 import NO_FIELDS, fields_of, known_name

MAX_READ_AHEAD = 4
"""How many requests of a client that does not wait for answers are read before the first is answered."""
PIECE_BYTES = 8 * 1024
"""What is read at once, however much has come: some hundred requests, or two thousand header lines, at most."""
_NAME = itemgetter(0)


class ReadingProtocol(LimitedProtocol):
    """A connection that reads requests and gives each its turn."""

    __slots__ = ("_ahead", "half_closed")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected, and has asked nothing yet."""
        self.half_closed = False
        """Whether the client has ended its sending."""
        self._ahead: tuple[Serving, ...] = ()
        """Requests that have been read and wait for the answers before theirs; the next one first."""
        super().connection_made(transport)

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
            if len(self._ahead) >= MAX_READ_AHEAD and not self.closing and start + PIECE_BYTES < len(data):
                self._leave(data[start + PIECE_BYTES :])
                return

    def _leave(self, rest: memoryview) -> None:
        if not self.crowd.draw(len(rest)):
            self.turn_away(too_much_ahead())
            return
        self._unread = rest
        self.flow.pause_reading()

    def _read_on(self) -> None:
        """Most of what had been sent ahead is answered: on with what was left."""
        data, self._unread = self._unread, None
        if data is None or self.raw.is_closing():
            return
        self.crowd.draw(-len(data))
        self.data_received(data)
        if self._unread is None:
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
            raise Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line."""
        self.headers.append((known_name(name) or name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole: too large, or on to the body."""
        if self._more_url is not None:
            self.url += self._more_url
            self._more_url = None
        # 0 bytes: the head began in the middle of a read, and how long it is has not been counted.
        if (self._phase_bytes > self._small_head_bytes or not self._phase_bytes) and self._is_head_too_large():
            raise Refused
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self.turn_away(
                    WrongMethod(
                        "This is no proxy: CONNECT is not served.", "プロキシーではないため、CONNECTは使えません。"
                    )
                )
                raise Refused
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
        reading = self._reading
        if reading is not None and not reading.response_complete:
            reading.body_received(body)
            if self._phase_bytes > HIGH_WATER_LIMIT and reading.unread_bytes > HIGH_WATER_LIMIT:
                self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """The request is whole: whoever serves it is told, unless it has been answered already; then the connection rests."""
        if self._phase == "head":
            return  # an upgrade's, of which nothing has been served yet
        self._phase = "idle"
        reading = self._reading
        if reading is None or reading.response_complete:
            if not self.closing and not self.raw.is_closing():
                self._rest()
        else:
            reading.body_ended()

    def serve(self) -> None:
        """Serves the request whose head has just been read: through uvicorn and ASGI."""
        # uvicorn makes its scope when a request begins, and forgets what it has of a head: it gets back what has been read.
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.expect_100_continue = url, expects
        self.headers += headers  # the scope holds this very list
        HttpToolsProtocol.on_headers_complete(self)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """uvicorn has a request to serve: it gets its turn as any other does."""
        self.scope = self.cycle = None  # type: ignore[assignment]
        start = super()._start_asgi_task
        self._take(UvicornCycle(cycle, lambda: start(cycle, app)))

    def _take(self, request: Serving) -> None:
        """Serves a request, once those before it have their answers."""
        waits = self._reading is not None and not self._reading.response_complete
        self._reading = request
        if waits:
            self.flow.pause_reading()
            self._ahead += (request,)
        else:
            self._serving = request
            request.begin()

    # What uvicorn, and whoever serves, call.

    def on_response_complete(self) -> None:
        """An answer is whole: the next request that was read, or a wait for one."""
        self.server_state.total_requests += 1
        if self.closing or self.raw.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self._unread is not None and len(self._ahead) < MAX_READ_AHEAD:
            self.loop.call_soon(self._read_on)
        if self._ahead:
            self._serving, *rest = self._ahead
            self._ahead = tuple(rest)
            if self.half_closed:
                self._serving.keep_alive = self._serving.keep_alive and bool(rest)
            self._serving.begin()
            return
        self._idle_since = self.loop.time()
        if self._idle is None:
            self._watch_idle()
        if self._phase == "idle" and self._unread is None:
            self._rest()

    def _rest(self) -> None:
        """Nothing is asked, nothing is owed, and the connection stays: of the last request nothing is kept."""
        self._idlers[self] = None
        self.url, self.headers, self.fields = b"", [], NO_FIELDS
        self._serving = self._reading = None

    def shutdown(self) -> None:
        """The server stops: no request after the one that was read last."""
        if self._reading is None or self._reading.response_complete:
            self.close()
        else:
            self._reading.keep_alive = False

    def _pass_over(self, offer: httptools.HttpParserUpgrade, data: bytes | memoryview) -> bool:
        """An upgrade was offered: the request is served as if it was not, and what follows its head is read on. False
        when that was the end of the connection.
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
