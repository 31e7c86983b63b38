"""What `hayate ps`, `load`, `unload` and `logs` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Argument, Option

from hayate.language import Text
from hayate.tools.command_line import ConfigOption
from hayate.tools.keys.options import JsonOption
from hayate.tools.status.options import TimeoutOption, UrlOption

NAME = Text(
    "The deployment, or an alias of it; `hayate ps` lists them.", "デプロイメントかそのエイリアス。一覧は`hayate ps`。"
)
NameArgument = Annotated[str, Argument(), NAME]
WaitOption = Annotated[
    float,
    Option("--timeout", min=0.1, max=86400),
    Text(
        "Seconds to wait for it at most; the gateway goes on.", "待つ秒数の上限。過ぎてもゲートウェイの処理は続きます。"
    ),
]
WAIT_S = 3600.0


@dataclass(frozen=True, slots=True)
class PsOptions:
    """What was typed; nothing of it is checked yet."""

    url: UrlOption = None
    config: ConfigOption = None
    json: JsonOption = False
    timeout_s: TimeoutOption = 5.0


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Which model."""

    name: NameArgument
    url: UrlOption = None
    config: ConfigOption = None
    json: JsonOption = False
    timeout_s: WaitOption = WAIT_S


@dataclass(frozen=True, slots=True)
class UnloadOptions:
    """Which model, or all that are loaded."""

    name: Annotated[str | None, Argument(), NAME] = None
    all: Annotated[bool, Option("--all"), Text("Whatever is loaded.", "読み込まれているモデルすべて。")] = False
    url: UrlOption = None
    config: ConfigOption = None
    json: JsonOption = False
    timeout_s: WaitOption = WAIT_S


@dataclass(frozen=True, slots=True)
class LogsOptions:
    """Whose log, how much of it, and whether to go on."""

    name: NameArgument
    follow: Annotated[
        bool,
        Option("--follow", "-f"),
        Text("Go on with what is written; Ctrl-C ends it.", "追記を表示し続けます。Ctrl-Cで終了。"),
    ] = False
    lines: Annotated[
        int, Option("--lines", "-n", min=1, max=10_000), Text("So many lines of its end.", "末尾から表示する行数。")
    ] = 100
    url: UrlOption = None
    config: ConfigOption = None
    json: Annotated[
        bool, Option("--json"), Text("A JSON object for each line.", "1行ごとにJSONオブジェクトで出力します。")
    ] = False
    timeout_s: TimeoutOption = 5.0
