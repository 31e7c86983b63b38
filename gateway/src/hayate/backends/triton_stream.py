"""Triton's generate_stream as OpenAI's events.

What comes is `data: {…"text_output"…}` and the end of the body: no role, no finish, no usage, no `[DONE]`. So they are
supplied: tokens are counted with the model's own tokenizer, and an answer that used its whole allowance ended for
`length`. The newer models say their finish reason themselves. Stop strings are cut off here, because the engine leaves
them in the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hayate.wire import sse
from hayate.wire.chunks import ChunkWriter, TranslatedStream
from hayate.wire.engine_errors import engine_error
from hayate.wire.engine_json import read
from hayate.wire.faults import given_up
from hayate.wire.stops import StopWatch

_BROKEN_OFF: Final = ("timeout", "cancelled")
_UNFINISHED_CHARACTER: Final = "\ufffd"


class TritonStream(TranslatedStream):
    """The answer to generate_stream. One per call; `count` counts tokens, `max_tokens` is what was asked for."""

    __slots__ = (
        "_count",
        "_cumulative",
        "_events",
        "_latest",
        "_max_tokens",
        "_prompt",
        "_said",
        "_said_chars",
        "_splitter",
        "_stops",
    )

    def __init__(
        self,
        writer: ChunkWriter,
        *,
        cumulative: bool,
        stops: list[str],
        prompt: str,
        max_tokens: int,
        count: Callable[[str], int],
    ) -> None:
        super().__init__(writer)
        self._splitter = sse.FrameSplitter()
        self._cumulative = cumulative
        self._stops = StopWatch(stops)
        self._prompt = prompt
        self._max_tokens = max_tokens
        self._count = count
        self._events = 0
        self._said: list[str] = []  # all text passed on to the stop watch, in pieces
        self._said_chars = 0
        self._latest = ""  # the whole text of the latest event, where events repeat it

    def feed(self, data: bytes) -> bytes:
        """What of `data` may go to the client now: whole events only. May raise UpstreamBroke."""
        return self._each(sse.frames(self._splitter.feed(data)), _parsed)

    def end(self) -> bytes:
        """The body has ended, and so has the answer, if there was one."""
        if self.finished or self.failure:
            return b""
        out = self._each(self._splitter.rest(), _parsed)
        if self.finished or self.failure:
            return out
        return out + (self._complete(None) if self._events else self._too_early())

    def _event(self, event: dict[str, Any]) -> bytes:
        self._events += 1
        reason = _first(event.get("finish_reason"))
        if reason in _BROKEN_OFF:
            self.failure = given_up(reason)
            return b""
        out = self._show(self._news(_first(event.get("text_output"))))
        if self._stops.hit:
            return out + self._complete("stop")
        return out + self._complete(reason) if reason in ("stop", "length") else out

    def _news(self, text: str) -> str:
        """What an event adds to the text."""
        if not self._cumulative:
            return text
        self._latest = text
        # A character whose bytes are not all there yet shows as U+FFFD; the next event has it whole.
        whole = text.rstrip(_UNFINISHED_CHARACTER)
        return whole[self._said_chars :]

    def _show(self, news: str) -> bytes:
        if news:
            self._said.append(news)
            self._said_chars += len(news)
        shown = self._stops.feed(news)
        return self._say(shown) if shown else b""

    def _complete(self, reason: str | None) -> bytes:
        out = b""
        if not self._stops.hit:
            out = self._show(self._latest[self._said_chars :])
            if rest := self._stops.rest():
                out += self._say(rest)
        completion = self._count("".join(self._said))
        self.usage.take({"prompt_tokens": self._count(self._prompt), "completion_tokens": completion})
        if reason is None:
            reason = "stop" if self._stops.hit or max(completion, self._events) < self._max_tokens else "length"
        return out + self._finish(reason)


def _parsed(frame: bytes) -> Any:
    """What an event says; None when it says nothing. Raises the engine's error where its name tells one."""
    data = sse.data_of(frame)
    if data is None:
        data = frame.strip()
        if not data.startswith(b"{"):  # a comment; but an error may come without its `data:`
            return None
    if not data.strip():
        return None
    event = read(data)
    if sse.event_of(frame) == b"error":
        raise engine_error(500, event)
    return event


def _first(value: Any) -> str:
    """An output's text: one string, or a list with one string per sequence."""
    if isinstance(value, list):
        value = value[0] if value else ""
    return value if isinstance(value, str) else ""
