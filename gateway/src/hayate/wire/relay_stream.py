"""Streams of dialects that pass through as they are: /v1/responses and /v1/messages.

Events are kept whole and otherwise untouched; only those that mention usage or an error are read. A stream that ends without
its dialect's last event is broken.
"""

from __future__ import annotations

import orjson

from hayate.errors import GatewayError, UpstreamBroke
from hayate.wire import sse
from hayate.wire.usage import Usage

_LAST = (
    b'"message_stop"',
    b'"response.completed"',
    b'"response.incomplete"',
    b'"response.failed"',
    b"[DONE]",
    b'"error"',
)


class RelayedStream:
    """Engine events in, the same events out. One per call."""

    __slots__ = ("_splitter", "failure", "finish_reason", "finished", "spoke", "usage")

    def __init__(self) -> None:
        self._splitter = sse.FrameSplitter()
        self.usage = Usage()
        self.finish_reason: str | None = None
        self.spoke = False
        self.finished = False
        self.failure: GatewayError | None = None

    def feed(self, data: bytes) -> bytes:
        """What of `data` may go to the client now: whole events only."""
        whole = self._splitter.feed(data)
        if not whole:
            return whole
        if b'delta"' in whole:
            self.spoke = True
            self.usage.seen(whole.count(b'delta",'))
        if b'"usage"' in whole or any(mark in whole for mark in _LAST):
            for frame in sse.frames(whole):
                self._look(frame)
        return whole

    def end(self) -> bytes:
        """The engine's body has ended; too early, unless its last event has come."""
        if not self.finished:
            self.failure = UpstreamBroke(
                "The engine ended its answer before it was complete. Ask again.",
                "エンジンが回答の途中で終了しました。もう一度お試しください。",
            )
        return b""

    def _look(self, frame: bytes) -> None:
        data = sse.data_of(frame)
        if data is None:
            return
        if data == b"[DONE]":
            self.finished = True
            return
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            return
        if not isinstance(event, dict):
            return
        for holder in (event, event.get("message"), event.get("response")):
            if isinstance(holder, dict):
                self.usage.take(holder.get("usage"))
        kind = event.get("type")
        if kind in ("message_stop", "response.completed", "response.incomplete", "response.failed", "error"):
            self.finished = True
            self.finish_reason = self.finish_reason or str(kind)
        delta = event.get("delta")
        if isinstance(delta, dict) and delta.get("stop_reason"):
            self.finish_reason = delta["stop_reason"]


class RawStream:
    """A body that is no event stream (audio): bytes in, bytes out."""

    __slots__ = ("failure", "finish_reason", "finished", "spoke", "usage")

    def __init__(self) -> None:
        self.usage = Usage()
        self.finish_reason: str | None = None
        self.spoke = False
        self.finished = False
        self.failure: GatewayError | None = None

    def feed(self, data: bytes) -> bytes:
        """`data`."""
        self.spoke = True
        return data

    def end(self) -> bytes:
        """The engine's own framing says whether the body was whole."""
        return b""
