"""What `hayate status` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from hayate.language import Text
from hayate.tools.command_line import ConfigOption

UrlOption = Annotated[
    str | None,
    Option("--url"),
    Text(
        "The gateway to ask; by default that of this configuration, or the one that runs.",
        "調べるゲートウェイのアドレス。省略すると、設定が指すゲートウェイか、動作中のゲートウェイ。",
    ),
]
JsonOption = Annotated[
    bool,
    Option("--json"),
    Text("For programs; later versions only add fields.", "プログラム用にJSONで出力します。"),
]
TimeoutOption = Annotated[
    float, Option("--timeout", min=0.1, max=600), Text("Seconds to wait for an answer.", "応答を待つ秒数。")
]


@dataclass(frozen=True, slots=True)
class StatusOptions:
    """What was typed; nothing of it is checked yet."""

    url: UrlOption = None
    config: ConfigOption = None
    as_json: JsonOption = False
    timeout_s: TimeoutOption = 5.0
