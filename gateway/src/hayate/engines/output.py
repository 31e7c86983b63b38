"""What an engine writes: into a file that is kept small, and its last lines in memory, from which its ending is understood.

Rule: an engine never stops or waits for its log's sake. What the disk does not take is left out, and the log says so once it
takes something again. The keeper runs this (`engines.keeper`): the standard library only, and little of that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress

MODE = 0o600
TAIL_BYTES = 48 * 1024
"""Enough for two tracebacks of vLLM's, of which the first names the cause."""
STANDARD_ERROR = 2
WHOLE_LINE_BYTES = 64 * 1024
LOOK_S = 1.0
"""Between two looks whether the file is still there, and two tries to open one that could not be."""


class Tail:
    """The last bytes of everything that was written, whole lines as far as there are any."""

    def __init__(self, max_bytes: int = TAIL_BYTES) -> None:
        self._max = max_bytes
        self._kept = bytearray()
        self._is_cut = False

    def feed(self, data: bytes) -> None:
        """Takes what was read, in any pieces."""
        self._is_cut = self._is_cut or len(self._kept) + len(data) > self._max
        self._kept += data[-self._max :]
        if len(self._kept) > 2 * self._max:  # seldom, so that a byte is moved once or twice and no more
            del self._kept[: -self._max]

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been said yet."""
        return not self._kept

    @property
    def is_whole(self) -> bool:
        """Whether the last line has its end."""
        return not self._kept or self._kept.endswith(b"\n")

    def text(self) -> str:
        """What is kept; a line whose beginning is lost is left out unless it is the only one."""
        kept = bytes(self._kept[-self._max :])
        if self._is_cut:
            kept = kept.partition(b"\n")[2] or kept
        return kept.decode("utf-8", errors="replace")


class RotatingLog:
    """A file of at most about `max_bytes`, with `older` full ones beside it (`name.log.1` is the youngest). For our eyes only."""

    def __init__(self, path: str, max_bytes: int, older: int, now: Callable[[], float] = time.monotonic) -> None:
        self._path, self._max, self._older, self._now = path, max_bytes, older, now
        self._fd = -1
        self._size = 0
        self._inode = 0
        self._looked_at = float("-inf")
        self._lost_bytes = 0

    def write(self, data: bytes) -> None:
        """Appends it, or leaves out what the disk does not take. Never raises."""
        self._look()
        if self._size + len(data) > self._max:
            head, end, rest = data.partition(b"\n")
            if end or self._size > 2 * self._max:  # a line is not torn apart unless it has no end
                self._append(head + end)
                self._rotate()
                data = rest
        while data:  # more at once than a file takes: as many files as it needs, so that none grows
            piece, data = data[: self._max], data[self._max :]
            self._append(piece)
            if data:
                self._rotate()

    def close(self) -> None:
        """Closes the file; a later `write` opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _append(self, data: bytes) -> None:
        if self._fd >= 0 and self._lost_bytes and data:
            note = f"\n[{self._lost_bytes} bytes are missing here: they could not be written]\n".encode()
            if self._put(note) == len(note):
                self._lost_bytes = 0
        self._lost_bytes += len(data) - self._put(data)

    def _put(self, data: bytes) -> int:
        written = 0
        try:
            while self._fd >= 0 and written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            pass  # full, or over a quota: the caller counts what is missing
        self._size += written
        return written

    def _look(self) -> None:
        """Opens the file, again if somebody took it away; at most once in `LOOK_S`."""
        now = self._now()
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        try:
            if self._fd >= 0 and os.stat(self._path).st_ino == self._inode:
                return
        except OSError:
            pass  # it is gone: a new one is made
        self.close()
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
        try:
            self._fd = os.open(self._path, flags, MODE)
            there = os.fstat(self._fd)
            self._size, self._inode = there.st_size, there.st_ino
        except OSError:
            self._fd, self._size = -1, 0

    def _rotate(self) -> None:
        if self._fd < 0:
            return
        self.close()
        names = [self._path, *(f"{self._path}.{number}" for number in range(1, self._older + 1))]
        try:
            for old, new in zip(names[-2::-1], names[:0:-1], strict=True):
                if os.path.exists(old):
                    os.replace(old, new)
            if not self._older:
                os.truncate(self._path, 0)
        except OSError:
            pass  # it grows on: better than to lose what is written now
        self._open()


class Shown:
    """In place of a log: whole lines to our standard error, so that no other line ends up inside them."""

    def __init__(self) -> None:
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Passes on the lines that are whole."""
        lines, end, self._rest = (self._rest + data).rpartition(b"\n")
        if len(self._rest) > WHOLE_LINE_BYTES:
            lines, self._rest = lines + end + self._rest, b""
        write_all(STANDARD_ERROR, lines + end)

    def close(self) -> None:
        """Passes on what never became a whole line."""
        write_all(STANDARD_ERROR, self._rest + b"\n" if self._rest else b"")


def write_all(fd: int, data: bytes) -> None:
    """Everything, to a descriptor that waits for its reader; nothing where nobody reads any more."""
    with suppress(OSError):
        while data:
            data = data[os.write(fd, data) :]
