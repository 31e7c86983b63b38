"""What `hayate check-config` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hayate.tools.command_line import ConfigOption


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The file to look at, as an argument or as everywhere else."""

    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The YAML file, if not named by --config or HAYATE_CONFIG.")
    ] = None
    config: ConfigOption = None
