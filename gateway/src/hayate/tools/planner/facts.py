"""What the planner knows of one model, whatever it was read from: the catalogue, a `config.json`, or a GGUF header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hayate.language import Text
from hayate.tools.planner.arithmetic import Attention
from hayate.tools.refusal import Refusal

Format = Literal["safetensors", "gguf", "onnx"]
Quantisation = Literal[
    "none",
    "awq",
    "gptq",
    "compressed-tensors",
    "fp8",
    "mxfp4",
    "nvfp4",
    "modelopt",
    "bitsandbytes",
    "gguf",
    "onnx-int4",
    "other",
]


class FactsMissing(Refusal):
    """The model can't be planned: not found, or its files don't say what is needed."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The numbers that decide fit. `attention` counts every layer that keeps something between tokens."""

    id: str
    attention: tuple[Attention, ...]
    heads: int
    hidden: int
    vocab: int
    context_tokens: int
    weight_bytes: int
    dtype: str = "bfloat16"
    quantisation: Quantisation = "none"
    variant: str = ""
    format: Format = "safetensors"
    family: str = ""
    licence: str = ""
    note: Text | None = None
    refusal: Text | None = None
    assumptions: tuple[Text, ...] = ()
    source: str = ""
    float16_unstable: bool = False

    @property
    def layers(self) -> int:
        """How many layers keep something, which is all of them in a transformer."""
        return sum(kind.layers for kind in self.attention)

    @property
    def hybrid(self) -> bool:
        """Whether some layers see only a window, or keep a state of fixed size."""
        return any(kind.window is not None or kind.state_bytes for kind in self.attention)

    @property
    def label(self) -> str:
        """Its weights in two words, for tables: `bf16`, `awq`, `gguf Q4_K_M`."""
        short = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}.get(self.dtype, self.dtype)
        name = short if self.quantisation == "none" else self.quantisation
        return f"{name} {self.variant}".strip()
