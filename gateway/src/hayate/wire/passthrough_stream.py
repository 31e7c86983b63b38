"""Streams of dialects that pass through as they are: /v1/responses, /v1/messages, and events of audio.

Events are kept whole and otherwise untouched; only those that mention usage, a reason or an error, or may be the last
one, are read. How such a stream ends is its own dialect's affair: some name a last event, and without it the answer is
broken; the others end where the body does.
"""

from __future__ import annotations

from typing import Any, Final

from hayate.errors import GatewayError
from hayate.wire import sse
from hayate.wire.decoder import DecoderState
from hayate.wire.engine_errors import engine_error
from hayate.wire.engine_json import Unreadable, read
from hayate.wire.event_numbers import NUMBERED, next_number
from hayate.wire.faults import UNREADABLE, too_early, unreadable
from hayate.wire.paths import MESSAGES, RESPONSES

LAST_EVENTS: Final[dict[str, tuple[str, ...]]] = {
    MESSAGES: ("message_stop", "error"),
    RESPONSES: (
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.cancelled",
        "error",
    ),
}
"""Paths whose streams say when they are over, and how."""

_REASON: Final = b'"stop_reason"'
"""Of the event whose delta is no piece of the answer but how it ended."""
_MARKS: Final = (b'"usage"', b'"error"', _REASON, b"[DONE]", b"event: error", b"event:error")


_DELTA: Final = b'"delta":'
"""Of every event with a piece of the answer, in any of these dialects. Inside a string its quotes are escaped."""


class PassthroughStream(DecoderState):
    """Engine events in, the same events out. One per call; `path` says whose events they are."""

    __slots__ = ("_failed", "_last", "_marks", "_numbered", "_splitter")

    def __init__(self, path: str) -> None:
        super().__init__()
        self._splitter = sse.FrameSplitter()
        self._last = LAST_EVENTS.get(path, ())
        self._marks = _MARKS + tuple(f'"{kind}"'.encode() for kind in self._last)
        self._failed = False
        self._numbered: bytes | None = b"" if path == RESPONSES else None
        """The last events that had a number, in a dialect that numbers them."""

    @property
    def next_number(self) -> int:
        """One more than the last event has that passed."""
        return 0 if self._numbered is None else next_number(self._numbered)

    def feed(self, data: bytes) -> bytes:
        """What of `data` may go to the client now: whole events only."""
        if self._failed:
            return b""
        whole = self._splitter.feed(data)
        if not whole or not any(mark in whole for mark in self._marks):
            self._heard(whole)
            return self._passed(whole)
        return self._passed(self._read_each(sse.frames(whole)))

    def end(self) -> bytes:
        """The engine's body has ended; too early, if its dialect has a last event and that has not come."""
        out = b""
        for frame in self._splitter.rest():
            if not self._failed and (not self._last or _is_readable(frame)):
                out += self._passed(self._read_each([frame]))
        if not self.finished and self.failure is None:
            if self._last:
                self.failure = too_early()
            else:
                self.finished = True
        return out

    def _passed(self, events: bytes) -> bytes:
        if self._numbered is not None and NUMBERED in events:
            self._numbered = events
        return events

    def _heard(self, passed: bytes) -> None:
        deltas = passed.count(_DELTA)
        if deltas:
            self.has_output = True
            self.usage.seen(deltas)

    def _read_each(self, frames: list[bytes]) -> bytes:
        kept: list[bytes] = []
        for frame in frames:
            try:
                if any(mark in frame for mark in self._marks):
                    self._look(frame)
            except GatewayError as error:
                self.failure = error
            except UNREADABLE:
                self.failure = unreadable()
            if self.failure:
                self._failed = True
                break
            if _REASON not in frame:
                self._heard(frame)
            kept.append(frame)
            if self._failed:  # the engine has told so itself: nothing better follows
                break
        return b"".join(kept)

    def _look(self, frame: bytes) -> None:
        data = sse.data_of(frame)
        if data is None:
            return
        if data.strip() == b"[DONE]":
            self.finished = True
            return
        try:
            event = read(data)
        except Unreadable:
            return
        if not isinstance(event, dict):
            return
        kind = event.get("type")
        if kind != "error" and (event.get("error") or sse.event_of(frame) == b"error"):
            self.failure = engine_error(500, event)  # told in another dialect than the caller's
            return
        for holder in (event, event.get("message"), event.get("response")):
            if isinstance(holder, dict):
                self.usage.take(holder.get("usage"), begins=kind == "message_start")
        self._reason(event, kind)

    def _reason(self, event: dict[str, Any], kind: object) -> None:
        if kind == "error":
            self._failed = True
        if kind in self._last:
            self.finished = True
            self.finish_reason = self.finish_reason or str(kind)
        delta = event.get("delta")
        if isinstance(delta, dict) and isinstance(delta.get("stop_reason"), str):
            self.finish_reason = delta["stop_reason"]


def _is_readable(frame: bytes) -> bool:
    """Whether an event that nothing ended is whole."""
    data = sse.data_of(frame)
    try:
        return data is not None and (data.strip() == b"[DONE]" or isinstance(read(data), dict))
    except Unreadable:
        return False


class RawStream(DecoderState):
    """A body that is no event stream (audio): bytes in, bytes out."""

    __slots__ = ()

    def feed(self, data: bytes) -> bytes:
        """`data` as it came; what counts as output is that something came."""
        self.has_output = True
        return data

    def end(self) -> bytes:
        """The engine's own framing says whether the body was whole."""
        return b""
