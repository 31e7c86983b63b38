"""What `hayate usage` and `hayate db …` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hayate.language import Text
from hayate.store.groups import By
from hayate.tools.command_line import ConfigOption
from hayate.tools.keys.options import JsonOption


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageOptions:
    """Of whom, since when, and added up by what."""

    by: Annotated[
        By,
        Option("--by"),
        Text(
            "Add up by key, project, model, deployment, path, day or hour.",
            "集計の単位: key、project、model、deployment、path、day、hour。",
        ),
    ] = "key"
    since: Annotated[
        str,
        Option("--since"),
        Text("From when on: 7d, 12h, 2026-12-31.", "いつから: 7d、12h、2026-12-31 など。"),
    ] = "7d"
    until: Annotated[
        str | None,
        Option("--until"),
        Text("Until when; now unless told.", "いつまで。省略すると現在まで。"),
    ] = None
    key: Annotated[
        str | None,
        Option("--key"),
        Text("Only this key, by its id or name.", "このAPIキーだけ（IDまたは名前）。"),
    ] = None
    project: Annotated[str | None, Option("--project"), Text("Only this project.", "このプロジェクトだけ。")] = None
    model: Annotated[str | None, Option("--model"), Text("Only this model.", "このモデルだけ。")] = None
    json: JsonOption = False
    csv: Annotated[bool, Option("--csv"), Text("Print CSV.", "CSVで表示します。")] = False
    config: ConfigOption = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DbOptions:
    """Which data folder's."""

    config: ConfigOption = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOptions:
    """Where to."""

    to: Annotated[
        Path | None,
        Argument(),
        Text(
            "The copy; beside the file, with the day in its name, unless told.",
            "コピー先。省略すると日付付きで同じ場所に作ります。",
        ),
    ] = None
    config: ConfigOption = None
