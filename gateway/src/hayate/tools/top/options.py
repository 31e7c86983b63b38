"""What `hayate top` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from hayate.language import Text
from hayate.tools.command_line import ConfigOption
from hayate.tools.status.options import TimeoutOption, UrlOption


@dataclass(frozen=True, slots=True)
class TopOptions:
    """What was typed; nothing of it is checked yet."""

    url: UrlOption = None
    config: ConfigOption = None
    once: Annotated[
        bool,
        Option("--once"),
        Text(
            "Show it once and end; so it is where no terminal looks on.",
            "一度だけ表示して終了します。出力先が端末でないときは、指定がなくても同じです。",
        ),
    ] = False
    as_json: Annotated[
        bool,
        Option("--json"),
        Text(
            "Once, for programs; later versions only add fields.",
            "プログラム用に、JSONで一度だけ出力します。",
        ),
    ] = False
    timeout_s: TimeoutOption = 5.0
