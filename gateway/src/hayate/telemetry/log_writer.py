"""What the gateway writes to standard output and standard error: through a queue for each of them (`queued_output`), so
that nobody who has something to say waits or fails because of who reads.

`take_standard_streams` puts these queues in the place of `sys.stdout` and `sys.stderr`, so that all of Python's own
ways to speak (logging, warnings, tracebacks, `print` of a library) keep the rule too. Only programs that serve do that;
a command that prints a result and ends wants to hear that nobody could read it.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import sys
from collections.abc import Callable, Mapping
from typing import BinaryIO, TextIO, cast

from hayate.telemetry.queued_output import QueuedOutput, Unmade, drain_all

LAST_WORDS_S = 0.5
"""How long the end of the server, and then the end of the program, wait for what is still in the queues."""


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


def set_notes(notes: Mapping[str, Callable[[str, int], bytes]]) -> None:
    """How the two say that lines of theirs are missing."""
    for name, each in _queues().items():
        each.note = notes[name]


def terminals() -> Mapping[str, int | None]:
    """The descriptor of each of the two that is a terminal, by its name; None for one that is not."""
    return {"stdout": _terminal(sys.stdout), "stderr": _terminal(sys.stderr)}


def _terminal(stream: TextIO | None) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        if stream is not None and stream.isatty():
            return stream.fileno()
    return None


def dropped_lines() -> Mapping[str, int]:
    """Lines that did not fit, by stream; nothing where the streams were not taken."""
    return {name: each.dropped for name, each in _queues().items()}


def write_output(said: bytes) -> None:
    """Says something on standard output (the call log), and does not fail where it can't be said."""
    _write(sys.stdout, said)


def write_output_later(unmade: Unmade) -> None:
    """The same for lines that need not be made by whoever says them; where no queue is, they are made at once."""
    buffer = getattr(sys.stdout, "buffer", None)
    if isinstance(buffer, QueuedOutput):
        buffer.write_later(unmade)
    else:
        write_output(unmade.make())


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
    drain_all(list(_queues().values()), LAST_WORDS_S)
