"""`hayate key`: the API key, alone on standard output; whatever else there is to say goes to standard error.

Rule: it makes no key. One that the gateway has made is in the configured data folder, or in that of the gateway that runs;
where there is none to show, the status is 1.
"""

from __future__ import annotations

from pathlib import Path

import typer

from hayate.access.key_files import MAIN, KeyFileError, find_key, out_of_reach, write_key
from hayate.config.load import data_folder
from hayate.language import Text
from hayate.serve.whereabouts import RunningGateway
from hayate.tools.environment import Environment
from hayate.tools.gateway.options import KeyOptions
from hayate.tools.running import all_running, reachable

NONE_THERE, REFUSED = 1, 2
_CREATE = Text("hayate key create --name NAME", "hayate key create --name 名前")


def run_key(options: KeyOptions, env: Environment) -> int:
    """Shows the key, or replaces it; the status. Raises ConfigError, KeyFileError."""
    data = data_folder(options.config, env)
    found = find_key(data, env)
    if found is not None and options.rotate:
        return _rotate(data, env)
    if found is not None:
        typer.echo(found)
        return 0
    running = all_running(env)
    if len(running) == 1 and not options.rotate:
        return _of_running(running[0], data, env)
    return _say(_no_key(data, running), env, NONE_THERE)


def _rotate(data: Path, env: Environment) -> int:
    """A new key in place of the one in this folder."""
    if env.get(MAIN.variable, "").strip():
        return _say(
            Text(
                "The key comes from HAYATE_API_KEY: change it there.",
                "APIキーはHAYATE_API_KEYの値です。そちらを変更してください。",
            ),
            env,
        )
    try:
        made = write_key(data)
    except OSError as error:
        return _say(out_of_reach(data / MAIN.file, error).texts, env)
    _say(
        Text(
            "New key; restart the gateway to use it.",
            "新しいAPIキーです。ゲートウェイを再起動すると有効になります。",
        ),
        env,
    )
    typer.echo(made)
    return 0


def _of_running(gateway: RunningGateway, looked: Path, env: Environment) -> int:
    """The key of the gateway that runs, from whatever folder it was started in."""
    url = reachable(gateway.url)
    try:
        found = find_key(gateway.data, {})
    except KeyFileError:
        found = None
    if found is None:
        return _say(
            Text(
                f"The gateway at {url} was given its key: look where HAYATE_API_KEY is set for it, "
                f"or make one of its own for each use: {_CREATE.en}",
                f"{url}のゲートウェイのAPIキーは、起動時にHAYATE_API_KEYで渡されています。その設定を確認するか、"
                f"用途ごとのキーを作成してください: {_CREATE.ja}",
            ),
            env,
            NONE_THERE,
        )
    _say(
        Text(
            f"{looked.absolute()} has no key; this is the one of the gateway at {url}, in {gateway.data}.",
            f"{looked.absolute()}にAPIキーがないため、{url}で動作中のゲートウェイのものを表示します（{gateway.data}）。",
        ),
        env,
    )
    typer.echo(found)
    return 0


def _no_key(data: Path, running: list[RunningGateway]) -> Text:
    """Another folder is the usual reason, and a second key would be of no use there."""
    path = (data / MAIN.file).absolute()
    if running:
        folders = ", ".join(f"{each.data} ({reachable(each.url)})" for each in running)
        return Text(
            f"There is no API key at {path}. Gateways run on these data folders: {folders}. "
            f"For a project's own key, type {_CREATE.en} there. "
            f"Name one with HAYATE_DATA: HAYATE_DATA={running[0].data} hayate key",
            f"{path}にAPIキーがありません。動作中のゲートウェイのデータフォルダー: {folders}。"
            f"プロジェクト用のキーは、そのフォルダーで {_CREATE.ja} を実行して作成します。"
            f"HAYATE_DATAで指定してください: HAYATE_DATA={running[0].data} hayate key",
        )
    return Text(
        f"There is no API key at {path}, and no gateway of yours runs. The gateway makes one at its first start; "
        f"name its data folder with HAYATE_DATA, or its file with --config. "
        f"A project gets its own key by {_CREATE.en}",
        f"{path}にAPIキーがありません。動作中のゲートウェイも見つかりません。APIキーはゲートウェイの初回起動時に作られます。"
        f"データフォルダーをHAYATE_DATAで指定するか、設定ファイルを--configで指定してください。"
        f"プロジェクト用のキーを作成するには: {_CREATE.ja}",
    )


def _say(text: Text, env: Environment, status: int = REFUSED) -> int:
    typer.echo(text.of(env.language), err=True)
    return status
