"""A terminal of our own, so many columns wide: what programs write there is read as a person would see it.

with terminal() as screen:
    async with running_gateway(..., streams={"stdout": screen.fd, "stderr": screen.fd}) as gateway:
        ...
        screen.lines()      # without the colours
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Terminal:
    """`fd` is the end that programs have."""

    fd: int
    _ours: int
    _read: bytes = b""

    def raw(self) -> str:
        """All that was written so far, colours and all."""
        with contextlib.suppress(BlockingIOError, OSError):
            while piece := os.read(self._ours, 65536):
                self._read += piece
        return self._read.decode(errors="replace").replace("\r\n", "\n")

    def type(self, keys: str) -> None:
        """As if somebody pressed these."""
        os.write(self._ours, keys.encode())

    def text(self) -> str:
        """Without the colours."""
        return COLOUR.sub("", self.raw())

    def lines(self) -> list[str]:
        """Whole lines of it."""
        return self.text().split("\n")[:-1]


@contextmanager
def terminal(columns: int = 80, rows: int = 40) -> Iterator[Terminal]:
    """One that nobody else has, for the length of the block."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    try:
        yield Terminal(theirs, ours)
    finally:
        os.close(theirs)
        os.close(ours)
