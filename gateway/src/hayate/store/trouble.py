"""What the log is told when the thread that writes can't, and when it can again: each once, with what was dropped meanwhile."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from time import monotonic

from hayate.store.contents import Waiting
from hayate.telemetry.log import log_event


class Trouble:
    """Of one writer. It belongs to the thread that writes, but for `overflowed`, which is counted by who puts."""

    def __init__(self, path: Path, contents: Waiting) -> None:
        self._path = path
        self._contents = contents
        self.since: float | None = None
        """On the monotonic clock; None while all is well."""
        self.reason = ""
        self.overflowed = 0
        """Records that found the queue full."""
        self._overflow_told = 0
        self._overflow_said = False
        self._contents_told = 0

    def failed(self, error: Exception, *, waiting: int, limit: int) -> None:
        """Something could not be written; so many records wait, of as many as may."""
        self.reason = str(error) if isinstance(error, sqlite3.Error | OSError) else f"{type(error).__name__}: {error}"
        if self.since is None:
            self.since = monotonic()
            log_event("store_failing", path=str(self._path), reason=self.reason, waiting=waiting)
        if not self._overflow_said:  # that records are dropped is said at once, how many there were when it is over
            self._tell_overflow(limit)

    def over(self, *, limit: int) -> None:
        """All that waited has been written."""
        if self.since is not None:
            log_event("store_back", path=str(self._path), after_s=round(monotonic() - self.since, 1))
            self.since, self.reason = None, ""
        self._tell_overflow(limit)
        self._overflow_said = False

    def _tell_overflow(self, limit: int) -> None:
        count = self.overflowed - self._overflow_told
        if count:
            log_event("calls_not_recorded", count=count, limit=limit)
            self._overflow_told += count
            self._overflow_said = True
        without = self._contents.dropped - self._contents_told
        if without:
            log_event("contents_not_kept", count=without, limit_bytes=self._contents.max_bytes)
            self._contents_told += without
            self._overflow_said = True
