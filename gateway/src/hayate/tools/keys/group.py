"""`hayate key` and the commands below it: alone it shows the owner's key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import typer

from hayate.language import Text
from hayate.tools.command_line import Verb, Verbs, verb
from hayate.tools.environment import Environment
from hayate.tools.gateway.options import KeyOptions
from hayate.tools.gateway.verbs import key, mistakes_told
from hayate.tools.keys.options import CreateOptions, ListOptions, OneOptions, RotateOptions, UpdateOptions
from hayate.tools.keys.verbs import create, listed, revoke, rotate, show, update

Options = TypeVar("Options")


class _Key(Verbs):
    """`hayate key`; alone it shows the owner's."""

    says = Text(
        "Keys, one for each project. Alone: show the owner's key, which the gateway made at its first start or was given.",
        "プロジェクトごとのAPIキー。単独では、ゲートウェイが初回起動時に作った（または渡された）所有者のキーを表示します。",
    )


def add(
    group: typer.Typer,
    name: str,
    options: Callable[..., Options],
    run: Callable[[Options, Environment], int],
    says: Text,
) -> None:
    """One command of a group."""
    group.command(name, cls=Verb)(verb(options, mistakes_told(run), says))


keys = typer.Typer(cls=_Key, invoke_without_command=True, rich_markup_mode=None)
keys.callback()(verb(KeyOptions, mistakes_told(key), unless_followed=True))
add(
    keys,
    "create",
    CreateOptions,
    create,
    Text("Make a key, and show it once.", "APIキーを作成し、一度だけ表示します。"),
)
add(keys, "list", ListOptions, listed, Text("List the keys.", "APIキーの一覧を表示します。"))
add(keys, "show", OneOptions, show, Text("Show what a key may do, and how much.", "APIキーの権限と上限を表示します。"))
add(keys, "update", UpdateOptions, update, Text("Change what a key may do.", "APIキーの権限や上限を変更します。"))
add(
    keys,
    "revoke",
    OneOptions,
    revoke,
    Text("End a key and the calls that run with it.", "APIキーを失効させ、実行中の呼び出しも止めます。"),
)
add(
    keys,
    "rotate",
    RotateOptions,
    rotate,
    Text("Replace a key; the old one stays good for a while.", "APIキーを交換します。古いキーはしばらく使えます。"),
)
