"""OpenAI-shaped streams, engine to client: chat.completion.chunk and text_completion events.

The rule: an event that carries nothing but text passes as the bytes it arrived in, unread. How that is known without
parsing: such an event has `"finish_reason":null` and no `"usage"`; inside a JSON string both would have escaped quotes.
Everything else (the first events, the last ones, usage, errors, engines that space their JSON) is parsed.

What an engine may do wrong is set right here: an error event followed by `[DONE]` becomes a failure, `finish_reason:"abort"`
becomes a failure, a stream that stops without a finish becomes a failure, usage that only we asked for is taken out.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import orjson

from hayate.errors import GatewayError, UpstreamBroke
from hayate.wire import sse
from hayate.wire.errors_in import engine_error
from hayate.wire.lane import shape_of
from hayate.wire.usage import Usage

_PLAIN: Final = b'"finish_reason":null'
_USAGE: Final = b'"usage"'
_ERROR: Final = b'"error"'
_LONGEST_DONE_BYTES: Final = 16


class OpenAIStream:
    """Engine bytes in, client events out. One per call; holds that call's state.

    `keep_usage`: the client asked for usage itself, so the usage event stays in the stream.
    After each `feed`, `failure` may be set: what `feed` returned still goes out, then the failure, then nothing.
    """

    _mends_first: ClassVar[bool] = False
    """The first events must be read, because something may be missing in them."""

    __slots__ = (
        "_attentive",
        "_choices",
        "_keep_usage",
        "_splitter",
        "_unfinished",
        "failure",
        "finish_reason",
        "finished",
        "spoke",
        "usage",
    )

    def __init__(self, *, keep_usage: bool, choices: int = 1) -> None:
        self._splitter = sse.FrameSplitter()
        self._keep_usage = keep_usage
        self._choices = choices
        self._attentive = True
        self._unfinished: set[int] = set()
        self.usage = Usage()
        self.finish_reason: str | None = None
        self.finished = False
        self.spoke = False
        self.failure: GatewayError | None = None

    def feed(self, data: bytes) -> bytes:
        """What of `data` may go to the client now: whole events only."""
        splitter = self._splitter
        # The common read is one whole event: known here, without a call.
        whole = data if data.endswith(b"\n\n") and not splitter.tail else splitter.feed(data)
        if not whole:
            return whole
        if self._attentive:
            if not self.is_plain(whole, has_text=shape_of(whole) is not None):
                return self._read(whole)
            self.usage.seen(1)
            return whole
        events = whole.count(b"\n\n")
        if events and whole.count(_PLAIN) == events and _USAGE not in whole:
            self.usage.completion_tokens += events
            return whole
        return self._read_last(whole)

    def is_plain(self, event: bytes, *, has_text: bool) -> bool:
        """Whether these bytes are one event with nothing but text, before which nothing was missing: it may pass unread.

        Who passes it on counts it.
        """
        return (
            not self._splitter.tail
            and event.find(b"\n\n") == len(event) - 2
            and event.count(_PLAIN) == 1
            and _USAGE not in event
            and (not self._attentive or (has_text and self._is_first_text(event)))
        )

    def end(self) -> bytes:
        """The engine's body has ended. Returns what the client is still owed; sets `failure` if that was too early."""
        if self.finished or self.failure:
            return b""
        if self._splitter.tail.strip() or self.finish_reason is None or self._unfinished:
            self.failure = UpstreamBroke(
                "The engine ended its answer before it was complete. Ask again.",
                "エンジンが回答の途中で終了しました。もう一度お試しください。",
            )
            return b""
        self.finished = True
        return sse.DONE

    def _is_first_text(self, event: bytes) -> bool:
        """Whether this event, plain otherwise, is the first text and has nothing else in it; from then on only text is expected."""
        if self._mends_first or self._choices > 1 or _ERROR in event:
            return False
        self._attentive = False
        self._unfinished.add(0)
        self.spoke = True
        return True

    def _read(self, whole: bytes) -> bytes:
        """Reads event by event, until the first text has come and only text is expected."""
        kept: list[bytes] = []
        position = 0
        for frame in sse.frames(whole):
            if self.failure or self.finished:
                break
            position += len(frame)
            passed = self._frame(frame)
            if passed:
                kept.append(passed)
            if self.spoke and self._choices == 1 and self._attentive:
                self._attentive = False
                kept.append(self._read_last(whole[position:]))
                break
        return b"".join(kept)

    def _read_last(self, whole: bytes) -> bytes:
        """Passes what is plain up to the last plain event, reads what follows: finish, usage, the end."""
        last = whole.rfind(_PLAIN)
        if last < 0:
            return self._read_each(whole)
        split = whole.find(b"\n\n", last) + 2
        plain = whole[:split]
        events = plain.count(b"\n\n")  # none when lines end with CRLF: then every event is read
        if not events or plain.count(_PLAIN) != events or _USAGE in plain:
            plain, events, split = b"", 0, 0
        self.usage.seen(events)
        return plain + self._read_each(whole[split:])

    def _read_each(self, whole: bytes) -> bytes:
        kept: list[bytes] = []
        for frame in sse.frames(whole):
            if self.failure or self.finished:
                break
            passed = self._frame(frame)
            if passed:
                kept.append(passed)
        return b"".join(kept)

    def _frame(self, frame: bytes) -> bytes:
        data = b"[DONE]" if frame == sse.DONE else sse.data_of(frame)
        if data is None:
            return frame
        if len(data) < _LONGEST_DONE_BYTES and data.strip() == b"[DONE]":
            self.finished = True
            return frame
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            event = None
        if not isinstance(event, dict):
            self.failure = _unreadable()
            return b""
        if event.get("error"):
            self.failure = engine_error(500, event)
            return b""
        return self._event(event, frame)

    def _event(self, event: dict[str, Any], frame: bytes) -> bytes:
        if event.get("usage"):
            self.usage.take(event["usage"])
        choices = event.get("choices")
        if not choices:
            return frame if self._keep_usage or not event.get("usage") else b""
        for choice in choices if isinstance(choices, list) else (None,):
            if not isinstance(choice, dict):
                self.failure = _unreadable()
                return b""
            reason = choice.get("finish_reason")
            if reason == "abort":
                self.failure = UpstreamBroke(
                    "The engine stopped in the middle of its answer (it is shutting down). Ask again.",
                    "エンジンが停止したため、回答が途中で終わりました。もう一度お試しください。",
                )
                return b""
            if reason:
                self.finish_reason = reason
                self._unfinished.discard(choice.get("index", 0))
            else:
                self._unfinished.add(choice.get("index", 0))
            if _says_something(choice):
                self.spoke = True
                self.usage.seen(1)
        return self._chunk(event, frame)

    def _chunk(self, event: dict[str, Any], frame: bytes) -> bytes:
        """A hook for engines whose chunks need mending; returns the event's bytes."""
        return frame


def _says_something(choice: dict[str, Any]) -> bool:
    if choice.get("text"):
        return True
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return False
    return bool(
        delta.get("content") or delta.get("reasoning") or delta.get("reasoning_content") or delta.get("tool_calls")
    )


def _unreadable() -> UpstreamBroke:
    return UpstreamBroke("The engine sent an event that can't be read.", "エンジンが読み取れないイベントを送りました。")
