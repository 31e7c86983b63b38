"""`hayate db check`, `backup`, `vacuum` and `migrate`: the store's file itself. A gateway may run on it meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from time import strftime

import typer

from hayate.language import BilingualError, Text, reason_of
from hayate.store.copies import back_up
from hayate.store.hidden import UNFINISHED
from hayate.store.migrate import open_file
from hayate.store.schema import HEAD
from hayate.store.sqlite import beside, connect, is_ours, look_at, unusable
from hayate.tools.environment import Environment
from hayate.tools.keys.place import place_of_store
from hayate.tools.records.options import BackupOptions, DbOptions

KIB, MIB = 1024, 1024 * 1024
LOST = "PRAGMA foreign_key_check"
TALKS = "SELECT count(*) FROM conversations WHERE listed AND project >= ?"
NO_PROJECT = chr(ord(UNFINISHED) + 1)
"""What the names of those begin with that nobody sees is below this."""


class NotDone(BilingualError):
    """What was asked of the file could not be done; it is as it was."""


def check(options: DbOptions, env: Environment) -> int:
    """Reads the whole file and says whether it is sound; status 1 when it is not."""
    path = _file(options.config, env)
    try:
        with closing(connect(path, readonly=True)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
            found += [f"{table}, row {row}: {parent}" for table, row, parent, _ in connection.execute(LOST)]
            (calls,) = connection.execute("SELECT count(*) FROM calls").fetchone()
            (keys,) = connection.execute("SELECT count(*) FROM keys").fetchone()
            (talks,) = connection.execute(TALKS, (NO_PROJECT,)).fetchone()
    except sqlite3.OperationalError as error:
        raise unusable(path, error) from None
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    if not found:
        size_is = _size(path.stat().st_size)
        typer.echo(
            Text(
                f"{path}: sound. calls: {calls:,}, keys: {keys:,}, conversations: {talks:,}, {size_is.en}.",
                f"{path}: 問題ありません。呼び出し{calls:,}件、APIキー{keys:,}件、会話{talks:,}件、{size_is.ja}。",
            ).of(env.language)
        )
        return 0
    for each in found:
        typer.echo(each, err=True)
    parts = ", ".join(each.name for each in beside(path))  # the log of the damaged file is not for the backup
    typer.echo(
        Text(
            f"{path} is damaged. Stop the gateway, remove {parts} and put a backup in its place.",
            f"{path} は壊れています。ゲートウェイを停止して {parts} を削除し、バックアップに置き換えてください。",
        ).of(env.language),
        err=True,
    )
    return 1


def backup(options: BackupOptions, env: Environment) -> int:
    """Copies the file, as it is at one moment, while a gateway may write to it."""
    path = _file(options.config, env)
    copy = options.to or path.with_name(f"{path.stem}-{strftime('%Y%m%d-%H%M%S')}{path.suffix}")
    if copy.is_dir():
        copy = copy / path.name
    if copy.exists() and not _is_backup(copy, path):
        raise NotDone(
            f"{copy} is no backup and is left as it is. Name another file.",
            f"{copy} はバックアップではないため、上書きしません。別のファイル名を指定してください。",
        )
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        back_up(path, copy)
    except OSError as error:
        why = reason_of(error)
        raise NotDone(f"{copy} can't be written: {why.en}.", f"{copy} に書き込めません（{why.ja}）。") from None
    except sqlite3.Error as error:
        raise NotDone(
            f"{path} could not be copied to {copy}: {error}.", f"{path} を {copy} にコピーできませんでした（{error}）。"
        ) from None
    typer.echo(copy)
    return 0


def vacuum(options: DbOptions, env: Environment) -> int:
    """Gives back what deleted records have left free."""
    path = _file(options.config, env)
    before = path.stat().st_size
    try:
        with closing(connect(path)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise NotDone(
            f"{path}: {error}. Try again when fewer calls are under way.",
            f"{path} を整理できませんでした（{error}）。呼び出しが少ないときにもう一度お試しください。",
        ) from None
    was, now = _size(before), _size(path.stat().st_size)
    typer.echo(
        Text(
            f"{path}: {was.en} before, {now.en} now.",
            f"{path}: {was.ja}から{now.ja}になりました。",
        ).of(env.language)
    )
    return 0


def migrate(options: DbOptions, env: Environment) -> int:
    """Brings the file to this release's tables, as the gateway does at its start."""
    path = place_of_store(options.config, env).path
    engine, copy = open_file(path)
    engine.dispose()
    done = Text(f"{path} is up to date.", f"{path} は最新です。")
    if copy is not None:
        done = Text(f"{done.en} The file before: {copy}", f"{done.ja} 変更前のファイル: {copy}")
    typer.echo(done.of(env.language))
    return 0


def _file(config: Path | None, env: Environment) -> Path:
    """The store's file, which must be there and ours. Raises NoStore, StoreRefused, ConfigError."""
    place = place_of_store(config, env)
    if place.note is not None:
        typer.echo(place.note.of(env.language), err=True)
    path = place.path.resolve()
    look_at(path, (HEAD,))
    return path


def _is_backup(copy: Path, path: Path) -> bool:
    """Whether a file is a copy of a store that nobody uses, which another copy may take the place of."""
    try:
        return not copy.samefile(path) and is_ours(copy) and not any(each.exists() for each in beside(copy))
    except (OSError, sqlite3.Error):
        return False


def _size(size: float) -> Text:
    """Bytes as people write them: three digits or so."""
    shown = f"{size / MIB:,.1f}" if size >= MIB else f"{size / KIB:,.0f}"
    unit = "MiB" if size >= MIB else "KiB"
    return Text(f"{shown} {unit}", f"{shown}{unit}")
