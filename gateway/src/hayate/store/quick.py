"""What is read on the event loop: little enough that nobody waits for it. Who finds that there is more to be read says so, and is
asked again in a thread.
"""

from __future__ import annotations

import sqlite3
from typing import Final

MAX_BYTES: Final = 128 * 1024
"""What is read and parsed in less than a millisecond."""


class Quick(sqlite3.Connection):
    """A connection that the event loop reads on."""


class TakesLong(Exception):
    """There is more to be read than the event loop may wait for."""


def expect(connection: sqlite3.Connection, size_bytes: int) -> None:
    """Before so much is read. Raises TakesLong where that may not be."""
    if size_bytes > MAX_BYTES and isinstance(connection, Quick):
        raise TakesLong
