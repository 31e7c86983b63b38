"""Newline-delimited JSON as bytes: one object a line, which is how Ollama streams.

The rule is that of `sse`: a line is passed on whole or not yet. A line that does not end is not an answer.
"""

from __future__ import annotations

from hayate.errors import UpstreamBroke

MAX_LINE_BYTES = 8 * 1024 * 1024


class LineSplitter:
    """Bytes as they arrive in, whole lines out. One per stream."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    @property
    def tail(self) -> bytes:
        """What has arrived of a line that has not ended."""
        return self._tail

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends and without empty ones. Raises UpstreamBroke."""
        *whole, tail = (self._tail + data if self._tail else data).split(b"\n")
        if len(tail) > MAX_LINE_BYTES:
            raise UpstreamBroke("The engine sent a line without an end.", "エンジンが終わりのない行を送りました。")
        self._tail = tail
        return [line for line in whole if line.strip()]
