"""What `hayate models` and `hayate plan` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from hayate.language import Text
from hayate.tools.planner.arithmetic import TYPICAL_TOKENS

CatalogueOption = Annotated[
    Path | None,
    Option("--catalogue"),
    Text(
        "Another catalogue than the one that comes with Hayate; else HAYATE_MODELS.",
        "Hayate付属のものに代わるカタログ。省略するとHAYATE_MODELS。",
    ),
]


@dataclass(frozen=True, slots=True)
class ModelsOptions:
    """Which catalogue, and how it is shown."""

    catalogue: CatalogueOption = None
    as_json: Annotated[
        bool, Option("--json"), Text("Everything known of each, as JSON.", "モデルの情報をすべてJSONで出力します。")
    ] = False


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What was typed; nothing of it is checked yet (`commands.wish_of`)."""

    gpu: Annotated[
        str | None,
        Option("--gpu"),
        Text(
            "One card: 24GiB, 24, 16g, or rtx4090, a100-80g, h100; gpu1: this machine's second. Without it: the first.",
            "GPU1枚の容量か名前（24GiB、16g、rtx4090、h100など）。gpu1はこのマシンの2枚目。省略すると1枚目を検出します。",
        ),
    ] = None
    gpus: Annotated[int, Option("--gpus"), Text("How many of them.", "GPUの枚数。")] = 1
    model: Annotated[
        str | None,
        Option("--model"),
        Text(
            "A model of the catalogue, a folder, a .gguf file, or a Hub id; by default the whole catalogue.",
            "カタログのモデル、フォルダー、.ggufファイル、またはHubのID。省略するとカタログ全体。",
        ),
    ] = None
    models: Annotated[
        str | None,
        Option("--models"),
        Text(
            "Several on one GPU, with commas: a family of the catalogue (qwen2.5-7b), or as for --model. First: fast, last: smart.",
            "1枚のGPUで使う複数のモデル（カンマ区切り）。qwen2.5-7bなどの系列名か、--modelと同じ指定。最初がfast、最後がsmart。",
        ),
    ] = None
    host_memory: Annotated[
        str | None,
        Option("--host-memory"),
        Text(
            "Memory of the machine (64GiB), where weights of sleeping models lie; without it, this machine's.",
            "本体のメモリー容量（64GiBなど）。スリープ中の重みを置きます。省略するとこのマシンの容量。",
        ),
    ] = None
    engine: Annotated[
        str | None,
        Option("--engine"),
        Text("vllm, trtllm, sglang, llamacpp or ollama.", "vllm、trtllm、sglang、llamacpp、ollamaのいずれか。"),
    ] = None
    context: Annotated[
        int,
        Option("--context"),
        Text(
            "Tokens of the longest sequence, prompt and answer together.",
            "最も長い1件のトークン数（プロンプトと回答の合計）。",
        ),
    ] = 8192
    typical: Annotated[
        int,
        Option("--typical"),
        Text(
            "Tokens of a sequence as most are; concurrency is planned for these.",
            "標準的な1件のトークン数（同時実行数はこの長さで計算）。",
        ),
    ] = TYPICAL_TOKENS
    concurrency: Annotated[
        int, Option("--concurrency"), Text("Sequences at the same time.", "同時に処理する件数。")
    ] = 8
    utilization: Annotated[
        float,
        Option("--utilization"),
        Text("How much of the GPU the engine may take.", "推論エンジンが使ってよいGPUメモリーの割合。"),
    ] = 0.9
    dtype: Annotated[
        str,
        Option("--dtype"),
        Text("auto, half, bfloat16 or float32.", "auto、half、bfloat16、float32のいずれか。"),
    ] = "auto"
    kv_dtype: Annotated[
        str,
        Option("--kv-cache-dtype"),
        Text("auto, fp8 (vLLM, SGLang) or q8_0 (llama.cpp).", "auto、fp8（vLLM、SGLang）、q8_0（llama.cpp）。"),
    ] = "auto"
    kv_memory: Annotated[
        str | None,
        Option("--kv-memory"),
        Text(
            "No GPU: how many tokens a KV cache of this size holds (1GiB).",
            "GPUの代わりに、この容量（1GiBなど）のKVキャッシュに何トークン入るかを計算します。",
        ),
    ] = None
    write: Annotated[
        bool,
        Option("--write"),
        Text(
            "Put the settings into .env (for several models also two YAML files), showing what changes.",
            "設定を.env（複数モデルではYAMLファイル2つも）に書き込み、変更点を表示します。",
        ),
    ] = False
    env_file: Annotated[
        Path, Option("--env-file"), Text("The file that --write changes.", "--writeが書き込むファイル。")
    ] = Path(".env")
    catalogue: CatalogueOption = None
    as_json: Annotated[
        bool,
        Option("--json"),
        Text("Every figure, in bytes and tokens.", "すべての数値（バイト、トークン）をJSONで出力します。"),
    ] = False
    table_markdown: Annotated[
        bool, Option("--table-markdown"), Text("The table of the documentation.", "ドキュメント用の表を出力します。")
    ] = False
