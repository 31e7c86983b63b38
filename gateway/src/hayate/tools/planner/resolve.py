"""From what the user typed to a model's facts: the catalogue first, then a path here, then the Hub."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from hayate.tools.planner.catalogue import find_model
from hayate.tools.planner.config_json import facts_from_config
from hayate.tools.planner.facts import FactsMissing, ModelFacts
from hayate.tools.planner.gguf import facts_from_gguf
from hayate.tools.planner.hub_facts import facts_from_hub
from hayate.tools.planner.weights import folder_weight_bytes, read_json


def resolve_model(name: str, catalogue: Sequence[ModelFacts], env: Mapping[str, str] | None = None) -> ModelFacts:
    """The facts of `name`: an id of the catalogue, a folder, a GGUF file, or a repository of the Hub. Raises FactsMissing."""
    path = Path(name).expanduser()
    if found := find_model(catalogue, name):
        return found
    if path.is_dir():
        return facts_from_folder(path)
    if path.is_file() and path.suffix == ".gguf":
        return facts_from_gguf(path)
    if (
        path.suffix == ".gguf"
        or path.is_absolute()
        or name.startswith(("./", "../", "~"))
        or (os.sep != "/" and os.sep in name)
    ):
        raise FactsMissing(f"{name}: no such model file or folder", f"{name}: モデルのファイルやフォルダーがありません")
    if name.count("/") != 1:
        raise FactsMissing(
            f"{name}: not in the catalogue (see `hayate models`), and not a path or a Hub id",
            f"{name} はカタログになく（`hayate models` を参照）、パスでもHubのIDでもありません",
        )
    return facts_from_hub(name, env)


def facts_from_folder(folder: Path) -> ModelFacts:
    """A model in a local folder: `config.json` with its weights, or one GGUF file."""
    if (folder / "config.json").is_file():
        return facts_from_config(
            str(folder), read_json(folder / "config.json"), folder_weight_bytes(folder), source=str(folder)
        )
    files = sorted(path for path in folder.glob("*.gguf") if "-of-" not in path.name or "-00001-of-" in path.name)
    if len(files) == 1:
        return facts_from_gguf(files[0])
    if files:
        names = ", ".join(path.name for path in files)
        raise FactsMissing(
            f"{folder} holds several GGUF files: give one of {names}",
            f"{folder} に複数のGGUFがあります。1つ指定してください: {names}",
        )
    raise FactsMissing(
        f"{folder}: neither a config.json nor a GGUF file", f"{folder}: config.json もGGUFファイルもありません"
    )
