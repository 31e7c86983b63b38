"""Whether words of what was deleted may still stand somewhere in the file or its log: a number in the file's own header
(`user_version`), changed with what was deleted and so never lost. It is 0 when there are none; otherwise it goes up with every
deletion, and is odd once somebody wanted one.
"""

from __future__ import annotations

import sqlite3
from typing import Final

MOST: Final = 2**30


def leave(connection: sqlite3.Connection, *, wanted: bool) -> None:
    """Something is deleted, within the transaction that is open; `wanted`: by a caller or because its time was over, and not only
    because something else has taken its place.
    """
    before = left(connection)
    after = (before // 2 % MOST + 1) * 2 + int(wanted or before % 2)
    connection.execute(f"PRAGMA user_version = {after}")


def left(connection: sqlite3.Connection) -> int:
    """The number as it is."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    return int(found)


def are_wanted_gone(number: int) -> bool:
    """Whether somebody wants to have them gone soon."""
    return number % 2 == 1


def cleared(connection: sqlite3.Connection, since: int) -> bool:
    """There are none of what had been deleted when the number was `since`. Whether that is all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        is_all = left(connection) == since
        if is_all:
            connection.execute("PRAGMA user_version = 0")
    finally:
        connection.execute("COMMIT")
    return is_all
