"""The process that overwrites what SQLite leaves of rows (`gaps`), as who writes to the file sees it. It knows no secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hayate.engines.program import without_secrets


class Clearing:
    """One for whoever writes; at most one process at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, path: Path) -> None:
        """Starts it, in place of one that runs. Raises OSError."""
        self.end()
        self._process = subprocess.Popen(  # noqa: S603  a module of our own, and a path
            [sys.executable, "-P", "-m", "hayate.store.gaps", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=without_secrets(os.environ),
        )

    @property
    def is_done(self) -> bool | None:
        """Whether all is overwritten; None while it is at work."""
        status = None if self._process is None else self._process.poll()
        return None if status is None else status == 0

    def end(self) -> None:
        """It is not wanted any more, wherever it is."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
