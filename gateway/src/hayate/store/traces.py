"""Whether something of what was deleted may still stand in the file or its log: a number in the file's own header (`user_version`),
which goes up with every deletion, in the same transaction, and is 0 again when nothing is left. So it outlives whoever deleted.
"""

from __future__ import annotations

import sqlite3
from typing import Final

MOST: Final = 2**31 - 1


def leave(connection: sqlite3.Connection) -> None:
    """Something is deleted, within the transaction that is open."""
    connection.execute(f"PRAGMA user_version = {left(connection) % MOST + 1}")


def left(connection: sqlite3.Connection) -> int:
    """The number as it is."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    return int(found)


def clear(connection: sqlite3.Connection, since: int) -> None:
    """Nothing is left of what had been deleted when the number was `since`."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if left(connection) == since:
            connection.execute("PRAGMA user_version = 0")
    finally:
        connection.execute("COMMIT")


def truncated(connection: sqlite3.Connection) -> bool:
    """Moves what the log still has into the file and leaves nothing of it, and every connection forgets the pages that it has in
    memory, even where there was nothing in the log; whether nobody who reads stood in the way. For that nobody is waited for: it
    would be with the lock of the one who writes.
    """
    (busy_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(busy_ms)}")
    return not is_busy
