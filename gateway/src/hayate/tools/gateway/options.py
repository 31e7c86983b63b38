"""What `hayate serve`, `check-config`, `config show` and `key` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hayate.language import Text
from hayate.tools.command_line import ConfigOption, HostOption, PortOption


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What was typed; None leaves it to the environment or the file."""

    config: ConfigOption = None
    host: HostOption = None
    port: PortOption = None


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """Which configuration."""

    file: Annotated[
        Path | None,
        Argument(),
        Text("The YAML file, as --config names it too.", "YAMLファイル（--configでも指定できます）。"),
    ] = None
    config: ConfigOption = None


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """Whose key, and whether it is to be another."""

    config: ConfigOption = None
    rotate: Annotated[
        bool,
        Option("--rotate"),
        Text(
            "Replace it by a new one; the old one ends when the gateway is restarted.",
            "新しいAPIキーに置き換えます。古いキーは、ゲートウェイの再起動まで使えます。",
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """Which configuration, with what would be typed for `serve` or `up`, and how it is shown."""

    config: ConfigOption = None
    host: HostOption = None
    port: PortOption = None
    as_json: Annotated[
        bool, Option("--json"), Text("As JSON, without the secrets.", "JSONで出力します（秘密の値は含みません）。")
    ] = False
