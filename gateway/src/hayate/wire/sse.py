"""Server-sent events as bytes.

Operations: split a byte stream into whole events, take the data out of one, write one.
Goals: no event and no character is ever cut; a read that ends at an event's end is passed on as it is, uncopied.
Plan: an event ends with an empty line. Only the last end in what has arrived matters: all before it is whole, the rest waits.
Line ends are LF or CRLF; a lone CR, which no engine sends, is not an end.
"""

from __future__ import annotations

import re

from hayate.errors import UpstreamBroke

PING = b": ping\n"
"""One line: an empty line after it ends an event that has no data, which widely used clients take for an answer's event."""
DONE = b"data: [DONE]\n\n"
MAX_FRAME_BYTES = 8 * 1024 * 1024
"""An event that has not ended by then is not an answer: the engine is cut off."""

_END = re.compile(rb"\n\r?\n")


class FrameSplitter:
    """Bytes as they arrive in, whole events out. One per stream."""

    __slots__ = ("tail",)

    def __init__(self) -> None:
        self.tail = b""
        """What has arrived of an event that has not ended."""

    def feed(self, data: bytes) -> bytes:
        """The whole events that `data` completes, joined; b"" when there is none yet. Raises UpstreamBroke."""
        if self.tail:
            data = self.tail + data
        if data.endswith((b"\n\n", b"\n\r\n")):
            self.tail = b""
            return data
        lf, crlf = data.rfind(b"\n\n"), data.rfind(b"\n\r\n")
        end = max(lf + 2 if lf >= 0 else 0, crlf + 3 if crlf >= 0 else 0)
        self.tail = data[end:]
        if len(self.tail) > MAX_FRAME_BYTES:
            raise UpstreamBroke(
                "The engine sent an event without an end.", "エンジンが終わりのないイベントを送りました。"
            )
        return data[:end]


def frames(whole: bytes) -> list[bytes]:
    """The events in `whole`, each with its ending empty line."""
    if b"\r" not in whole and b"\n\n\n" not in whole and whole.endswith(b"\n\n"):  # as engines write them
        return [event + b"\n\n" for event in whole[:-2].split(b"\n\n")]
    found: list[bytes] = []
    start = 0
    for match in _END.finditer(whole):
        if match.end() > start:
            found.append(whole[start : match.end()])
        start = match.end()
    if start < len(whole):
        found.append(whole[start:])
    return found


def data_of(frame: bytes) -> bytes | None:
    """The event's data, or None when it has none (a comment, a bare `event:` or `id:`)."""
    if frame.startswith(b"data: ") and frame.find(b"\n") == len(frame) - 2 and b"\r" not in frame:  # the common case
        return frame[6:-2]
    found: list[bytes] | None = None
    for line in frame.splitlines():
        if line.startswith(b"data:"):
            value = line[6:] if line[5:6] == b" " else line[5:]
            if found is None:
                found = [value]
            else:
                found.append(value)
    return None if found is None else b"\n".join(found)


def event_of(frame: bytes) -> bytes:
    """The event's name, b"message" when it names none."""
    for line in frame.splitlines():
        if line.startswith(b"event:"):
            return line[6:].strip()
    return b"message"


def render(data: bytes, *, event: str | None = None, event_id: str | None = None) -> bytes:
    """One event. `data` is one line (JSON never holds a raw line break)."""
    head = f"id: {event_id}\n" if event_id else ""
    if event:
        head += f"event: {event}\n"
    return head.encode() + b"data: " + data + b"\n\n"
