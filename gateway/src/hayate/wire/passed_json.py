"""A whole answer that passes through, however large: its bytes are not collected, and of all its JSON only the usage is
looked for, which engines write near the start or the end.
"""

from __future__ import annotations

from hayate.wire.glance import usage_in
from hayate.wire.passthrough_stream import RawStream

_LOOKED_AT_BYTES = 8192


class PassedJson(RawStream):
    """Bytes in, the same bytes out. One per call."""

    __slots__ = ("_head", "_tail")

    def __init__(self) -> None:
        super().__init__()
        self._head = b""
        self._tail = b""

    def feed(self, data: bytes) -> bytes:
        """`data` as it came; what counts as output is that something came."""
        self.has_output = True
        if len(self._head) < _LOOKED_AT_BYTES:
            self._head += data[: _LOOKED_AT_BYTES - len(self._head)]
        self._tail = (
            data[-_LOOKED_AT_BYTES:] if len(data) >= _LOOKED_AT_BYTES else (self._tail + data)[-_LOOKED_AT_BYTES:]
        )
        return data

    def end(self) -> bytes:
        """The engine's own framing says whether the body was whole."""
        self.usage.take(usage_in(self._tail) or usage_in(self._head))
        return b""
