"""Brings the file to the tables of this release, under a lock, with a copy made first.

A new file gets the tables as they are; an older one is led through the migrations that it has not seen, in one
transaction. Alembic, which runs them, is imported only then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from hayate.store.copies import back_up
from hayate.store.schema import HEAD, VERSIONS, metadata
from hayate.store.sqlite import check_version, engine_of, prepare_file, unusable, writing

MIGRATIONS: Final = Path(__file__).parent / "migrations"
OTHERS_S: Final = 60.0
"""How long another process, which starts at the same time, is waited for: it may have a large file to lead on."""


def open_file(
    path: Path, migrations: Path = MIGRATIONS, versions: Sequence[str] = VERSIONS
) -> tuple[Engine, Path | None]:
    """An engine on the file, which has the tables of this release now, and the copy that was made before it was changed,
    if it was. Raises StoreRefused.
    """
    path, copy = path.resolve(), None
    if prepare_file(path, versions) != versions[-1]:
        try:
            copy = _lead_on(path, migrations, versions)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise unusable(path, error) from None
    return engine_of(path), copy


def _lead_on(path: Path, migrations: Path, versions: Sequence[str]) -> Path | None:
    """Whoever starts at the same time waits, and finds it done: what there is to do is looked at under the lock."""
    head = versions[-1]
    with writing(engine_of(path, busy_s=OTHERS_S)) as connection, connection.begin():
        found, copy = _version(connection), None
        if found == head:
            return None
        if found is not None:
            check_version(path, found, versions)
            copy = path.with_name(f"{path.stem}.before-{head}{path.suffix}")
            back_up(path, copy)
        _bring_up(connection, migrations, head)
        return copy


def _version(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return found[0] if len(found) == 1 else ""


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
