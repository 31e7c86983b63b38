"""What SQLite leaves of rows in the unallocated part of pages, overwritten by a process: `python -m hayate.store.gaps FILE`.

`secure_delete` overwrites a row where it stands. But when pages are balanced, SQLite moves rows from page to page, and what it
had of them stays behind in what is unallocated then, between a page's list of cells and their content: nothing reads that, and
nothing ever clears it (seen with 3.40.1; one in ten files of a few hundred deletions has some).

- Written are only bytes that the file format calls unallocated (https://www.sqlite.org/fileformat2.html#b_tree_pages), with the
  log empty, under the lock that one writer holds.
- What connections have in memory would bring it back. Whenever the log is emptied they forget that; so it is looked once more
  after that, until nothing is found.
- A process of its own, because POSIX takes all locks on a file from a process that closes a descriptor of it. It imports next
  to nothing of ours, so that it starts in some hundredths of a second.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from hayate.store.traces import truncated

MAGIC: Final = b"SQLite format 3\0"
HEAD_BYTES: Final = 100
"""Before the first page's own head."""
VACUUMS: Final = slice(52, 56)
"""Where the head is not zero in a file that shrinks by itself (`auto_vacuum`), as ours do not: its pages may look like others."""
POINTERS_AT: Final = {2: 12, 5: 12, 10: 8, 13: 8}
"""Kinds of pages that hold cells, and how long their heads are."""
MAX_PAGES: Final = 1 << 24
"""From here on the first byte of other pages, the highest of a page's number, may look like a kind."""
AT_ONCE: Final = 64
"""Pages under one lock: well under a millisecond's work, and whoever wants to write waits for it."""
READ_AT_ONCE: Final = 256
PAUSE_S: Final = 0.002
"""After each so many, about twice as long as that takes. A lower priority would do, but not for who holds a lock."""
AGAIN_S: Final = 0.05
BUSY_S: Final = 2.0
LIMIT_S: Final = 30.0
"""How long it tries, where somebody reads or writes all the time."""


def unallocated(page: bytes, at: int, usable: int) -> slice | None:
    """Where nothing is in a page whose own head is `at` its beginning or after the file's, and of which `usable` bytes are
    SQLite's; None for a page without cells, or one that is not as it should be.
    """
    pointers_at = POINTERS_AT.get(page[at])
    if pointers_at is None:
        return None
    cells = int.from_bytes(page[at + 3 : at + 5])
    start, end = at + pointers_at + 2 * cells, int.from_bytes(page[at + 5 : at + 7]) or 1 << 16
    return slice(start, end) if start <= end <= usable else None


def _gap(page: bytes, number: int, usable: int) -> slice | None:
    """As `unallocated`, of the page at this place from 0 on: the first begins with the file's head."""
    return unallocated(page, HEAD_BYTES if number == 0 else 0, usable)


def opened(path: Path) -> sqlite3.Connection:
    """A connection for `cleared`. Raises sqlite3.Error."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def cleared(connection: sqlite3.Connection, path: Path, limit_s: float = LIMIT_S) -> bool:
    """Whether nothing but zeros is unallocated, once this returns. Raises sqlite3.Error, OSError."""
    until = monotonic() + limit_s
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        left: list[int] = []
        while monotonic() < until:
            if not truncated(connection):
                sleep(AGAIN_S)
            elif not left:
                left = _found(fd)
                if not left:
                    return True
            elif _overwritten(connection, fd, left[:AT_ONCE], path):
                del left[:AT_ONCE]
    finally:
        os.close(fd)
    return False


def _sizes(fd: int) -> tuple[int, int]:
    """Of a page, and of what SQLite uses of one; (0, 0) for a file that has other kinds of pages, or is no database."""
    head = os.pread(fd, HEAD_BYTES, 0)
    if not head.startswith(MAGIC) or any(head[VACUUMS]):
        return 0, 0
    size = int.from_bytes(head[16:18])
    size = 1 << 16 if size == 1 else size
    return size, size - head[20]


def _found(fd: int) -> list[int]:
    """Pages, by their place from 0, in which something stands where nothing is."""
    size, usable = _sizes(fd)
    pages = os.fstat(fd).st_size // size if size else 0
    if pages >= MAX_PAGES:
        return []
    found = []
    for first in range(0, pages, READ_AT_ONCE):
        some = os.pread(fd, READ_AT_ONCE * size, first * size)
        for number in range(len(some) // size):
            page = some[number * size : (number + 1) * size]
            gap = _gap(page, first + number, usable)
            if gap is not None and page[gap].strip(b"\0"):
                found.append(first + number)
        sleep(PAUSE_S)
    return found


def _overwritten(connection: sqlite3.Connection, fd: int, pages: list[int], path: Path) -> bool:
    """False, with nothing done, where somebody else has written since the log was empty."""
    size, usable = _sizes(fd)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _log_bytes(path):
            return False
        for number in pages:
            page = os.pread(fd, size, number * size)
            gap = _gap(page, number, usable) if len(page) == size else None
            if gap is not None:
                os.pwrite(fd, bytes(gap.stop - gap.start), number * size + gap.start)
    finally:
        connection.execute("ROLLBACK")  # SQLite knows of no change
    return True


def _log_bytes(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.with_name(f"{path.name}-wal").stat().st_size
    return 0


def main(path: Path) -> None:
    """As the whole work of a process. It ends without closing the file: who closes it last takes the log away, and may be wrong
    about being the last.
    """
    status = 1
    try:
        status = 0 if cleared(opened(path), path) else 1
    finally:
        os._exit(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
