"""What the head of a request may take: uvicorn's httptools protocol with the limits that uvicorn lacks.

What is too much is refused with an answer that says so (`close`); what is too slow is cut by `times`; how what has come
is read is `reading`.
"""

from __future__ import annotations

import asyncio

from hayate.downstream.head import (
    HEAD_FREE_BYTES,
    HEADER_LINE_BYTES,
    headers_too_large,
    too_many_headers,
    url_too_long,
)
from hayate.downstream.times import TimedProtocol
from hayate.errors import Overloaded


class Refused(Exception):
    """Stops the parser: the connection has been answered, or is about to be."""


class LimitedProtocol(TimedProtocol):
    """A connection whose requests' heads are measured."""

    __slots__ = ("_drawn_bytes", "_more_url", "_small_head_bytes", "_unread")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected; its first request must arrive in time. When there are too many, the longest idle one goes."""
        self._more_url: bytearray | None = None
        self._drawn_bytes = 0
        limits = self.limits
        self._small_head_bytes = min(limits.max_url_bytes, limits.max_header_bytes, 4 * limits.max_header_lines)
        """A head that is no longer keeps every limit, whatever is in it: a line takes four bytes at least."""
        self._unread: memoryview | None = None
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
        """The client is gone: what its unfinished request took of what all share is given back."""
        self._give_back()
        super().connection_lost(exc)

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
                self.turn_away(too_much_ahead())
                return
            self._drawn_bytes = beyond_bytes

    def _close(self, *, linger: bool) -> None:
        super()._close(linger=linger)
        if self.closing:  # nothing more is read; what has been must not stay for as long as the client goes on sending
            self.url, self.headers, self._more_url = b"", [], None
            self._give_back()

    def _give_back(self) -> None:
        self._give_back_head()
        if self._unread is not None:
            self.crowd.draw(-len(self._unread))
            self._unread = None

    def _give_back_head(self) -> None:
        self.crowd.draw(-self._drawn_bytes)
        self._drawn_bytes = 0


def too_much_ahead() -> Overloaded:
    """503: what unfinished requests of all clients take together is at its limit."""
    return Overloaded(
        "Too many large requests are arriving at once (server.unfinished_heads_bytes). Try again.",
        "受信中の大きなリクエストが多すぎます（server.unfinished_heads_bytes）。もう一度お試しください。",
        retry_after_s=1,
    )
