"""Which store a command beside the gateway means: that of the configured data folder, else of the only gateway that runs.

Rule: what only looks makes no file, and whoever works on another folder than the configured one is told so.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from hayate.config.load import whole_config
from hayate.config.models import Config
from hayate.language import BilingualError, Text
from hayate.tools.environment import Environment
from hayate.tools.running import all_running, reachable


class NoStore(BilingualError):
    """There is no store where one was looked for."""


class StorePlace(NamedTuple):
    """A store's file, the data folder of its gateway, the configuration, and what is to be said before it is used, if
    anything.
    """

    path: Path
    data: Path
    config: Config
    note: Text | None = None


def place_of_store(config: Path | None, env: Environment, *, make: bool = False) -> StorePlace:
    """The store that is meant; where there is none yet it may be made, if `make`. Raises NoStore, ConfigError."""
    found = whole_config(config, env)
    path = found.store_file.absolute()
    if path.exists():
        return StorePlace(path, found.data, found)
    running = all_running(env)
    if len(running) == 1 and running[0].data != found.data.resolve():
        used = running[0].data / found.store.file
        return StorePlace(
            used,
            running[0].data,
            found,
            Text(
                f"There is no {path}; the gateway at {reachable(running[0].url)} is meant, with {used}.",
                f"{path} がないため、{reachable(running[0].url)} で動作中のゲートウェイの {used} を使います。",
            ),
        )
    if make:
        return StorePlace(
            path,
            found.data,
            found,
            Text(
                f"{path} is new: no gateway has run on this folder yet.",
                f"{path} を新しく作成しました。このフォルダーではまだゲートウェイが起動されていません。",
            ),
        )
    folders = ", ".join(str(each.data) for each in running)
    raise NoStore(
        f"There is no {path}. The gateway makes it at its first start; name its data folder with HAYATE_DATA, or its file "
        f"with --config.{f' Gateways run on: {folders}' if folders else ''}",
        f"{path} がありません。ゲートウェイの初回起動時に作られます。データフォルダーをHAYATE_DATAで、"
        f"または設定ファイルを--configで指定してください。{f'動作中のゲートウェイのフォルダー: {folders}' if folders else ''}",
    )
