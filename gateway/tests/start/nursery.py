"""Children of the nursery (`tests.support.nursery`) that are listened to as they speak.

with nursery() as born:
    process = born(["serve"], env={...}, folder=tmp_path)
    process.until("listening")
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import nursery as processes

LAST_RESORT_S = 120.0


@dataclass(frozen=True, slots=True)
class Born:
    """A child, and what it says."""

    process: processes.Born
    pipe: int
    _read: bytearray = field(default_factory=bytearray)

    def said(self) -> str:
        """On both standard streams so far."""
        with suppress(BlockingIOError):
            while piece := os.read(self.pipe, 65536):
                self._read.extend(piece)
        return self._read.decode()

    def until(self, word: str = "") -> int | None:
        """Waits until it has said this, or has ended: its status then."""
        deadline = time.monotonic() + LAST_RESORT_S
        while (status := self.process.returncode) is None and not (word and word in self.said()):
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)
        return status

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int | None:
        """Sends the signal, and waits for the end."""
        self.process.send_signal(with_signal)
        return self.until()


Nursery = Callable[..., Born]


@contextmanager
def nursery() -> Iterator[Nursery]:
    """The function that makes children."""
    pipes: list[int] = []

    def born(
        words: Sequence[str], env: Mapping[str, str], folder: Path, *, plain: bool = False, full: bool = False
    ) -> Born:
        # No file: that could not grow either, where none may.
        pipe = folder / f"said-{time.monotonic_ns()}"
        os.mkfifo(pipe)
        pipes.append(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))
        said = os.open(pipe, os.O_WRONLY)
        try:
            process = processes.born(words, env, folder, stdout=said, stderr=said, plain=plain, full=full)
        finally:
            os.close(said)
        return Born(process, pipes[-1])

    try:
        yield born
    finally:
        for pipe in pipes:
            os.close(pipe)
