"""What MODEL may say, and which file of a repository it means. Pure: names in, names out.

    (1) a path: /models/x.gguf   ./x.gguf   ~/x.gguf   models/x.gguf   a folder that holds one
    (2) owner/repo                 the repository's Q4_K_M file, else the best that is there
    (3) owner/repo:Q5_K_M          the file of that quantisation
    (4) owner/repo/file.gguf       that file

(2)–(4) may begin with hf:// or be the address of the page on the Hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hayate.tools.embedded.refusals import ModelRefused

PREFIXES = ("hf://", "hf:", "https://huggingface.co/", "https://hf.co/", "huggingface.co/", "hf.co/")
PREFERRED = (
    "Q4_K_M",
    "Q4_K_S",
    "Q5_K_M",
    "Q4_0",
    "Q5_K_S",
    "Q6_K",
    "IQ4_XS",
    "IQ4_NL",
    "Q8_0",
    "Q3_K_M",
    "F16",
    "BF16",
)
"""The usual trade between size and quality comes first."""
NOT_MODELS = re.compile(r"(^|/)(mmproj|imatrix)|(mmproj|imatrix)[^/]*\.gguf$", re.IGNORECASE)
PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A file, or a folder that holds one."""

    path: Path


@dataclass(frozen=True, slots=True)
class HubModel:
    """A repository on the Hub, and which of its files."""

    repository: str
    quantisation: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        return self.repository + (
            f"/{self.file}" if self.file else f":{self.quantisation}" if self.quantisation else ""
        )


class NoSuchFile(LookupError):
    """None of the names is what was asked for; `names` are the models there are."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(", ".join(self.names) or "no GGUF files")


def parse_model(text: str) -> LocalModel | HubModel:
    """What `MODEL` names. Raises ModelRefused."""
    stripped = text.strip()
    if not stripped.lower().startswith(PREFIXES):
        path = Path(os.path.expanduser(stripped))  # noqa: PTH111  that of Path raises for users that there are not
        if stripped.startswith(("/", "./", "../", "~")) or path.exists() or _only_a_path(stripped):
            return LocalModel(path)  # (1)
    found = parse_hub_model(stripped)
    if found is None:
        raise ModelRefused(
            f"MODEL={text} is neither a .gguf file nor a Hugging Face reference such as Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M.",
            f"MODEL={text}は.ggufファイルでも、Hugging Faceの名前（例: Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M）でもありません。",
        )
    return found


def parse_hub_model(text: str) -> HubModel | None:
    """(2)-(4) alone: what a reference to the Hub names; None for what is none."""
    said = next((text[len(prefix) :] for prefix in PREFIXES if text.lower().startswith(prefix)), text)
    return _hub_model(re.sub(r"^([^/]+/[^/]+)/(?:blob|resolve)/main/", r"\1/", said.split("?")[0].strip("/")))


def choose(names: Iterable[str], model: HubModel) -> list[str]:
    """The files to have, the parts of a split one in their order. Raises NoSuchFile."""
    groups = _whole_groups(names)
    if model.file is not None:
        wanted = PART.sub(".gguf", model.file)
        if wanted in groups:
            return groups[wanted]
        raise NoSuchFile(groups)
    for quantisation in (model.quantisation,) if model.quantisation else PREFERRED:
        matching = [name for name in groups if is_of(name, quantisation)]
        if matching:
            return groups[min(matching, key=lambda name: (name.count("/"), len(name), name))]
    if model.quantisation or not groups:
        raise NoSuchFile(groups)
    return groups[min(groups)]


def is_of(name: str, quantisation: str) -> bool:
    """Whether the file's name says that it is of this quantisation."""
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(quantisation)}(?![A-Za-z0-9_])", name, re.IGNORECASE) is not None


def served_name(path: str) -> str:
    """The model's name for clients: the file's, without its part number."""
    return PART.sub("", Path(path).name).removesuffix(".gguf").lower()


def _only_a_path(text: str) -> bool:
    """`x.gguf` and `models/x.gguf` can't be a file in a repository: that takes owner, name and file."""
    return text.lower().endswith(".gguf") and text.count("/") < 2


def _hub_model(said: str) -> HubModel | None:
    repository, _, quantisation = said.partition(":")
    if REPOSITORY.fullmatch(repository):
        return HubModel(repository, quantisation=quantisation or None)  # (2), (3)
    owner, name, *rest = [*said.split("/", 2), "", ""]
    if rest[0].lower().endswith(".gguf") and REPOSITORY.fullmatch(f"{owner}/{name}"):
        return HubModel(f"{owner}/{name}", file=rest[0])  # (4)
    return None


def _whole_groups(names: Iterable[str]) -> dict[str, list[str]]:
    """Models by the name they would have in one piece; those with a part missing are left out."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        if name.lower().endswith(".gguf") and not NOT_MODELS.search(name):
            groups.setdefault(PART.sub(".gguf", name), []).append(name)
    return {name: files for name, files in groups.items() if _is_whole(files)}


def _is_whole(files: list[str]) -> bool:
    part = PART.search(files[0])
    return len(files) == (int(part.group(2)) if part else 1)
