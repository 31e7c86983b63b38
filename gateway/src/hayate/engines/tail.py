"""The end of a log that is still being written, and what comes after it: read a piece at a time, so that no file, however
long, and no reader, however slow, takes more memory than that.

Rule: a log that is rotated meanwhile loses nothing: the old file is read to its end before the new one is begun.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

PIECE_BYTES: Final = 64 * 1024
MAX_BACK_BYTES: Final = 4 * 1024 * 1024
"""How far back in a file its last lines are looked for."""
MAX_LINE_BYTES: Final = 16 * 1024
"""A longer line is told as several."""
MAX_NAME_BYTES, SHOWN_CHARS = 200, 40
"""Of a deployment's name: a longer one is cut in its log's name, and told apart by a digest."""
OLDER: Final = ".1"
"""What is behind the name of the file that was written before."""
_ENDS: Final = re.compile(rb"\r*\n\r*|\r+")
"""A carriage return ends a line too: that is how a progress bar is drawn."""


def log_file(data: Path, name: str) -> Path:
    """Where the log of a deployment's engine is, in the gateway's data folder. No name leads to another folder, and no two to the
    same file.
    """
    safe = "".join(each if each.isalnum() or each in "-_. " else quote(each, "", errors="replace") for each in name)
    if len(safe.encode()) > MAX_NAME_BYTES:
        safe = f"{safe[:SHOWN_CHARS]}-{sha256(safe.encode()).hexdigest()[:16]}"
    return data / "logs" / f"{safe}.log"


class Tail:
    """One reader's place in one log. Its methods may wait for the disk, and may be called in any thread."""

    def __init__(self, path: Path, lines: int) -> None:
        """Begins `lines` lines before the end, of the file before too where this one has fewer. Raises OSError, unless
        there is no file yet.
        """
        self._lock = threading.Lock()
        self._closed = False
        self._path = path
        self._files: deque[int] = deque()
        """Descriptors, each at its place; the last is that of `path`, the first is read now."""
        for name in (path, path.with_name(path.name + OLDER)):
            with suppress(FileNotFoundError):
                self._files.appendleft(descriptor := os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
                lines, is_whole = _go_back(descriptor, lines)
                if not is_whole:
                    break

    def read(self) -> bytes:
        """What comes next, at most PIECE_BYTES of it; b"" when nothing more is there yet. Raises OSError."""
        try:
            with self._lock:
                return b"" if self._closed else self._next()
        finally:
            if self._closed:  # by now: whoever did so may have found the lock taken
                self.close()

    def _next(self) -> bytes:
        while True:
            if self._files and (data := os.read(self._files[0], PIECE_BYTES)):
                return data
            if len(self._files) > 1:
                os.close(self._files.popleft())
            elif not self._is_another():
                return b""

    def _is_another(self) -> bool:
        """Whether another file is there by now, or this one was made shorter: then it is read from its beginning."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        if self._files:
            mine, there = os.fstat(self._files[0]), os.fstat(descriptor)
            is_same = (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)
            if is_same and os.lseek(self._files[0], 0, os.SEEK_CUR) <= there.st_size:
                os.close(descriptor)
                return False
            if not is_same and os.lseek(self._files[0], 0, os.SEEK_CUR) < mine.st_size:  # written to since it was read
                os.close(descriptor)
                return True
            os.close(self._files.popleft())
        self._files.append(descriptor)
        return True

    def close(self) -> None:
        """Lets go of the files; at once, or when the piece that is being read just now has been."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._lock.release()

    def __del__(self) -> None:
        self.close()  # one that was opened for somebody who had just left

    def _let_go(self) -> None:
        while self._files:
            os.close(self._files.popleft())


def _go_back(descriptor: int, lines: int) -> tuple[int, bool]:
    """Goes to where the last `lines` lines of a file begin; how many are still wanting, and whether all of it is before us."""
    end = at = os.fstat(descriptor).st_size
    while at > 0 and lines > 0:
        begin = max(0, at - PIECE_BYTES, end - MAX_BACK_BYTES)
        piece = os.pread(descriptor, at - begin, begin)
        newline = len(piece)
        while (newline := piece.rfind(b"\n", 0, newline)) >= 0:
            if begin + newline + 1 == end:  # the end of the last line is not the beginning of another
                continue
            lines -= 1
            if lines == 0:
                os.lseek(descriptor, begin + newline + 1, os.SEEK_SET)
                return 0, False
        at = begin
        if at == end - MAX_BACK_BYTES:
            break
    os.lseek(descriptor, at, os.SEEK_SET)
    return lines - (at < end), at == 0 and lines > 0


class Lines:
    """Bytes as they come in, whole lines out, without their ends. One per reader."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes."""
        data = self._rest + data if self._rest else data.lstrip(b"\r")
        is_open = data.endswith(b"\r")  # a line feed may follow it
        *whole, rest = _ENDS.split(data[:-1] if is_open else data)
        while len(rest) > MAX_LINE_BYTES:
            whole.append(rest[:MAX_LINE_BYTES])
            rest = rest[MAX_LINE_BYTES:]
        self._rest = rest + b"\r" if is_open else rest
        return [text for line in whole for text in _cut(line)]

    def end(self) -> list[str]:
        """The last line, where it has no end."""
        rest, self._rest = self._rest.rstrip(b"\r"), b""
        return list(_cut(rest)) if rest else []


def _cut(line: bytes) -> list[str]:
    pieces = [line[at : at + MAX_LINE_BYTES] for at in range(0, len(line), MAX_LINE_BYTES)] or [b""]
    return [each.decode("utf-8", "replace") for each in pieces]
