"""An engine of the benchmark, for one test or module."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.processes import Started
from bench.standing import ROOT

from tests.support.waiting import LAST_RESORT_S


@contextmanager
def running_stub(home: Path, module: str = "bench.stub", *options: object) -> Iterator[tuple[int, Started]]:
    """Its port, and the process."""
    command = [sys.executable, "-m", module, *map(str, options)]
    started = Started(command, home=home, env={"PYTHONPATH": str(ROOT)})
    try:
        deadline = time.monotonic() + LAST_RESORT_S
        while not started.stdout.read_text().endswith("\n"):
            assert time.monotonic() < deadline, started.last_words()
            time.sleep(0.01)
        yield int(started.stdout.read_text().split()[1]), started
    finally:
        started.stop()
