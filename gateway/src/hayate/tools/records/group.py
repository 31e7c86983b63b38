"""`hayate db` and the commands below it."""

from __future__ import annotations

import typer

from hayate.language import Text
from hayate.tools.command_line import Verbs
from hayate.tools.keys.group import add
from hayate.tools.records.options import BackupOptions, DbOptions
from hayate.tools.records.verbs import backup, check, migrate, vacuum


class _Db(Verbs):
    """`hayate db`."""

    says = Text(
        "The file that holds keys and the record of calls.", "APIキーと呼び出しの記録を保存したファイルの管理。"
    )


db = typer.Typer(cls=_Db, no_args_is_help=True, rich_markup_mode=None)
add(
    db,
    "check",
    DbOptions,
    check,
    Text("Read it all and say whether it is sound.", "全体を読み、壊れていないか確認します。"),
)
add(
    db,
    "backup",
    BackupOptions,
    backup,
    Text("Copy it, while a gateway may write to it.", "コピーを作成します（ゲートウェイの動作中も可）。"),
)
add(
    db,
    "vacuum",
    DbOptions,
    vacuum,
    Text("Give back what deleted records have left free.", "削除された記録の空き領域を解放します。"),
)
add(db, "migrate", DbOptions, migrate, Text("Bring it to this release's tables.", "このバージョンの形式に更新します。"))
