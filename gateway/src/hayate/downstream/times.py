"""How long a client's connection may take: for a request to arrive, and to ask nothing.

Timers exist only while a request is incomplete or a connection idle; a request that arrives whole in a single read
costs none.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from hayate.downstream.close import ClosingProtocol
from hayate.downstream.head import Crowd
from hayate.downstream.stream import Serving
from hayate.errors import ReadTimeout
from hayate.wire.http1 import Fields


class TimedProtocol(ClosingProtocol):
    """A connection with a clock. `_phase_began` is 0 until a phase outlasts the read that it began in."""

    __slots__ = ("_deadline", "_idle", "_idle_since", "_idlers", "_phase_began", "_reading", "fields")

    fields: Fields
    """Those of the head that was read last (`http1.fields_of`)."""
    crowd: ClassVar[Crowd[TimedProtocol]]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected: the time for its first request runs."""
        self._phase_began = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._idlers = self.crowd.idle
        self._reading: Serving | None = None
        """The request that was read last, whole or not."""
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: it is not waited for, nor closed to make room for another."""
        for timer in (self._deadline, self._idle):
            if timer is not None:
                timer.cancel()
        self._deadline = self._idle = None
        self._idlers.pop(self, None)
        super().connection_lost(exc)

    def _watch_idle(self) -> None:
        self._idle = self.loop.call_later(self.timeout_keep_alive, self._check_idle)

    def _watch_phase(self) -> None:
        limit_s = self.limits.header_timeout_s if self._phase == "head" else self.limits.body_timeout_s
        self._deadline = self.loop.call_later(limit_s, self._check_phase)

    def _check_phase(self) -> None:
        """The timer: is the request late? A body earns time by arriving, at the least rate allowed."""
        self._deadline = None
        if self._phase == "idle" or self.closing or self.raw.is_closing():
            return
        limits = self.limits
        limit_s = limits.header_timeout_s
        if self._phase == "body":
            limit_s = limits.body_timeout_s + self._phase_bytes / limits.body_min_bytes_per_s
        left_s = self._phase_began + limit_s - self.loop.time()
        if self._sends_ahead():
            left_s = limit_s  # it must not cost the answer that is under way
        if left_s > 0:
            self._deadline = self.loop.call_later(left_s, self._check_phase)
        elif self._phase == "head" and self._phase_bytes == 0:
            self.close()  # nothing was asked, so there is nothing to answer
        else:
            self.turn_away(
                ReadTimeout(f"The request's {self._phase} arrived too slowly.", "リクエストの到着が遅すぎます。")
            )

    def _sends_ahead(self) -> bool:
        """Whether what arrives is behind a request that is still being answered."""
        serving = self._serving
        under_way = serving is not None and not serving.response_complete
        return under_way and (self._phase == "head" or self._reading is not serving)

    def _check_idle(self) -> None:
        """The timer: has nothing been asked for long enough? It is set when an answer ends, and once for many of them."""
        self._idle = None
        if self._phase != "idle" or self.closing or not (self._serving is None or self._serving.response_complete):
            return
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._idle = self.loop.call_later(left_s, self._check_idle)
        else:
            self.close()
