"""Conversations that no project has: those that are deleted, until nothing of them is left, and those that are still being made.
Each carries, in place of its project, that name behind a mark that no project's name can have; whoever asks for a project's
does not find them, whatever they ask for.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from hayate.store import traces
from hayate.store.conversations import Conversation
from hayate.store.sizes import shrunk

DELETED: Final = "\x01"
UNFINISHED: Final = "\x02"
"""They begin the names of those that are deleted, and of those that are being made."""


def hide(connection: sqlite3.Connection, found: Conversation) -> None:
    """Deletes a conversation, as far as anybody can see: what it held goes in steps (`erasing`)."""
    _delete(connection, found.number, found.project, found.project)


def hide_unfinished(connection: sqlite3.Connection, made: Conversation) -> None:
    """It is not whole yet."""
    connection.execute(MOVE, (UNFINISHED + made.project, made.number, made.project))


def show(connection: sqlite3.Connection, made: Conversation) -> None:
    """It is its project's, for as long as something is put into it or from now on. Raises LookupError when it has gone."""
    if not connection.execute(MOVE, (made.project, made.number, UNFINISHED + made.project)).rowcount:
        raise LookupError("it took so long to make it that it was given up")


def discard(connection: sqlite3.Connection, made: Conversation) -> None:
    """It will never be whole; nothing when it is, or has gone."""
    _delete(connection, made.number, UNFINISHED + made.project, made.project)


def _delete(connection: sqlite3.Connection, number: int, name: str, project: str) -> None:
    found = connection.execute(BYTES, (number, name)).fetchone()
    if found is not None:
        connection.execute(MOVE, (DELETED + project, number, name))
        shrunk(connection, project, found[0])
        traces.leave(connection)


MOVE: Final = "UPDATE conversations SET project = ? WHERE number = ? AND project = ?"
BYTES: Final = "SELECT bytes FROM conversations WHERE number = ? AND project = ?"
