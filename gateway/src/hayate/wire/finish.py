"""The last chunk of an answer, held back for what comes after it.

Asked for usage, vLLM moves `system_fingerprint`, and llama.cpp `timings`, from the chunk with the finish reason to the
event with the usage. Where only we asked, that event is taken out, and what it held besides goes back to where the
engine had put it.
"""

from __future__ import annotations

from typing import Any

from hayate.wire import sse
from hayate.wire.engine_json import write


class Finish:
    """One per stream."""

    __slots__ = ("_event", "frame")

    def __init__(self) -> None:
        self._event: dict[str, Any] = {}
        self.frame = b""
        """The chunk, while there is one."""

    def hold(self, event: dict[str, Any], frame: bytes) -> None:
        """Keeps the chunk, parsed and as bytes, until it is known what follows it."""
        self._event, self.frame = event, frame

    def release(self) -> bytes:
        """The chunk, b"" when there is none."""
        frame, self.frame = self.frame, b""
        return frame

    def with_rest_of(self, event: dict[str, Any]) -> bytes:
        """The chunk, with what the event after it says besides usage; b"" when there is none."""
        if not self.frame:
            return b""
        told = self._event
        rest = {key: value for key, value in event.items() if value is not None and told.get(key) is None}
        rest.pop("usage", None)
        if not rest:
            return self.release()
        self.frame = b""
        return sse.render(write({**told, **rest}))
