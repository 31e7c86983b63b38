"""What `hayate serve`, `check-config`, `config show` and `key` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

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
