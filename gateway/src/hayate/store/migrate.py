"""Brings the file to the tables of this release, under a lock, with a copy made first.

A new file gets the tables as they are; an older one is led through the migrations that it has not seen, in one
transaction. Alembic, which runs them, is imported only then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from hayate.store.schema import HEAD, metadata
from hayate.store.sqlite import connect, engine_of, out_of_reach, prepare_file, writing

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def open_file(
    path: Path, migrations: Path = MIGRATIONS, versions: Sequence[str] = (HEAD,)
) -> tuple[Engine, Path | None]:
    """An engine on the file, which has the tables of this release now, and the copy that was made before it was changed,
    if it was. Raises StoreRefused.
    """
    found = prepare_file(path, versions)
    engine, copy = engine_of(path), None
    if found == versions[-1]:
        return engine, None
    try:
        if found is not None:
            copy = path.with_name(f"{path.stem}.before-{versions[-1]}{path.suffix}")
            back_up(path, copy)
        # Whoever starts at the same time waits, and finds it done.
        with writing(engine) as connection, connection.begin():
            _bring_up(connection, migrations, versions[-1])
    except (OSError, sqlite3.Error) as error:
        raise out_of_reach(path, error) from None
    except DBAPIError as error:
        if not isinstance(error.orig, sqlite3.Error):
            raise
        raise out_of_reach(path, error.orig) from None
    return engine, copy


def back_up(path: Path, copy: Path) -> None:
    """A whole copy, made while the file may be in use; it takes the copy's place in one step. Raises OSError, sqlite3.Error."""
    with closing(connect(path, readonly=True)) as source:
        restore(source, copy)


def restore(source: sqlite3.Connection, path: Path) -> None:
    """Writes all that a connection sees to a file at `path`, which may be that of its own file, deleted meanwhile."""
    fresh = path.with_name(f".{path.name}.part")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    with closing(sqlite3.connect(fresh)) as target:
        source.backup(target, pages=256)
    fresh.replace(path)


def _bring_up(connection: Connection, migrations: Path, head: str) -> None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        metadata.create_all(connection)
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
        if head == HEAD:
            return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, head)
