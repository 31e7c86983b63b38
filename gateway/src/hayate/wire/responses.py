"""OpenAI's response stream, /v1/responses: its last event holds the whole response, which is also what a client that
asked for no stream gets.
"""

from __future__ import annotations

from typing import Any

from hayate.wire import sse
from hayate.wire.engine_errors import engine_error
from hayate.wire.engine_json import Unreadable, read, write
from hayate.wire.passthrough_stream import PassthroughStream
from hayate.wire.paths import RESPONSES

_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_PROGRESS = b'"prompt_progress"'


class ResponseAssembler:
    """Parsed events in, the response out. One per call; `add` raises the engine's error when the stream tells one."""

    __slots__ = ("_response",)

    def __init__(self) -> None:
        self._response: dict[str, Any] = {}

    def add(self, event: dict[str, Any]) -> None:
        """Takes one event. Raises GatewayError for the engine's own error; a response that failed is an answer, and says so."""
        kind = event.get("type")
        if kind in _ENDS:
            self._response = self._response or event["response"]
        elif kind == "error" or event.get("error"):
            raise engine_error(500, event)

    def answer(self) -> dict[str, Any]:
        """The whole response. Raises ValueError when there was none.

        Where the engine says `completed_at` in whole answers only, it is the moment of its last event, as is
        `created_at`.
        """
        response = self._response
        if not response:
            raise ValueError("a stream without a response")
        if response.get("status") == "completed" and "created_at" in response:
            response.setdefault("completed_at", response["created_at"])
        return response


class QuietResponses(PassthroughStream):
    """A response stream that reports its progress through the prompt because we asked for it, not the client: that is taken out."""

    __slots__ = ("_in_progress",)

    def __init__(self) -> None:
        super().__init__(RESPONSES)
        self._in_progress = False

    def feed(self, data: bytes) -> bytes:
        """The engine's events, as they would have been."""
        return self._quiet(super().feed(data))

    def end(self) -> bytes:
        """The engine's body has ended."""
        return self._quiet(super().end())

    def _quiet(self, whole: bytes) -> bytes:
        if _PROGRESS not in whole:  # inside a string its quotes are escaped
            return whole
        return b"".join(map(self._without, sse.frames(whole)))

    def _without(self, frame: bytes) -> bytes:
        """The first of the events that tell progress also tells that work has begun, and stays; the others are only ours."""
        if _PROGRESS not in frame:
            return frame
        try:
            event = read(sse.data_of(frame) or b"null")
        except Unreadable:
            return frame
        progress = event.pop("prompt_progress", None) if isinstance(event, dict) else None
        if progress is None:
            return frame
        if isinstance(progress, dict):
            self.usage.expect(progress.get("total"), progress.get("cache"))
        if event.get("type") == "response.in_progress":
            if self._in_progress:
                return b""
            self._in_progress = True
        return sse.render(write(event), event=sse.event_of(frame).decode())
