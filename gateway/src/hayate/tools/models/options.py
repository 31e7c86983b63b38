"""What `hayate pull` and `hayate rm` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hayate.language import Text
from hayate.tools.command_line import ConfigOption
from hayate.tools.status.options import JsonOption

ModelsOption = Annotated[
    Path | None,
    Option("--models"),
    Text(
        "The folder with the models, else HAYATE_MODELS_DIR, else models.",
        "モデルのフォルダー。省略するとHAYATE_MODELS_DIR、それもなければmodels。",
    ),
]


@dataclass(frozen=True, slots=True)
class PullOptions:
    """What was typed; nothing of it is checked yet."""

    ref: Annotated[
        str,
        Argument(),
        Text(
            "On the Hub owner/repo, owner/repo:Q4_K_M or owner/repo/file.gguf; of Ollama ollama:llama3.2:1b; or a deployment of "
            "the configuration, whose model is meant.",
            "Hubのowner/repo、owner/repo:Q4_K_M、owner/repo/file.gguf、Ollamaのollama:llama3.2:1b、または設定にあるデプロイメント名"
            "（そのモデルを取得します）。",
        ),
    ]
    models: ModelsOption = None
    config: ConfigOption = None
    replace: Annotated[
        bool,
        Option("--replace"),
        Text(
            "Let other files of the same names give way, once the new ones are whole.",
            "同じ名前で内容の異なるファイルを、新しいものが揃った時点で置き換えます。",
        ),
    ] = False
    as_json: JsonOption = False


@dataclass(frozen=True, slots=True)
class RmOptions:
    """What was typed; nothing of it is checked yet."""

    name: Annotated[
        str,
        Argument(),
        Text(
            "A file or a folder in the folder with the models; of a split GGUF any part means all.",
            "モデルのフォルダー内のファイルかフォルダー。分割GGUFは、どれか1つの指定で全体が対象になります。",
        ),
    ]
    models: ModelsOption = None
    config: ConfigOption = None
    yes: Annotated[bool, Option("--yes", "-y"), Text("Do not ask.", "確認せずに削除します。")] = False
    force: Annotated[
        bool,
        Option("--force"),
        Text("Also what is configured or in use.", "設定で参照中のモデルや使用中のモデルも削除します。"),
    ] = False
    as_json: JsonOption = False
