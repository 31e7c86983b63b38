"""Where the keys that are followed (`key_ring`) come from: the store's file, on a connection of its own, which another file at the
path takes the place of.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from hayate.store import keys as table
from hayate.store.keys import KeyRow
from hayate.store.sqlite import connect


class KeySource(Protocol):
    """Where keys are kept. Every method may raise sqlite3.Error or OSError, and none of them waits for a lock."""

    def find(self, key_id: str) -> KeyRow | None:
        """By its id."""

    def changed(self) -> set[str] | None:
        """The ids of the keys that have changed since this was last asked; None: nobody knows, any may have."""

    def ended(self, key_ids: Collection[str]) -> list[str]:
        """Of these keys, those that are revoked or gone."""

    def count(self) -> int:
        """How many there are."""


class SqliteKeys:
    """The keys of a SQLite file, read on a connection that nobody else uses."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._opened = (0, 0)
        self._followed: sqlite3.Connection | None = None
        """The connection on which `_seq` was read."""
        self._seq = 0

    def find(self, key_id: str) -> KeyRow | None:
        """By its id."""
        return table.find(self._connected(), key_id)

    def changed(self) -> set[str] | None:
        """The ids of the keys that have changed; None after the file was opened (anew)."""
        connection = self._connected()
        if connection is not self._followed:
            self._seq, self._followed = table.last_event(connection), connection
            return None
        self._seq, changed = table.changed_since(connection, self._seq)
        return changed

    def ended(self, key_ids: Collection[str]) -> list[str]:
        """Of these keys, those that are revoked or gone."""
        return table.revoked(self._connected(), key_ids)

    def count(self) -> int:
        """How many there are that were not revoked."""
        return table.count(self._connected())

    def close(self) -> None:
        """Gives the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = self._followed = None

    def _connected(self) -> sqlite3.Connection:
        """The connection, a new one when another file is at the path. Raises OSError when there is none."""
        found = self._path.stat()
        if self._connection is None or (found.st_dev, found.st_ino) != self._opened:
            self.close()
            self._connection, self._opened = connect(self._path, busy_s=0, readonly=True), (found.st_dev, found.st_ino)
        return self._connection
