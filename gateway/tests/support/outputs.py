"""The other end of a standard stream: pipes that are full, gone, or read after all."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


def set_nonblocking(fd: int, value: bool = True) -> None:
    """For everybody who shares it, as a program that was started with it may do at any time."""
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK if value else flags & ~os.O_NONBLOCK)


def fill(writer: int) -> bytes:
    """Fills a pipe that nobody reads. What is in it now."""
    before = bool(fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK)
    set_nonblocking(writer)
    written = 0
    try:
        for size in (65536, 1):
            try:
                while True:
                    written += os.write(writer, b"\n" * size)
            except BlockingIOError:
                continue
    finally:
        set_nonblocking(writer, before)
    return b"\n" * written


def read_all(reader: int, end: bytes) -> bytes:
    """Everything up to `end`, which must come."""
    read = b""
    while not read.endswith(end):
        piece = os.read(reader, 65536)
        assert piece, f"the pipe ended with {read[-200:]!r}"
        read += piece
    return read


STATES = ("gone", "asleep", "nonblocking", "full", "closed")
"""What may have become of the other end of a standard stream: its reader has gone; it sleeps, the pipe full; the same, and the
pipe non-blocking; a full disk; closed from the start."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A standard stream that nobody reads: what a program gets for it, and the command to start the program through."""

    fd: int
    reader: int
    through: tuple[str, ...] = ()
    filler: bytes = b""


@contextmanager
def unread(stream: str, state: str) -> Iterator[Unread]:
    """One of the STATES for `stdout` or `stderr`."""
    reader, writer = os.pipe()
    opened = [reader, writer]
    try:
        if state == "full":
            opened.append(os.open("/dev/full", os.O_WRONLY))
            yield Unread(opened[-1], reader)
        elif state == "closed":
            number = {"stdout": 1, "stderr": 2}[stream]
            yield Unread(writer, reader, ("sh", "-c", f'exec "$@" {number}>&-', "sh"))
        elif state == "gone":
            opened.remove(reader)
            os.close(reader)
            yield Unread(writer, -1)
        else:
            set_nonblocking(writer, state == "nonblocking")
            yield Unread(writer, reader, filler=fill(writer))
    finally:
        for each in opened:
            os.close(each)
