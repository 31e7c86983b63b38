"""What `hayate models` and `hayate plan` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

CatalogueOption = Annotated[
    Path | None,
    Option("--catalogue", envvar="HAYATE_MODELS", help="Another catalogue than the one that comes with Hayate."),
]


@dataclass(frozen=True, slots=True)
class ModelsOptions:
    """Which catalogue, and how it is shown."""

    catalogue: CatalogueOption = None
    as_json: Annotated[bool, Option("--json", help="Everything known of each, as JSON.")] = False


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What was typed; nothing of it is checked yet (`commands.wish_of`)."""

    gpu: Annotated[str | None, Option(help="One card: 24GiB, 24, 16g, or rtx4090, a100-80g, h100, l4, t4.")] = None
    gpus: Annotated[int, Option(help="How many of them.")] = 1
    model: Annotated[
        str | None,
        Option(help="A model of the catalogue, a folder, a .gguf file, or a Hub id; by default the whole catalogue."),
    ] = None
    engine: Annotated[str | None, Option(help="vllm, trtllm, sglang, llamacpp or ollama.")] = None
    context: Annotated[int, Option(help="Tokens of one sequence, prompt and answer together.")] = 8192
    concurrency: Annotated[int, Option(help="Sequences at the same time.")] = 8
    utilization: Annotated[float, Option(help="How much of the GPU the engine may take.")] = 0.9
    dtype: Annotated[str, Option(help="auto, half, bfloat16 or float32.")] = "auto"
    kv_dtype: Annotated[str, Option("--kv-cache-dtype", help="auto, fp8 (vLLM, SGLang) or q8_0 (llama.cpp).")] = "auto"
    kv_memory: Annotated[str | None, Option(help="No GPU: how many tokens a KV cache of this size holds (1GiB).")] = (
        None
    )
    write: Annotated[bool, Option("--write", help="Put the settings into .env, showing what changes.")] = False
    env_file: Annotated[Path, Option(help="The file that --write changes.")] = Path(".env")
    catalogue: CatalogueOption = None
    as_json: Annotated[bool, Option("--json", help="Every figure, in bytes and tokens.")] = False
    table_markdown: Annotated[bool, Option("--table-markdown", help="The table of the documentation.")] = False
