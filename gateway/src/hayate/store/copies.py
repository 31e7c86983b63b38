"""Whole copies of the database: each is of one moment, is its owner's alone, and takes its place in one step or not at all."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from hayate.store.sqlite import connect


def back_up(path: Path, copy: Path) -> None:
    """A copy, made while the file may be in use. Raises OSError, sqlite3.Error."""
    with closing(connect(path, readonly=True)) as source:
        copy_to(source, copy)


def copy_to(source: sqlite3.Connection, path: Path) -> None:
    """Writes all that a connection sees to a file at `path`. Raises OSError, sqlite3.Error, with nothing left behind."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    fresh.unlink(missing_ok=True)
    try:
        os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(fresh)) as target:
            target.execute("PRAGMA journal_mode = MEMORY")
            # All pages in one step: a copy in several begins anew whenever something was written between two.
            source.backup(target, pages=-1)
        fresh.replace(path)
    except (OSError, sqlite3.Error):
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
