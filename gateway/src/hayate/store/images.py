"""Pictures and other files that items hold: each is kept once for a project, by its digest, and goes with the last item that has
it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from sqlalchemy.dialects import sqlite

from hayate.store.schema import images
from hayate.wire.images_in_items import Image

GONE: Final = ("application/octet-stream", b"")


def hold(connection: sqlite3.Connection, project: str, item: int, found: Iterable[Image]) -> None:
    """Keeps those of the item of this number."""
    for digest, media_type, body in found:
        if connection.execute(IS_THERE, (project, digest)).fetchone() is None:
            connection.execute(INSERT, (project, digest, media_type, body))
        connection.execute(HOLD, (item, digest, project))


def let_go(connection: sqlite3.Connection, project: str, item: int) -> None:
    """The item goes, and with it what no other of the project holds."""
    digests = connection.execute(HELD, (item, project)).fetchall()
    if digests:
        connection.execute(LET_GO, (item, project))
        connection.executemany(DELETE, [(project, digest, project, digest) for (digest,) in digests])


def finder(connection: sqlite3.Connection, project: str) -> Callable[[bytes], tuple[str, bytes]]:
    """What finds the media type and the bytes of a digest; nothing in place of what is gone, so that the rest can still be read."""

    def find(digest: bytes) -> tuple[str, bytes]:
        return connection.execute(FIND, (project, digest)).fetchone() or GONE

    return find


IS_THERE: Final = "SELECT 1 FROM images WHERE project = ? AND digest = ?"
FIND: Final = "SELECT media_type, body FROM images WHERE project = ? AND digest = ?"
INSERT: Final = str(images.insert().compile(dialect=sqlite.dialect()))
HOLD: Final = "INSERT INTO item_images (item, digest, project) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
HELD: Final = "SELECT digest FROM item_images WHERE item = ? AND project = ?"
LET_GO: Final = "DELETE FROM item_images WHERE item = ? AND project = ?"
DELETE: Final = (
    "DELETE FROM images WHERE project = ? AND digest = ? "
    "AND NOT EXISTS (SELECT 1 FROM item_images WHERE project = ? AND digest = ?)"
)
