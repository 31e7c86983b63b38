"""Which files of a repository on the Hub are a model, and where in the models folder they go. Pure: names in, names out.

(1) a GGUF: its file, or all parts of a split one, side by side in the models folder
(2) safetensors: the weights, and all that engines read beside them, in a folder of the repository's name
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from hayate.tools.embedded.reference import HubModel, choose

SAFETENSORS = ".safetensors"
BESIDE = (".json", ".jinja", ".model", ".py", ".tiktoken", ".txt")
"""What engines read beside the weights: settings, tokenizers, chat templates, a model's own code."""
NOTICES = ("LICENSE", "LICENCE", "NOTICE", "README", "USE_POLICY")
OTHER_KINDS = ("assets", "coreml", "figures", "gguf", "images", "metal", "onnx", "openvino", "original")
"""Folders of the same weights in other forms, and of pictures."""
CONSOLIDATED = "consolidated"
"""The same weights once more, in Mistral's own form."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`files` are the names there and, in the models folder, here: in the order in which they get their names, the one last
    without which no engine takes the rest for a model. `folder` is what holds them, if they have one of their own.
    """

    files: tuple[tuple[str, str], ...]
    folder: str | None = None

    @property
    def shown(self) -> str:
        """What an engine is given: the folder, the file, or the first part."""
        return self.folder or self.files[-1][1]


def chosen(names: Iterable[str], model: HubModel) -> Choice:
    """What `model` means there. Raises NoSuchFile."""
    there = list(names)
    weights = [name for name in there if name.endswith(SAFETENSORS) and _is_wanted(name)]
    if not weights or model.file or model.quantisation or model.repository.lower().endswith("gguf"):
        parts = choose(there, model)
        return Choice(tuple((name, PurePosixPath(name).name) for name in reversed(parts)))
    if any(not PurePosixPath(name).name.startswith(CONSOLIDATED) for name in weights):
        weights = [name for name in weights if not PurePosixPath(name).name.startswith(CONSOLIDATED)]
    folder = PurePosixPath(model.repository).name
    beside = [name for name in there if not name.endswith(SAFETENSORS) and _is_wanted(name)]
    return Choice(tuple((name, f"{folder}/{name}") for name in (*weights, *beside)), folder)


def _is_wanted(name: str) -> bool:
    path = PurePosixPath(name)
    if any(part.startswith(".") for part in path.parts) or path.parts[0] in OTHER_KINDS:
        return False
    return path.suffix in (*BESIDE, SAFETENSORS) or path.name.upper().startswith(NOTICES)
