"""The table of keys: rows as they are, and what changes them. Whoever changes one leaves an event, by which every process
learns of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects import sqlite

from hayate.store.schema import key_events, keys


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key, without its secret. Times are milliseconds since 1970; `terms` is JSON (`access.terms`)."""

    id: str
    digest: bytes
    name: str
    project: str
    version: int
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None
    old_digest: bytes | None
    old_until_ms: int | None
    terms: str


FIND: Final = str(select(keys).where(keys.c.id == bindparam("id")).compile(dialect=sqlite.dialect()))


def find(connection: sqlite3.Connection, key_id: str) -> KeyRow | None:
    """By its id, on a connection of the driver's own: 7 µs."""
    row = connection.execute(FIND, (key_id,)).fetchone()
    return None if row is None else KeyRow(*row)


def last_event(connection: sqlite3.Connection) -> int:
    """The number of the last event; 0 before the first."""
    (found,) = connection.execute("SELECT coalesce(max(seq), 0) FROM key_events").fetchone()
    return int(found)


def changed_since(connection: sqlite3.Connection, seq: int) -> tuple[int, set[str]]:
    """The last event, and the ids of the keys that changed after `seq`."""
    rows = connection.execute("SELECT seq, key_id FROM key_events WHERE seq > ? ORDER BY seq", (seq,)).fetchall()
    return (rows[-1][0] if rows else seq), {key_id for _, key_id in rows}


def revoked(connection: sqlite3.Connection, key_ids: Collection[str]) -> list[str]:
    """Of these keys, those that are revoked, or that are none any more."""
    good = {key_id for (key_id,) in connection.execute(_GOOD, (json.dumps([*key_ids]),))} if key_ids else set()
    return [each for each in key_ids if each not in good]


_GOOD: Final = "SELECT id FROM keys WHERE revoked_ms IS NULL AND id IN (SELECT value FROM json_each(?))"


def count(connection: sqlite3.Connection) -> int:
    """How many keys there are that were not revoked."""
    (found,) = connection.execute("SELECT count(*) FROM keys WHERE revoked_ms IS NULL").fetchone()
    return int(found)


def get(connection: Connection, key_id: str) -> KeyRow | None:
    """The key of this id, revoked or not."""
    row = connection.execute(select(keys).where(keys.c.id == key_id)).one_or_none()
    return None if row is None else KeyRow(**row._mapping)


def listed(connection: Connection, *, after: str | None = None, limit: int = 100) -> list[KeyRow]:
    """Keys, the oldest first, those that were revoked too; from behind the key `after` on."""
    query = select(keys).order_by(keys.c.created_ms, keys.c.id).limit(limit)
    last = get(connection, after) if after is not None else None
    if last is not None:
        query = query.where(
            (keys.c.created_ms > last.created_ms) | ((keys.c.created_ms == last.created_ms) & (keys.c.id > last.id))
        )
    return [KeyRow(**row._mapping) for row in connection.execute(query)]


def named(connection: Connection, name: str) -> list[KeyRow]:
    """Keys of this name that were not revoked."""
    query = select(keys).where(keys.c.name == name, keys.c.revoked_ms.is_(None)).order_by(keys.c.id)
    return [KeyRow(**row._mapping) for row in connection.execute(query)]


def add(connection: Connection, row: KeyRow) -> None:
    """Keeps a new key, and tells every process."""
    connection.execute(insert(keys).values(asdict(row)))
    _changed(connection, row.id)


def alter(connection: Connection, key_id: str, **columns: Any) -> KeyRow | None:
    """Changes a key, whose version goes up with it; the key as it is then, None when there is none."""
    done = connection.execute(update(keys).where(keys.c.id == key_id).values(**columns, version=keys.c.version + 1))
    if not done.rowcount:
        return None
    _changed(connection, key_id)
    return get(connection, key_id)


def _changed(connection: Connection, key_id: str) -> None:
    connection.execute(insert(key_events).values(key_id=key_id))
