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

from hayate.language import BilingualError, Text, reason_of

APPLICATION_ID: Final = 0x48415954
"""`HAYT`, in the file's header (SQLite's own place for telling whose a file is)."""
MAGIC: Final = b"SQLite format 3\0"
FRACTIONS: Final = bytes([64, 32, 32])
"""Numbers that are the same in every SQLite file, from byte 21 of its head on."""
HEAD_BYTES: Final = 100
APPLICATION_AT: Final = 68
"""Where in the head the id stands."""
BUSY_S: Final = 2.0
ELSEWHERE: Final = Text(
    "name another folder with HAYATE_DATA (or another file with store.file)",
    "HAYATE_DATA で別のフォルダーを（または store.file で別のファイルを）指定",
)


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
    """Makes the file if there is none, looks whether it is ours and whole, and says which migration it stands at, one of
    `versions`; None for an empty one. Raises StoreRefused, with nothing written to a file that is not ours.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            head = os.pread(file, HEAD_BYTES, 0)
        finally:
            os.close(file)
    except OSError as error:
        raise out_of_reach(path, error) from None
    _require_ours(path, head)
    try:
        with closing(connect(path)) as connection:
            found = _look(path, connection)
            if found is None:  # in this order: from the first byte on it is ours
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute("PRAGMA journal_mode = WAL")
                return None
    except sqlite3.OperationalError as error:
        raise out_of_reach(path, error) from None
    except sqlite3.DatabaseError:
        raise _damaged(path) from None
    if found not in versions:
        raise StoreRefused(
            f"{path} was written by a newer release (schema {found or '?'}; this one knows up to {versions[-1]}). "
            "Run that release, or restore the backup that it made before it changed the file.",
            f"{path} は新しいバージョンで作成されています（スキーマ {found or '?'}。対応は {versions[-1]} まで）。"
            "そのバージョンを使うか、変更前に作成されたバックアップから復元してください。",
        )
    return found


def _require_ours(path: Path, head: bytes) -> None:
    """By the first bytes alone: SQLite, once it has opened another program's file, may tidy up in it."""
    if not head:
        return
    if len(head) < HEAD_BYTES or not head.startswith(MAGIC) or head[21:24] != FRACTIONS:
        raise _damaged(path)
    if head[APPLICATION_AT : APPLICATION_AT + 4] != APPLICATION_ID.to_bytes(4, "big"):
        raise StoreRefused(
            f"{path} is another program's database. It was left as it is: move it away, or {ELSEWHERE.en}.",
            f"{path} は別のプログラムのデータベースです。ファイルには手を加えていません。"
            f"別の場所へ移すか、{ELSEWHERE.ja}してください。",
        )


def _look(path: Path, connection: sqlite3.Connection) -> str | None:
    """Which migration the file stands at, if any. What SQLite finds damaged by itself (its head, a missing end) it raises."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" not in tables:
        return None
    # Without its keys a gateway lets nobody in: their pages are read. Those of the calls, of which there may be millions, aren't.
    if "keys" in tables and connection.execute("PRAGMA quick_check('keys')").fetchone() != ("ok",):
        raise _damaged(path)
    found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(found[0][0]) if len(found) == 1 else ""


def out_of_reach(path: Path, error: OSError | sqlite3.Error) -> StoreRefused:
    """For a file that can't be read or written at the moment, or where it is."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest tells of what kind it is
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreRefused(
            f"{path} is held by another program ({error}). Try again when that has ended, or {ELSEWHERE.en}.",
            f"{path} は別のプログラムが使用しています（{error}）。終了してからもう一度試すか、{ELSEWHERE.ja}してください。",
        )
    said = str(error)
    why = reason_of(error) if isinstance(error, OSError) else Text(said, said)
    return StoreRefused(
        f"{path} can't be read and written: {why.en}. Make that possible, or {ELSEWHERE.en}.",
        f"{path} を読み書きできません（{why.ja}）。読み書きできるようにするか、{ELSEWHERE.ja}してください。",
    )


def _damaged(path: Path) -> StoreRefused:
    return StoreRefused(
        f"{path} is damaged or no database. It was left as it is: restore a backup (`hayate db backup` makes them), "
        "or move it away to start anew.",
        f"{path} は壊れているか、データベースではありません。ファイルには手を加えていません。"
        "バックアップ（`hayate db backup` で作成したもの）から復元するか、別の場所へ移して新しく始めてください。",
    )
