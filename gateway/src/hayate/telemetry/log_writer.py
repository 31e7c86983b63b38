"""What the gateway writes to standard output and standard error: through a bounded queue, by a thread for each of them.

The rule: whoever writes never waits and never fails, whatever has become of the other end: a pipe whose reader has gone
or sleeps, a full disk, a closed descriptor, a pipe that another program has made non-blocking. Lines wait until they
can be written; what does not fit into the queue is dropped and counted, and once writing works again a line says how
many.

`take_standard_streams` puts these queues in the place of `sys.stdout` and `sys.stderr`, so that all of Python's own
ways to speak (logging, warnings, tracebacks, `print` of a library) keep the rule too. Only programs that serve do that;
a command that prints a result and ends wants to hear that nobody could read it.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import select
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

import orjson

from hayate.settings import Listening

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PIECE_BYTES = 64
"""What one piece costs beside its text, so that many small ones are bounded as well."""
WRITE_BYTES = 1024 * 1024
"""About what is written at once."""
GATHER_S = 0.2
"""When the call log is all written its thread sleeps this long, so that one write takes many lines and it wakes 5 times
a second at most. Standard error is for people, who wait for what it says: nothing is gathered there.
"""
RETRY_S = 0.5
"""Between two attempts at a stream that can't be written to."""
LAST_WORDS_S = 0.5
"""How long the end of the server, and then the end of the program, wait for what is still in the queues."""


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
        self._fd = fd
        self._queue: SimpleQueue[bytes | threading.Event | None] = SimpleQueue()
        # Whoever writes may be interrupted by itself: the collector runs destructors anywhere, and they may have something to say.
        self._writers = threading.RLock()
        self._put_bytes = 0
        self._taken_bytes = 0
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()
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
        size = len(piece) + PIECE_BYTES
        with self._writers:
            if self._put_bytes - self._taken_bytes + size > self.max_bytes:
                self.dropped += piece.count(b"\n") or 1
                return len(piece)
            if self.dropped != self._told:
                self._put(self._note())
            self._put(piece)
            if self._thread is None:
                self._start()
        return len(piece)

    def drain(self, within_s: float) -> bool:
        """Waits until everything said so far is written; no longer than that, and not at all for a stream that fails."""
        return _drain([self], within_s)

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

    def _put(self, piece: bytes) -> None:
        self._put_bytes += len(piece) + PIECE_BYTES
        self._queue.put(piece)

    def _note(self) -> bytes:
        """How many lines are missing here."""
        lines, self._told = self.dropped - self._told, self.dropped
        facts = {"time": round(time.time(), 3), "event": "log_lines_dropped", "stream": self.name, "lines": lines}
        return orjson.dumps(facts, option=orjson.OPT_APPEND_NEWLINE)

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
            batch, waiting, ends = self._next()
            if batch:
                self._write_all(b"".join(batch))
                self._taken_bytes += sum(map(len, batch)) + PIECE_BYTES * len(batch)
            if self.dropped != self._told and self._queue.empty():
                with self._writers:
                    self._put(self._note())
            for each in waiting:
                each.set()
            if self.gather_s and self._queue.empty():
                self._hurry.wait(self.gather_s)
                self._hurry.clear()

    def _next(self) -> tuple[list[bytes], list[threading.Event], bool]:
        """What waits, up to about one write; who wants to know that it is written; and whether that was the last."""
        batch: list[bytes] = []
        waiting: list[threading.Event] = []
        size = 0
        each = self._queue.get()
        with contextlib.suppress(Empty):
            while each is not None:
                if isinstance(each, bytes):
                    batch.append(each)
                    size += len(each)
                else:
                    waiting.append(each)
                if size >= WRITE_BYTES:
                    break
                each = self._queue.get_nowait()
        return batch, waiting, each is None

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


def take_standard_streams() -> None:
    """From here on nothing that is written to `sys.stdout` or `sys.stderr` can hold up this process or fail.

    What is still queued at the end of the program is written then, if that takes no longer than `LAST_WORDS_S`.
    """
    fill_closed_descriptors()
    if not _queues():
        sys.stdout = _queued(sys.stdout, QueuedOutput(1, "stdout"))
        sys.stderr = _queued(sys.stderr, QueuedOutput(2, "stderr", gather_s=0))
        atexit.register(last_words)


def fill_closed_descriptors() -> None:
    """Puts /dev/null in the place of each of the three standard streams that is closed: a program started with `>&-` has
    no standard output, and the next socket it opens would be descriptor 1, and get its log.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = _into_nothing(1)
    if sys.stderr is None:
        sys.stderr = _into_nothing(2)


def _into_nothing(fd: int) -> TextIO:
    return open(fd, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def set_queue_bytes(max_bytes: int) -> None:
    """How much may wait for each of the two (`server.log_queue_bytes`)."""
    for each in _queues().values():
        each.max_bytes = max_bytes


def dropped_lines() -> Mapping[str, int]:
    """Lines that did not fit, by stream; nothing where the streams were not taken."""
    return {name: each.dropped for name, each in _queues().items()}


def write_output(said: bytes) -> None:
    """Says something on standard output (the call log), and does not fail where it can't be said."""
    _write(sys.stdout, said)


def write_error(said: str | bytes) -> None:
    """The same on standard error."""
    _write(sys.stderr, said.encode(errors="backslashreplace") if isinstance(said, str) else said)


def _write(stream: TextIO | None, said: bytes) -> None:
    if stream is None:  # the program was started without it
        return
    with contextlib.suppress(OSError, ValueError):
        stream.buffer.write(said)
        stream.buffer.flush()


def _queues() -> dict[str, QueuedOutput]:
    streams = {"stdout": sys.stdout, "stderr": sys.stderr}
    buffers = {name: getattr(stream, "buffer", None) for name, stream in streams.items()}
    return {name: each for name, each in buffers.items() if isinstance(each, QueuedOutput)}


def _queued(stream: TextIO, queue: QueuedOutput) -> TextIO:
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
    return io.TextIOWrapper(
        cast("BinaryIO", queue), encoding=stream.encoding, errors="backslashreplace", line_buffering=True
    )


def last_words() -> None:
    """Waits for what is still queued, no longer than `LAST_WORDS_S`. Some servers end by a signal: nothing runs after them."""
    _drain(list(_queues().values()), LAST_WORDS_S)


def _drain(queues: Sequence[QueuedOutput], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    waiting = [(each, each.mark()) for each in queues]  # all at once: one that sleeps must not use up the others' time
    done = True
    for each, written in waiting:
        while not written.wait(0.01):
            if each.failing or time.monotonic() > deadline:
                done = False
                break
    return done
