"""A bounded queue before one descriptor, and the thread that empties it.

The rule: whoever writes never waits and never fails, whatever has become of the other end: a pipe whose reader has gone
or sleeps, a full disk, a closed descriptor, a pipe that another program has made non-blocking. Lines wait until they
can be written; what does not fit into the queue is dropped and counted, and once writing works again a line says how
many.

What takes time to put into words (the lines of calls) is queued as it is (`Unmade`): the thread makes the lines, a few
at a time, so that who serves gets the interpreter back in between.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from hayate.settings import Listening
from hayate.telemetry.json_lines import event_line

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_log = logging.getLogger(__name__)

PIECE_BYTES = 64
"""What one piece costs beside its text, so that many small ones are bounded as well."""
WRITE_BYTES = 128 * 1024
"""About what is written at once; until it is, what it was made of takes its room in the queue."""
GATHER_S = 0.2
"""When the call log is all written its thread sleeps this long, so that one write takes many lines and it wakes 5 times
a second at most. Standard error is for people, who wait for what it says: nothing is gathered there.
"""
RETRY_S = 0.5
"""Between two attempts at a stream that can't be written to."""
PAUSE_S = 0.0005
"""What the thread leaves to others after it has put some lines into words and has more to do: waking up takes them less."""
PRESSED_FROM = 0.25
"""From this share of the queue on the thread pauses more rarely: who serves without a break gives the interpreter back in no
less than 5 ms, and so few lines in all that time would be fewer than come.
"""
PIECES_PRESSED = 8
"""Of what waits to be put into words, between two pauses then."""


@dataclass(frozen=True, slots=True)
class Unmade:
    """Lines that are made when they are about to be written: how many, and what they take until then, in bytes."""

    make: Callable[[], bytes]
    lines: int
    size: int


Note = Callable[[str, int], bytes]
"""The line that says how many are missing from a stream: of the stream's name and their number."""


def _json_note(stream: str, lines: int) -> bytes:
    return event_line(time.time(), "log_lines_dropped", {"stream": stream, "lines": lines})


class QueuedOutput(io.RawIOBase):
    """One descriptor's queue, and the thread that empties it. It looks like a binary file."""

    def __init__(
        self, fd: int, name: str, max_bytes: int = Listening.log_queue_bytes, gather_s: float = GATHER_S
    ) -> None:
        super().__init__()
        self.max_bytes = max_bytes
        self.gather_s = gather_s
        self.dropped = 0
        """Lines that did not fit."""
        self.name = name
        self.note: Note = _json_note
        self._fd = fd
        self._queue: SimpleQueue[bytes | Unmade | threading.Event | None] = SimpleQueue()
        # Whoever writes may be interrupted by itself: the collector runs destructors anywhere, and they may have something to say.
        self._writers = threading.RLock()
        self._put_bytes = 0
        self._taken_bytes = 0
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()
        self._unpaused = 0
        """Pieces that were put into words since the last pause."""
        self.failing = False
        """The last attempt to write has failed."""
        self._told = 0

    # What a file has.

    def writable(self) -> bool:
        """True: what can't be written is this queue's affair."""
        return True

    def fileno(self) -> int:
        """The descriptor, for child processes that are to share it."""
        return self._fd

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return os.isatty(self._fd)

    def write(self, data: ReadableBuffer, /) -> int:
        """Queues it, or drops it. Never waits, never raises."""
        piece = bytes(data)
        with self._writers:
            if not self._took(piece, len(piece)):
                self.dropped += piece.count(b"\n") or 1
        return len(piece)

    def write_later(self, unmade: Unmade) -> None:
        """The same for lines that the thread makes."""
        with self._writers:
            if not self._took(unmade, unmade.size):
                self.dropped += unmade.lines

    def drain(self, within_s: float) -> bool:
        """Waits until everything said so far is written; no longer than that, and not at all for a stream that fails."""
        return drain_all([self], within_s)

    def mark(self) -> threading.Event:
        """It is set when everything said so far is written."""
        written = threading.Event()
        if self._thread is None:
            written.set()
        else:
            self._queue.put(written)
            self._hurry.set()
        return written

    def close(self) -> None:
        """Ends the thread once it has tried what is queued. The descriptor stays open."""
        if not self.closed:
            self._queue.put(None)
            self._hurry.set()
        super().close()

    def _took(self, piece: bytes | Unmade, size: int) -> bool:
        """Queues it if it fits, behind a note of what did not."""
        if self._put_bytes - self._taken_bytes + size + PIECE_BYTES > self.max_bytes:
            return False
        if self.dropped != self._told:
            self._put_note()
        self._put(piece, size)
        if self._thread is None:
            self._start()
        return True

    def _put(self, piece: bytes | Unmade, size: int) -> None:
        self._put_bytes += size + PIECE_BYTES
        self._queue.put(piece)

    def _put_note(self) -> None:
        """Says how many lines are missing here."""
        lines, self._told = self.dropped - self._told, self.dropped
        said = self.note(self.name, lines)
        self._put(said, len(said))

    # The thread.

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=f"log-{self.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread to be had, or the interpreter ends: the next line tries again
            return
        self._thread = thread

    def _run(self) -> None:
        ends = False
        while not ends:
            batch, taken, waiting, ends = self._next()
            if batch:
                self._write_all(b"".join(batch))
                self._taken_bytes += taken
            if self.dropped != self._told and self._queue.empty():
                with self._writers:
                    self._put_note()
            for each in waiting:
                each.set()
            if self.gather_s and not ends and self._queue.empty():
                self._hurry.wait(self.gather_s)
                self._hurry.clear()

    def _next(self) -> tuple[list[bytes], int, list[threading.Event], bool]:
        """What waits, up to about one write, and what it took of the queue; who wants to know that it is written; and
        whether that was the last.
        """
        batch: list[bytes] = []
        waiting: list[threading.Event] = []
        size = taken = 0
        each = self._queue.get()
        with contextlib.suppress(Empty):
            while each is not None:
                if isinstance(each, threading.Event):
                    waiting.append(each)
                else:
                    said, cost = (each, len(each)) if isinstance(each, bytes) else (self._made(each), each.size)
                    batch.append(said)
                    size += len(said)
                    taken += cost + PIECE_BYTES
                if size >= WRITE_BYTES:
                    break
                each = self._queue.get_nowait()
        return batch, taken, waiting, each is None

    def _made(self, unmade: Unmade) -> bytes:
        """A mistake of ours in what makes lines is told and costs these lines, not all that come after them."""
        try:
            return unmade.make()
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            _log.exception("%d lines of %s could not be made", unmade.lines, self.name)
            return b""
        finally:
            if not self._queue.empty() and not self._hurry.is_set():
                self._pause()

    def _pause(self) -> None:
        self._unpaused += 1
        if self._unpaused >= (PIECES_PRESSED if self._is_pressed else 1):
            self._unpaused = 0
            time.sleep(PAUSE_S)  # an event would be dearer to wait for

    @property
    def _is_pressed(self) -> bool:
        return self._put_bytes - self._taken_bytes > self.max_bytes * PRESSED_FROM

    def _write_all(self, data: bytes) -> None:
        """Returns when all of it is written, however long that takes; or it can't be, and nobody wants it any more."""
        left = memoryview(data)
        while left and not (self.failing and self.closed):
            try:
                left = left[os.write(self._fd, left) :]
                self.failing = False
            except BlockingIOError:
                self._until_writable()
            except OSError:  # the reader has gone, the disk is full: neither need be for ever
                self.failing = True
                self._hurry.wait(RETRY_S)
                self._hurry.clear()

    def _until_writable(self) -> None:
        """Somebody has made the other end's pipe non-blocking for all who share it, and it is full."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        poll.poll(RETRY_S * 1000)


def drain_all(queues: Sequence[QueuedOutput], within_s: float) -> bool:
    """Waits for several as `drain` does for one, for all of them together no longer than that."""
    deadline = time.monotonic() + within_s
    waiting = [(each, each.mark()) for each in queues]  # all at once: one that sleeps must not use up the others' time
    done = True
    for each, written in waiting:
        while not written.wait(0.01):
            if each.failing or time.monotonic() > deadline:
                done = False
                break
    return done
