"""The SQLite file: how it is opened, and when it is not.

A file that is damaged, or that some other program made, or a newer release of this one, is refused by name and never
written to. Ours is readable by its owner alone, and so are the two that SQLite keeps beside it. WAL, so that readers
and the writer don't wait for each other; foreign keys on; a lock of another process is waited for at most `BUSY_S`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from hayate.language import BilingualError, Text, reason_of
from hayate.store.alone import alone_in

APPLICATION_ID: Final = 0x48415954
"""`HAYT`, in the file's header (SQLite's own place for telling whose a file is)."""
BUSY_S: Final = 2.0
ELSEWHERE: Final = Text(
    "name another folder with HAYATE_DATA (or another file with store.file)",
    "HAYATE_DATA で別のフォルダーを（または store.file で別のファイルを）指定",
)


class StoreRefused(BilingualError):
    """The store can't be opened as it is. Raised before anything serves; the text says what to do."""


def connect(
    path: Path,
    *,
    busy_s: float = BUSY_S,
    readonly: bool = False,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    """A connection of the driver's own, for the statements that are too frequent for anything above it. Transactions are begun
    by hand. It may be used by one thread at a time, any. What it deletes, it overwrites.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rw'}",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
        check_same_thread=False,
        factory=factory,
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def engine_of(path: Path, *, busy_s: float = BUSY_S) -> Engine:
    """SQLAlchemy's engine on the file; each connection is opened anew and closed after use: they cost 0.1 ms."""
    engine = create_engine("sqlite://", creator=lambda: connect(path, busy_s=busy_s), poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(str(connection.get_execution_options().get("begin", "BEGIN")))

    return engine


def writing(engine: Engine) -> Connection:
    """A connection whose transactions are the only ones that write from their first statement on."""
    return engine.connect().execution_options(begin="BEGIN IMMEDIATE")


@contextlib.contextmanager
def in_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Whatever is written within is in the file, or none of it is. On a connection of the driver's own that is in none yet. Raises
    sqlite3.Error.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def beside(path: Path) -> tuple[Path, Path]:
    """What SQLite keeps next to the file while it is in use: the log of what was written last, and the index to it."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def prepare_file(path: Path, versions: Sequence[str]) -> str | None:
    """Makes the file if there is none, looks whether it is ours, and says which migration it stands at, one of `versions`;
    None for an empty one. Raises StoreRefused.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        # Never opened but by SQLite: to close a file of one's own gives up the locks that this process has on it.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with alone_in(path.parent):
            return look_at(path, versions)
    except OSError as error:
        raise unusable(path, error) from None


def look_at(path: Path, versions: Sequence[str]) -> str | None:
    """Whether the file is ours and whole, and which migration it stands at; None for an empty one, which is ours from now on.
    Raises StoreRefused, with nothing written to a file that is not ours.
    """
    try:
        if path.stat().st_size and not is_ours(path):
            raise StoreRefused(
                f"{path} is another program's database. It was left as it is: move it away, or {ELSEWHERE.en}.",
                f"{path} は別のプログラムのデータベースです。ファイルには手を加えていません。"
                f"別の場所へ移すか、{ELSEWHERE.ja}してください。",
            )
        with closing(connect(path)) as connection:
            version = _version(path, connection)
            if version is None:  # in this order: from the first byte on it is ours
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("PRAGMA journal_mode = WAL")
            _keep_private(path)
    except (sqlite3.Error, OSError) as error:
        raise unusable(path, error) from None
    if version is not None:
        check_version(path, version, versions)
    return version


def _version(path: Path, connection: sqlite3.Connection) -> str | None:
    """Which migration the file stands at, if any. What SQLite finds damaged by itself (its head, a missing end) it raises."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" not in tables:
        return None
    # Without its keys a gateway lets nobody in: their pages are read. Those of the calls, of which there may be millions, aren't.
    if "keys" in tables and connection.execute("PRAGMA quick_check('keys')").fetchone() != ("ok",):
        raise _damaged(path)
    found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(found[0][0]) if len(found) == 1 else ""


def is_ours(path: Path) -> bool:
    """What the file itself says, looked at without taking part in whatever may be under way in it: to open a database that
    somebody else has left in the middle writes to it. Raises sqlite3.DatabaseError for what is none.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        (found,) = connection.execute("PRAGMA application_id").fetchone()
        return bool(found == APPLICATION_ID)


def check_version(path: Path, version: str, versions: Sequence[str]) -> None:
    """Raises StoreRefused for one that this release does not know."""
    if version not in versions:
        raise StoreRefused(
            f"{path} was written by a newer release (schema {version or '?'}; this one knows up to {versions[-1]}). "
            "Run that release, or restore the backup that it made before it changed the file.",
            f"{path} は新しいバージョンで作成されています（スキーマ {version or '?'}。対応は {versions[-1]} まで）。"
            "そのバージョンを使うか、変更前に作成されたバックアップから復元してください。",
        )


def unusable(path: Path, error: Exception) -> StoreRefused:
    """The words for what the system, the driver or SQLAlchemy has raised of the file."""
    found = getattr(error, "orig", None) or error
    if isinstance(found, sqlite3.DatabaseError) and not isinstance(found, sqlite3.OperationalError):
        return _damaged(path)
    code = getattr(found, "sqlite_errorcode", 0) & 0xFF  # the rest tells of what kind it is
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreRefused(
            f"{path} is held by another program ({found}). Try again when that has ended, or {ELSEWHERE.en}.",
            f"{path} は別のプログラムが使用しています（{found}）。終了してからもう一度試すか、{ELSEWHERE.ja}してください。",
        )
    said = str(found)
    why = reason_of(found) if isinstance(found, OSError) else Text(said, said)
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


def _keep_private(path: Path) -> None:
    """Takes the file from everybody but its owner. Where its mode can't be changed, it is as private as its owner wanted it."""
    for each in (path, *beside(path)):
        with contextlib.suppress(OSError):
            if each.stat().st_mode & 0o077:
                each.chmod(0o600)
