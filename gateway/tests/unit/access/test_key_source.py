"""The keys of a file: what has changed is told since the file was opened, and all may have when it is another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from hayate.access.key_source import SqliteKeys
from hayate.access.keys import make_key
from hayate.store import keys as table
from hayate.store.copies import back_up
from hayate.store.keys import KeyRow
from hayate.store.migrate import open_file
from hayate.store.sqlite import writing


def test_after_the_file_was_opened_what_changed_is_told_and_nothing_of_before(tmp_path: Path) -> None:
    path = tmp_path / "hayate.db"
    engine, _ = open_file(path)
    made = make_key()
    row = KeyRow(made.id, made.digest, "game", "games", 1, 0, None, None, None, None, "{}")
    source = SqliteKeys(path)

    def change(how: Callable[[Connection], object]) -> None:
        with writing(engine) as connection, connection.begin():
            how(connection)

    change(lambda c: table.add(c, row))
    assert source.find(made.id) == row
    assert source.changed() is None
    assert source.changed() == set()
    change(lambda c: table.alter(c, made.id, name="other"))
    assert source.changed() == {made.id}
    assert (source.ended([made.id]), source.count()) == ([], 1)
    change(lambda c: table.alter(c, made.id, revoked_ms=5))
    assert (source.ended([made.id, "0" * 12]), source.count()) == ([made.id, "0" * 12], 0)
    copy = tmp_path / "copy"
    back_up(path, copy)
    copy.replace(path)
    assert source.changed() is None, "another file is at the path: nobody knows what has changed"
    source.close()
    path.unlink()
    with pytest.raises(OSError, match="No such file"):
        source.changed()
    engine.dispose()
