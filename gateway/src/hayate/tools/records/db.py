"""`hayate db check`, `backup`, `vacuum` and `migrate`: the store's file itself. A gateway may run on it meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from time import strftime

import typer

from hayate.config.load import whole_config
from hayate.language import BilingualError, Text
from hayate.store.migrate import back_up, open_file
from hayate.store.sqlite import connect
from hayate.tools.environment import Environment
from hayate.tools.keys.commands import store_of
from hayate.tools.records.options import BackupOptions, DbOptions

MIB = 1024 * 1024


class NotDone(BilingualError):
    """What was asked of the file could not be done; it is as it was."""


def check(options: DbOptions, env: Environment) -> int:
    """Reads the whole file and says whether it is sound; status 1 when it is not."""
    path = _file(options.config, env)
    with closing(connect(path, readonly=True)) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        lost = connection.execute("PRAGMA foreign_key_check").fetchall()
        (calls,) = connection.execute("SELECT count(*) FROM calls").fetchone()
        (keys,) = connection.execute("SELECT count(*) FROM keys").fetchone()
        (pages,), (size,) = (connection.execute(f"PRAGMA {each}").fetchone() for each in ("page_count", "page_size"))
    if found == ["ok"] and not lost:
        typer.echo(
            Text(
                f"{path}: sound. calls: {calls:,}, keys: {keys:,}, {pages * size / MIB:.1f} MiB.",
                f"{path}: 問題ありません。呼び出し{calls:,}件、APIキー{keys:,}件、{pages * size / MIB:.1f}MiB。",
            ).of(env.language)
        )
        return 0
    for each in found:
        typer.echo(each, err=True)
    typer.echo(
        Text(
            f"{path} is damaged. Stop the gateway and put a backup in its place.",
            f"{path} は壊れています。ゲートウェイを停止し、バックアップに置き換えてください。",
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
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        back_up(path, copy)
    except (OSError, sqlite3.Error) as error:
        raise NotDone(f"{copy} can't be written: {error}.", f"{copy} に書き込めません（{error}）。") from None
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
    except sqlite3.OperationalError as error:
        raise NotDone(
            f"{path}: {error}. Try again when fewer calls are under way.",
            f"{path} を整理できませんでした（{error}）。呼び出しが少ないときにもう一度お試しください。",
        ) from None
    after = path.stat().st_size
    typer.echo(
        Text(
            f"{path}: {before / MIB:.1f} MiB before, {after / MIB:.1f} MiB now.",
            f"{path}: {before / MIB:.1f}MiB から {after / MIB:.1f}MiB になりました。",
        ).of(env.language)
    )
    return 0


def migrate(options: DbOptions, env: Environment) -> int:
    """Brings the file to this release's tables, as the gateway does at its start."""
    path = store_of(whole_config(options.config, env), env)
    engine, copy = open_file(path)
    engine.dispose()
    done = Text(f"{path} is up to date.", f"{path} は最新です。")
    if copy is not None:
        done = Text(f"{done.en} The file before: {copy}", f"{done.ja} 変更前のファイル: {copy}")
    typer.echo(done.of(env.language))
    return 0


def _file(config: Path | None, env: Environment) -> Path:
    """The store's file, which must be there and ours. Raises NotDone, StoreRefused, ConfigError."""
    path = store_of(whole_config(config, env), env)
    if not path.exists():
        raise NotDone(
            f"There is no {path}. The gateway makes it at its first start; name its data folder with HAYATE_DATA.",
            f"{path} がありません。ゲートウェイの初回起動時に作られます。データフォルダーはHAYATE_DATAで指定できます。",
        )
    open_file(path)[0].dispose()
    return path
