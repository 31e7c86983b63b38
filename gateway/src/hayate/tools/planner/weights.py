"""How many bytes a folder of weights puts into memory, read from headers and indexes without loading anything.

Engines load one set: the files that `model.safetensors.index.json` names, else every safetensors file that is not a
second copy (`consolidated…`) or an adapter, else PyTorch's `.bin` files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hayate.tools.planner.facts import FactsMissing

SAFETENSORS_INDEX = "model.safetensors.index.json"
BIN_INDEX = "pytorch_model.bin.index.json"
LARGEST_HEADER = 100_000_000
LARGEST_JSON = 64 * 2**20


def read_json(path: Path) -> Mapping[str, Any]:
    """A JSON object from a file of sane size. Raises FactsMissing."""
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise FactsMissing(
                f"{path}: too large for a JSON file of a model", f"{path}: モデルのJSONとしては大きすぎます"
            )
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FactsMissing(f"{path}: {error}", f"{path}: 読めません（{error}）") from None
    if not isinstance(value, dict):
        raise FactsMissing(f"{path}: a JSON object is expected", f"{path}: JSONオブジェクトではありません")
    return value


def safetensors_bytes(path: Path) -> int:
    """The bytes of the tensors in one safetensors file, by its header; the file must be as long as the header says."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= LARGEST_HEADER:
            raise FactsMissing(f"{path}: not a safetensors file", f"{path}: safetensorsファイルではありません")
        try:
            header = json.loads(file.read(length))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
            size = max((int(end) for end in ends), default=0)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise FactsMissing(
                f"{path}: a broken safetensors header ({error})",
                f"{path}: safetensorsのヘッダーが壊れています（{error}）",
            ) from None
    present = path.stat().st_size - 8 - length
    if present < size:
        raise FactsMissing(
            f"{path}: {size - present} bytes are missing; is the download complete?",
            f"{path}: {size - present}バイト足りません。ダウンロードは完了していますか？",
        )
    return size


def weight_files(names: Iterable[str]) -> list[str]:
    """Of a repository's file names, those an engine would load when no index names them."""
    top = sorted(name for name in names if "/" not in name)
    safetensors = [
        name for name in top if name.endswith(".safetensors") and not name.startswith(("consolidated", "adapter"))
    ]
    return safetensors or [name for name in top if name.endswith(".bin") and name.startswith("pytorch_model")]


def no_weights(where: object) -> FactsMissing:
    """A folder, or a repository of the Hub, that holds a model's description alone."""
    return FactsMissing(f"{where}: no weight files", f"{where}: 重みのファイルがありません")


def folder_weight_bytes(folder: Path) -> int:
    """The weights of a model in a local folder. Raises FactsMissing when there are none."""
    for index in (SAFETENSORS_INDEX, BIN_INDEX):
        if (folder / index).is_file():
            return _indexed_bytes(folder, read_json(folder / index), index)
    total = 0
    for name in weight_files(path.name for path in folder.iterdir()):
        path = folder / name
        total += safetensors_bytes(path) if name.endswith(".safetensors") else path.stat().st_size
    if not total:
        raise no_weights(folder)
    return total


def index_total(index: Mapping[str, Any]) -> int | None:
    """The size an index file states."""
    metadata = index.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, Mapping) else None
    return int(total) if isinstance(total, int | float) and not isinstance(total, bool) and 0 < total < 2**60 else None


def _indexed_bytes(folder: Path, index: Mapping[str, Any], name: str) -> int:
    if total := index_total(index):
        return total
    weight_map = index.get("weight_map")
    files = sorted({str(file) for file in weight_map.values()}) if isinstance(weight_map, Mapping) else []
    paths = [folder / file for file in files if "/" not in file]
    if not paths or not all(path.is_file() for path in paths):
        raise FactsMissing(
            f"{folder / name}: names files that are not there", f"{folder / name}: 書かれているファイルがありません"
        )
    return sum(safetensors_bytes(path) if path.suffix == ".safetensors" else path.stat().st_size for path in paths)
