"""Newline-delimited JSON as bytes: one object a line, which is how Ollama streams.

The rule is that of `sse`: a line is passed on whole or not yet, and the body's end is the last line's. A line that does
not end is not an answer. No byte is copied or looked at more than a fixed number of times, however small the pieces.
"""

from __future__ import annotations

from hayate.upstream_errors import UpstreamBroke

MAX_LINE_BYTES = 8 * 1024 * 1024


class LineSplitter:
    """Bytes as they arrive in, whole lines out. One per stream."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = bytearray()

    @property
    def tail(self) -> bytes:
        """What has arrived of a line that has not ended."""
        return bytes(self._tail)

    def rest(self) -> list[bytes]:
        """The body has ended, and with it the line that waits."""
        last, self._tail = bytes(self._tail), bytearray()
        return [last] if last.strip() else []

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends and without empty ones. Raises UpstreamBroke."""
        head, end, rest = data.partition(b"\n")
        if len(self._tail) + len(head) > MAX_LINE_BYTES:
            raise _endless()
        self._tail += head
        if not end:
            return []
        first = bytes(self._tail)
        *whole, tail = rest.split(b"\n")
        if len(tail) > MAX_LINE_BYTES:
            raise _endless()
        self._tail = bytearray(tail)
        return [line for line in (first, *whole) if line and not line.isspace()]


def _endless() -> UpstreamBroke:
    return UpstreamBroke("The engine sent a line without an end.", "エンジンが終わりのない行を送りました。")
