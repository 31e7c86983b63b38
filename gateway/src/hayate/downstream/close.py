"""How a client's connection ends: with an answer of the connection's own, after what was written has been taken, or
cut.

A connection whose client may still be sending is not closed over its unread bytes, which would reset it and could cost
the client its answer: it lingers. A client that takes nothing of what is sent is cut after a while.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hayate.downstream.head import rendered_head
from hayate.downstream.request_id import answer_id
from hayate.downstream.stream import Serving
from hayate.errors import GatewayError
from hayate.settings import Listening
from hayate.wire.error_bodies import OPENAI, error_headers, language_of
from hayate.wire.http1 import header
from hayate.wire.origins import Origins

WRITE_HIGH_WATER_BYTES = 0
"""What may wait for a client that is behind before it counts as that: nothing beside what the system holds. uvloop writes at once
only what would be more than this; the rest waits until everything has been read that came meanwhile, other clients' requests
included.
"""
LINGER_S = 2.0
LINGER_BYTES = 64 * 1024 * 1024
"""How long, and how much, a client that was answered before its request was whole may go on sending."""

_NOTHING_AHEAD = ()
"""In place of uvicorn's own queue, which takes 760 bytes of each connection and is never filled here (`reading`)."""


class UvicornTransport(asyncio.Transport):
    """The transport as uvicorn sees it: closing it is the protocol's affair, and what is written after its end goes nowhere."""

    __slots__ = ("_protocol", "_transport")

    def __init__(self, protocol: ClosingProtocol, transport: asyncio.Transport) -> None:
        self._protocol: ClosingProtocol | None = protocol
        self._transport = transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The client's address, and the like."""
        return self._transport.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Writes bytes to the client."""
        if not self.is_closing():
            self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._protocol is None or self._protocol.closing or self._transport.is_closing()

    def close(self) -> None:
        """Closes once everything has been written."""
        if self._protocol is not None:
            self._protocol.close()

    def lost(self) -> None:
        """There is no connection any more: nothing that still holds this holds its protocol."""
        self._protocol = None


class ClosingProtocol(HttpToolsProtocol):
    """A connection in one of three phases: the head of a request arrives, its body arrives, or none does.

    What is ours of a connection lies in slots: uvicorn's own attributes fill a dictionary that instances can share the
    keys of.
    """

    __slots__ = (
        "_lingered_bytes",
        "_lingering",
        "_phase",
        "_phase_bytes",
        "_serving",
        "_stall",
        "_uvicorns",
        "closing",
        "raw",
    )

    limits: Listening
    origins: Origins

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected. What uvicorn is given for its transport closes as a connection of ours does."""
        self.raw = transport
        self.closing = False
        self._phase = "head"
        self._phase_bytes = 0
        self._lingered_bytes = 0
        self._serving: Serving | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self.pipeline = _NOTHING_AHEAD  # type: ignore[assignment]
        self._uvicorns = UvicornTransport(self, transport)
        super().connection_made(self._uvicorns)
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, and with it whatever a timer was to do."""
        self.closing = True
        for timer in (self._lingering, self._stall):
            if timer is not None:
                timer.cancel()
        self._lingering = self._stall = None
        super().connection_lost(exc)
        self._uvicorns.lost()

    def pause_writing(self) -> None:
        """The client is behind: from now on it is watched whether it takes anything at all."""
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if self._stall is not None and not self.closing and not self.raw.is_closing():
            self._stall.cancel()
            self._stall = None

    def turn_away(self, error: GatewayError) -> None:
        """Answers without an application and closes. With a response under way, or given before the body was whole,
        there is nothing to say.
        """
        if self.closing or self.raw.is_closing():
            return
        serving = self._serving
        if serving is None or not serving.response_started or (serving.response_complete and self._phase == "head"):
            asked = self.headers or []  # what has been read of the request
            body = OPENAI.body(error, language_of(asked))
            headers = [each for each in error_headers(error) if each[0] != b"connection"]
            headers += (
                (b"x-request-id", (serving is not None and serving.answer_id) or answer_id(asked)),
                *self.origins.headers_for(header(asked, b"origin")),
                (b"content-length", b"%d" % len(body)),
                (b"connection", b"close"),
            )
            self.raw.write(rendered_head(error.status, headers) + body)
        self._close(linger=self._phase != "idle")

    def close(self) -> None:
        """Closes once the client has taken what was written; lingers first if it may still be sending."""
        untouched = self._phase == "head" and not self._phase_bytes
        self._close(linger=self.flow.read_paused or not (untouched or self._phase == "idle"))

    def linger(self, size_bytes: int) -> None:
        """The client goes on sending after its answer."""
        self._lingered_bytes += size_bytes
        if self._lingered_bytes > LINGER_BYTES:
            self.raw.abort()

    def _close(self, *, linger: bool) -> None:
        if self.closing or self.raw.is_closing():
            return
        if self.raw.get_write_buffer_size():
            self._watch_stall()
        if not linger:
            self.raw.close()
            return
        self.closing = True
        self._lingering = self.loop.call_later(LINGER_S, self.raw.close)
        self.raw.write_eof()
        self.flow.resume_reading()

    def _watch_stall(self) -> None:
        """Whatever is being sent, a client that takes nothing of it is cut after a while: what waits is memory."""
        if self._stall is None:
            self._arm_stall()

    def _arm_stall(self) -> None:
        waiting_bytes = self.raw.get_write_buffer_size()
        self._stall = self.loop.call_later(self.limits.client_stall_s, self._check_stall, waiting_bytes)

    def _check_stall(self, waited_bytes: int) -> None:
        if self.raw.get_write_buffer_size() < waited_bytes:
            self._arm_stall()
        else:
            self.raw.abort()
