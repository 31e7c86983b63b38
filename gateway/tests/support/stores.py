"""Database files with all tables and nothing in them: copies of one that is made once, which takes ten times as long as a copy."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from hayate.store.migrate import open_file


def new_file(path: Path) -> Path:
    """Such a file at this path, as a gateway leaves it."""
    path.write_bytes(_made())
    path.chmod(0o600)
    return path


@functools.cache
def _made() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hayate.db"
        open_file(path)[0].dispose()
        return path.read_bytes()
