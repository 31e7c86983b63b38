"""Which models a name may mean when several are planned at once: a family of the catalogue (`qwen2.5-7b`) is any of its
variants, the catalogue's order being the order of preference; everything else is one model, as for `--model`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hayate.tools.planner.facts import FactsMissing, Format, ModelFacts
from hayate.tools.planner.resolve import resolve_model


@dataclass(frozen=True, slots=True)
class Named:
    """One of the models that are to share a GPU: what it is called, and what it may be."""

    name: str
    variants: tuple[ModelFacts, ...]

    def of_format(self, kind: Format) -> tuple[ModelFacts, ...]:
        """Those that an engine of this format reads."""
        return tuple(model for model in self.variants if model.format == kind and model.refusal is None)


def find_named(typed: str, catalogue: Sequence[ModelFacts], env: Mapping[str, str] | None = None) -> Named:
    """What one of the names of `--models` means. Raises FactsMissing."""
    family = tuple(model for model in catalogue if model.family == typed.lower())
    if family:
        return Named(short_name(typed), family)
    return Named(short_name(typed), (resolve_model(typed, catalogue, env),))


def short_name(typed: str) -> str:
    """What a deployment of it is called: the last part of an id or a path, in letters that a file and a URL take."""
    last = typed.rstrip("/").rpartition("/")[2].removesuffix(".gguf").lower()
    return re.sub(r"[^a-z0-9._-]+", "-", last).strip("-._") or "model"


def require_format(named: Named, kind: Format, engine: str) -> tuple[ModelFacts, ...]:
    """The variants that `engine` reads. Raises FactsMissing when there are none."""
    found = named.of_format(kind)
    if not found:
        wanted = "GGUF" if kind == "gguf" else "Hugging Face weights (safetensors)"
        raise FactsMissing(
            f"{named.name}: {engine} needs {wanted}; name a file, a folder or a Hub id that has them in --models",
            f"{named.name}: {engine}には{wanted}が必要です。それを持つファイル、フォルダー、HubのIDを`--models`に指定してください",
        )
    return found
