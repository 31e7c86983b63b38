"""One large file over a network that may be cut at any byte, onto a disk that may be full.

Rule: what stands under the final name is whole and has the checksum that was told. What has come of it stands beside it
until then, and the next try, of this process or a later one, goes on from its last byte.

    complete(source, Wanted(size, sha256), part, target, told)
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

SHA256 = re.compile(r"[0-9a-f]{64}")
GIT_SHA1 = re.compile(r"[0-9a-f]{40}")
PAUSES_S = (1.0, 2.0, 4.0, 8.0)
"""Before each further try after one that has brought nothing."""
READ_BYTES = 4 * 1024 * 1024

Source = Callable[[int], AbstractContextManager[tuple[int, Iterator[bytes]]]]
"""Takes the byte to begin with; gives the one that it begins with (that one, or 0) and the bytes from there on. It
raises Passing, then or between the bytes, where another try is worth it.
"""
Told = Callable[[int], None]
"""Takes how many bytes of the file there are."""


class Passing(Exception):
    """The bytes did not come, and another try may bring them."""


class WrongChecksum(Exception):
    """All bytes came, and they are not those that were promised. They are thrown away."""


class InUse(Exception):
    """Another process is downloading the same file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file has to be. `checksum` is its SHA-256, or the SHA-1 that git gives it, in hexadecimal; else nothing is
    known of it but its size.
    """

    size_bytes: int
    checksum: str = ""

    def sum(self) -> _Sum:
        """Of no bytes yet."""
        return _Sum(self)


class _Sum:
    """The checksum of the bytes so far, of the kind that was told."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted.checksum
        self._hash = hashlib.sha256()
        if GIT_SHA1.fullmatch(wanted.checksum):
            self._hash = hashlib.sha1(b"blob %d\0" % wanted.size_bytes, usedforsecurity=False)

    def add(self, data: bytes | memoryview) -> None:
        """The next bytes."""
        self._hash.update(data)

    @property
    def right(self) -> bool:
        """Whether it is what was told; true where nothing was."""
        known = SHA256.fullmatch(self._wanted) or GIT_SHA1.fullmatch(self._wanted)
        return known is None or self._hash.hexdigest() == self._wanted


def is_whole(path: Path, wanted: Wanted, told: Told = lambda _: None) -> bool:
    """Whether the file is there and what it should be; all of it is read. Raises OSError."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != wanted.size_bytes:
                return False
            return _read(file.fileno(), wanted, told).right
    except FileNotFoundError:
        return False


def complete(
    source: Source,
    wanted: Wanted,
    part: Path,
    target: Path,
    told: Told,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """`target`, whole, its bytes from `source` and from what `part` has of them already. Raises what `source` raises,
    WrongChecksum, InUse, and OSError of the disk; what has come is kept then, but where the checksum is wrong.
    """
    with _own(part) as fd:
        if os.fstat(fd).st_size > wanted.size_bytes:
            os.ftruncate(fd, 0)
        so_far = _read(fd, wanted, lambda _: None)
        told(os.lseek(fd, 0, os.SEEK_CUR))
        try:
            so_far = _filled(source, wanted, fd, so_far, told, pause)
        except BaseException:
            if not os.fstat(fd).st_size:
                part.unlink()
            raise
        if not so_far.right:
            part.unlink()
            raise WrongChecksum(target.name)
        os.fsync(fd)
        part.replace(target)
    _settle(target.parent)


@contextlib.contextmanager
def _own(part: Path) -> Iterator[int]:
    """The file, for this process alone. A link in its place is not followed. Raises InUse."""
    while True:
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InUse(part.name) from None
            if _is(part, fd):  # not renamed meanwhile by who had it before
                yield fd
                return
        finally:
            os.close(fd)


def _is(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _read(fd: int, wanted: Wanted, told: Told) -> _Sum:
    """The checksum of what is there, which leaves the file at its end."""
    found, size = wanted.sum(), 0
    os.lseek(fd, 0, os.SEEK_SET)
    while data := os.read(fd, READ_BYTES):
        found.add(data)
        size += len(data)
        told(size)
    return found


def _filled(
    source: Source, wanted: Wanted, fd: int, so_far: _Sum, told: Told, pause: Callable[[float], object]
) -> _Sum:
    """Asks for the rest until it is there. A try that brings something may be followed by any number."""
    fruitless = 0
    most = os.lseek(fd, 0, os.SEEK_CUR)
    while (size := os.lseek(fd, 0, os.SEEK_CUR)) < wanted.size_bytes:
        lost: Passing | None = None
        try:
            with source(size) as (start, pieces):
                if start != size:  # it begins anew, whatever it was asked for
                    os.lseek(fd, 0, os.SEEK_SET)
                    os.ftruncate(fd, 0)
                    so_far = wanted.sum()
                _take(pieces, wanted, fd, so_far, told)
        except Passing as error:
            lost = error
        size = os.lseek(fd, 0, os.SEEK_CUR)
        fruitless = 0 if size > most else fruitless + 1
        most = max(most, size)
        if fruitless > len(PAUSES_S):
            raise lost or Passing(f"{size} bytes of {wanted.size_bytes}")
        if fruitless:
            pause(PAUSES_S[fruitless - 1])
    return so_far


def _take(pieces: Iterator[bytes], wanted: Wanted, fd: int, so_far: _Sum, told: Told) -> None:
    size = os.lseek(fd, 0, os.SEEK_CUR)
    for piece in pieces:
        rest = memoryview(piece)[: wanted.size_bytes - size]
        while rest:
            written = os.write(fd, rest)
            so_far.add(rest[:written])
            rest, size = rest[written:], size + written
        told(size)
        if size == wanted.size_bytes:
            return


def _settle(folder: Path) -> None:
    """The new name outlives a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
