"""What `hayate chat` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Argument, Option

from hayate.language import Text
from hayate.tools.command_line import ConfigOption
from hayate.tools.status.options import JsonOption

UrlOption = Annotated[
    str | None,
    Option("--url"),
    Text(
        "The gateway to talk through; by default that of this configuration, or the one that runs.",
        "接続先のアドレス。省略すると、設定が指すゲートウェイか、動作中のゲートウェイ。",
    ),
]


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """What was typed; nothing of it is checked yet."""

    model: Annotated[
        str | None,
        Argument(),
        Text("A model or an alias; else default.", "モデルかエイリアス。省略するとdefault。"),
    ] = None
    system: Annotated[
        str | None,
        Option("--system"),
        Text("What the model is told before all else.", "最初にモデルへ与える指示（システムプロンプト）。"),
    ] = None
    url: UrlOption = None
    config: ConfigOption = None
    key: Annotated[
        str | None,
        Option("--key"),
        Text(
            "The key to call with; in HAYATE_API_KEY or data/api_key it stays out of `ps`.",
            "呼び出しに使うAPIキー。HAYATE_API_KEYかdata/api_keyに置けば、psの表示に残りません。",
        ),
    ] = None
    as_json: JsonOption = False
