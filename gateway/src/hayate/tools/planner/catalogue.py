"""The catalogue: `models.yaml` beside this file, validated whole when read. `llm/models.yaml` of the repository is the same file.

It lies in the package so that every install has it: editable, from a wheel, or in the container image.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hayate.language import Text
from hayate.tools.planner.arithmetic import Attention
from hayate.tools.planner.facts import FactsMissing, Format, ModelFacts, Quantisation
from hayate.tools.refusal import Refusal, unreadable

Count = Annotated[int, Field(ge=1)]


class CatalogueError(Refusal):
    """The catalogue file is not as it should be; the text names every mistake."""


class Entry(BaseModel):
    """What every part of the file has in common: frozen, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sentence(Entry):
    """A text in both languages."""

    en: str = Field(min_length=1)
    ja: str = Field(min_length=1)

    def text(self) -> Text:
        """As the planner passes it around."""
        return Text(self.en.strip(), self.ja.strip())


class AttentionEntry(Entry):
    """Layers that remember in the same way."""

    layers: Count
    kv_heads: Count
    head_dim: Count
    window: Count | None = None

    def attention(self) -> Attention:
        """As the arithmetic counts it."""
        return Attention(self.layers, self.kv_heads, self.head_dim, self.head_dim, self.window)


class ModelEntry(Entry):
    """One model. Either `layers`, `kv_heads` and `head_dim`, or `attention`."""

    id: str = Field(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$")
    family: str
    layers: Count | None = None
    kv_heads: Count | None = None
    head_dim: Count | None = None
    attention: tuple[AttentionEntry, ...] = ()
    heads: Count
    hidden: Count
    vocab: Count
    context_tokens: Count
    weight_bytes: Count
    format: Format
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    quantisation: Quantisation = "none"
    variant: str = ""
    licence: str
    note: Sentence
    refusal: Sentence | None = None
    assumptions: tuple[Sentence, ...] = ()
    source: str
    float16_unstable: bool = False

    @model_validator(mode="after")
    def _one_way_of_counting_layers(self) -> Self:
        flat = (self.layers, self.kv_heads, self.head_dim)
        if bool(self.attention) == any(value is not None for value in flat):
            raise ValueError(f"{self.id}: give either layers, kv_heads and head_dim, or attention")
        if not self.attention and None in flat:
            raise ValueError(f"{self.id}: layers, kv_heads and head_dim belong together")
        return self

    def kinds(self) -> tuple[Attention, ...]:
        """The layers, however they were written."""
        if self.layers is not None and self.kv_heads is not None and self.head_dim is not None:
            return (Attention(self.layers, self.kv_heads, self.head_dim, self.head_dim),)
        return tuple(kind.attention() for kind in self.attention)

    def facts(self) -> ModelFacts:
        """As the planner uses it."""
        return ModelFacts(
            id=self.id,
            attention=self.kinds(),
            heads=self.heads,
            hidden=self.hidden,
            vocab=self.vocab,
            context_tokens=self.context_tokens,
            weight_bytes=self.weight_bytes,
            dtype=self.dtype,
            quantisation=self.quantisation,
            variant=self.variant,
            format=self.format,
            family=self.family,
            licence=self.licence,
            note=self.note.text(),
            refusal=self.refusal.text() if self.refusal else None,
            assumptions=tuple(sentence.text() for sentence in self.assumptions),
            source=self.source,
            float16_unstable=self.float16_unstable,
        )


class CatalogueFile(Entry):
    """The whole file. `version` changes when its meaning does."""

    version: Literal[1]
    models: tuple[ModelEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _every_id_once(self) -> Self:
        ids = [model.id.lower() for model in self.models]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"listed twice: {', '.join(twice)}")
        return self


def load_catalogue(path: Path | None = None) -> tuple[ModelFacts, ...]:
    """Every model of the catalogue, in its order; of another file when `path` is given. Raises CatalogueError."""
    name = str(path) if path else "models.yaml"
    try:
        text = (
            path.read_text(encoding="utf-8")
            if path
            else resources.files(__package__).joinpath("models.yaml").read_text(encoding="utf-8")
        )
        # In C, where that was built: a tenth of the time.
        values = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe
        return tuple(entry.facts() for entry in CatalogueFile.model_validate(values).models)
    except (OSError, UnicodeDecodeError) as error:
        said = unreadable(name, error)
        raise CatalogueError(said.en, said.ja) from None
    except yaml.YAMLError as error:
        raise CatalogueError(
            f"{name}: no YAML that can be read: {error}", f"{name}: YAMLとして読めません。{error}"
        ) from None
    except ValidationError as error:
        lines = (
            f"{name}: {'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors(include_url=False)
        )
        found = "\n".join(lines)
        raise CatalogueError(f"The catalogue has mistakes:\n{found}", f"カタログに誤りがあります。\n{found}") from None


def find_model(catalogue: Sequence[ModelFacts], name: str) -> ModelFacts | None:
    """The entry called `name`: its whole id, or the part after the slash when only one entry ends so. Case doesn't matter."""
    wanted = name.lower()
    for model in catalogue:
        if model.id.lower() == wanted:
            return model
    if "/" in wanted:
        return None
    short = [model for model in catalogue if model.id.lower().split("/")[1] == wanted]
    if len(short) > 1:
        ids = ", ".join(model.id for model in short)
        raise FactsMissing(
            f"{name} could be any of {ids}: give the whole id",
            f"{name} に当てはまるものが複数あります（{ids}）。IDを省略せずに指定してください",
        )
    return short[0] if short else None
