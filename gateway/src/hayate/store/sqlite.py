"""The SQLite file: how it is opened, and when it is not.

A file that is damaged, or that some other program made, or a newer release of this one, is refused by name and never
written to. A new one is readable by its owner alone. WAL, so that readers and the writer don't wait for each other;
foreign keys on; a lock of another process is waited for at most `BUSY_S`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from hayate.language import BilingualError

APPLICATION_ID: Final = 0x48415954
"""`HAYT`, in the file's header (SQLite's own place for telling whose a file is)."""
BUSY_S: Final = 2.0


class StoreRefused(BilingualError):
    """The store can't be opened as it is. Raised before anything serves; the text says what to do."""


def connect(path: Path, *, busy_s: float = BUSY_S, readonly: bool = False) -> sqlite3.Connection:
    """A connection of the driver's own, for the statements that are too frequent for anything above it. Transactions are begun
    by hand. It may be used by one thread at a time, any.
    """
    mode = "ro" if readonly else "rw"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
        check_same_thread=False,
    )
    _set_up(connection)
    return connection


def engine_of(path: Path) -> Engine:
    """SQLAlchemy's engine on the file; each connection is opened anew and closed after use: they cost 0.1 ms."""
    engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(str(connection.get_execution_options().get("begin", "BEGIN")))

    return engine


def writing(engine: Engine) -> Connection:
    """A connection whose transactions are the only ones that write from their first statement on."""
    return engine.connect().execution_options(begin="BEGIN IMMEDIATE")


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def prepare_file(path: Path, versions: Sequence[str]) -> str | None:
    """Makes the file if there is none, looks whether it is ours, and says which migration it stands at, one of `versions`;
    None for an empty one. Raises StoreRefused.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoreRefused(
            f"{path}: {reason}. Name a folder that can be written with HAYATE_DATA.",
            f"{path} を読み書きできません。書き込めるフォルダーを HAYATE_DATA で指定してください（{reason}）。",
        ) from None
    try:
        with closing(connect(path)) as connection:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not tables and application in (0, APPLICATION_ID):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                return None
            if application != APPLICATION_ID or "alembic_version" not in tables:
                raise _not_ours(path)
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.OperationalError as error:
        raise StoreRefused(
            f"{path} can't be opened: {error}. Is another program holding it? Try again, or name another folder with HAYATE_DATA.",
            f"{path} を開けません。別のプログラムが使用していないか確認してもう一度試すか、"
            f"HAYATE_DATA で別のフォルダーを指定してください（{error}）。",
        ) from None
    except sqlite3.DatabaseError:
        raise StoreRefused(
            f"{path} is damaged or no database. It was left as it is: restore a backup (hayate db backup makes them), "
            "or move it away to start anew.",
            f"{path} は壊れているか、データベースではありません。ファイルには手を加えていません。"
            "バックアップ（hayate db backup で作成したもの）から復元するか、別の場所へ移して新しく始めてください。",
        ) from None
    version = str(found[0][0]) if len(found) == 1 else ""
    if version not in versions:
        raise StoreRefused(
            f"{path} was written by a newer release (schema {version or '?'}; this one knows up to {versions[-1]}). "
            "Run that release, or restore the backup that it made before it changed the file.",
            f"{path} は新しいバージョンで作成されています（スキーマ {version or '?'}。対応は {versions[-1]} まで）。"
            "そのバージョンを使うか、変更前に作成されたバックアップから復元してください。",
        )
    return version


def _not_ours(path: Path) -> StoreRefused:
    return StoreRefused(
        f"{path} is another program's database. It was left as it is: move it away, or name another folder with HAYATE_DATA.",
        f"{path} は別のプログラムのデータベースです。ファイルには手を加えていません。"
        "別の場所へ移すか、HAYATE_DATA で別のフォルダーを指定してください。",
    )
