"""Server-sent events as bytes.

Operations: split a byte stream into whole events, take the data out of one, write one.
Goals: no event and no character is ever cut; a read that ends at an event's end is passed on as it is, uncopied; no
byte is copied or looked at more than a fixed number of times, however small the pieces in which it came.
Plan: an event ends with an empty line. Only the last end in what has arrived matters: all before it is whole, the rest
waits. The end of the body ends an event too, whatever line end that lacks.
Line ends are LF or CRLF. A stream with no other than CR, which no engine sends, is read when it has ended.
"""

from __future__ import annotations

import re

from hayate.upstream_errors import UpstreamBroke

PING = b": ping\n"
"""One line: an empty line after it ends an event that has no data, which widely used clients take for an answer's event."""
DONE = b"data: [DONE]\n\n"


def queue_comment(place: int, wait_s: float | None) -> bytes:
    """Where a call stands in its queue, and about how long it has to wait there; one line, as PING is."""
    return b": queue place=%d" % place + (b"\n" if wait_s is None else b" wait_s=%.1f\n" % wait_s)


def loading_comment(model: str, for_s: float | None, last_s: float | None) -> bytes:
    """Which model a call waits for: loaded for so long by now, or waiting for its turn, and how long it took the last time."""
    said = f": loading model={model}" if for_s is not None else f": waiting model={model}"
    said += "" if for_s is None else f" for_s={for_s:.1f}"
    return (said + ("\n" if last_s is None else f" last_load_s={last_s:.1f}\n")).encode()


MAX_FRAME_BYTES = 8 * 1024 * 1024
"""An event that is longer is not an answer: the engine is cut off."""
MAX_DATA_LINES = 10_000
"""So many lines may an event's data have; engines write one."""

_END = re.compile(rb"\n\r?\n")
_LONGEST_END_BYTES = 3
_BOM = b"\xef\xbb\xbf"
_WHOLE_LINE = re.compile(rb"data: ?(?:\{[^\n]*\}|\[DONE\])[ \t\r]*")


class FrameSplitter:
    """Bytes as they arrive in, whole events out. One per stream."""

    __slots__ = ("tail",)

    def __init__(self) -> None:
        self.tail = bytearray()
        """What has arrived of an event that has not ended."""

    def feed(self, data: bytes) -> bytes:
        """The whole events that `data` completes, joined; b"" when there is none yet. Raises UpstreamBroke."""
        tail = self.tail
        if not tail:
            if data.endswith((b"\n\n", b"\n\r\n")):
                return data
            end = _last_end(data)
        else:
            seam = bytes(tail[1 - _LONGEST_END_BYTES :])
            end = _last_end(seam + data) - len(seam)
        if end <= 0:
            tail += data
            if len(tail) > MAX_FRAME_BYTES:
                raise _too_long()
            return b""
        whole = data[:end]
        if tail:
            whole = bytes(tail) + whole
            first = _END.search(whole, max(0, len(tail) - _LONGEST_END_BYTES + 1))
            if first is not None and first.end() > MAX_FRAME_BYTES:
                raise _too_long()
        if len(data) - end > MAX_FRAME_BYTES:
            raise _too_long()
        self.tail = bytearray(data[end:])
        return whole

    def rest(self) -> list[bytes]:
        """The body has ended, and with it the event that waits: that one, with the line ends it lacks. Empty lines are
        none.

        More than one comes out where the engine ends events with a single line end, or ends lines with CR.
        """
        rest, self.tail = bytes(self.tail), bytearray()
        if b"\n" not in rest:
            rest = rest.replace(b"\r", b"\n")
        return [each for frame in frames(ended(rest)) if frame.strip() for each in _apart(frame)]


def _last_end(data: bytes) -> int:
    """Where the last end of an event in `data` is over, 0 without one."""
    lf, crlf = data.rfind(b"\n\n"), data.rfind(b"\n\r\n")
    return max(lf + 2 if lf >= 0 else 0, crlf + 3 if crlf >= 0 else 0)


def ended(frame: bytes) -> bytes:
    """An event with the line ends that it lacks."""
    if frame.endswith((b"\n\n", b"\n\r\n")):
        return frame
    return frame.removesuffix(b"\r") + b"\n" if frame.endswith((b"\n", b"\n\r")) else frame + b"\n\n"


def _apart(frame: bytes) -> list[bytes]:
    """The events of an engine that ends each with one line end: every line holds a whole one."""
    lines = [line for line in frame.split(b"\n") if line]
    if len(lines) > 1 and all(map(_WHOLE_LINE.fullmatch, lines)):
        return [line + b"\n\n" for line in lines]
    return [frame]


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
    """The event's data, or None when it has none (a comment, a bare `event:` or `id:`). Raises UpstreamBroke."""
    if frame.startswith(b"data: ") and frame.find(b"\n") == len(frame) - 2:  # the common case
        return frame[6:-2]
    parts = (b"\n" + frame.removeprefix(_BOM)).split(b"\ndata:", MAX_DATA_LINES + 1)
    if len(parts) == 1:
        return None
    if len(parts) > MAX_DATA_LINES + 1:
        raise UpstreamBroke(
            "The engine sent an event of too many lines.", "エンジンが行数の多すぎるイベントを送りました。"
        )
    lines = [part.partition(b"\n")[0].removesuffix(b"\r").removeprefix(b" ") for part in parts[1:]]
    return lines[0] if len(lines) == 1 else b"\n".join(lines)


def event_of(frame: bytes) -> bytes:
    """The event's name, b"message" when it names none."""
    if frame.startswith(b"data:") and frame.find(b"\n") == len(frame) - 2:
        return b"message"
    _, named, rest = (b"\n" + frame.removeprefix(_BOM)).partition(b"\nevent:")
    return rest.partition(b"\n")[0].strip() if named else b"message"


def render(data: bytes, *, event: str | None = None, event_id: str | None = None) -> bytes:
    """One event. `data` is one line (JSON never holds a raw line break)."""
    head = f"id: {event_id}\n" if event_id else ""
    if event:
        head += f"event: {event}\n"
    return head.encode() + b"data: " + data + b"\n\n"


def _too_long() -> UpstreamBroke:
    return UpstreamBroke("The engine sent an event without an end.", "エンジンが終わりのないイベントを送りました。")
