"""What a plan has to be told with: why an engine can't take a model, and what will disappoint. Pure; English and Japanese."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hayate.language import Text
from hayate.tools.planner.engines import Engine
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.gpus import Gpu

Level = Literal["error", "warning", "note"]

# CUDA compute capabilities: bfloat16 from Ampere on, vLLM's AWQ kernels from Turing on, 8-bit floats from Ada on.
BF16_FROM, AWQ_FROM, FP8_FROM = 8.0, 7.5, 8.9


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to know. `code` is for programs; an error means that the engine will not run it."""

    level: Level
    code: str
    text: Text


def _remark(level: Level, code: str, en: str, ja: str) -> Remark:
    return Remark(level, code, Text(en, ja))


def format_remarks(model: ModelFacts, engine: Engine) -> Iterator[Remark]:
    """Whether the engine reads these files at all."""
    if model.refusal:
        yield Remark("error", "not-for-engines", model.refusal)
    elif model.format == "onnx":
        yield _remark(
            "error", "onnx", f"{engine.title} can't load ONNX files.", f"{engine.title}はONNXファイルを読み込めません。"
        )
    elif model.format == "gguf" and engine.format != "gguf":
        yield _remark(
            "error",
            "gguf-for-hf-engine",
            f"{engine.title} serves Hugging Face weights (safetensors), not GGUF."
            " Use llamacpp or ollama, or the original repository.",
            f"{engine.title}が扱うのはHugging Face形式（safetensors）の重みで、GGUFではありません。"
            "llamacppかollamaを使うか、元のリポジトリを指定してください。",
        )
    elif model.format != "gguf" and engine.format == "gguf":
        yield _remark(
            "error",
            "needs-gguf",
            f"{engine.title} needs a GGUF file of this model; give its path to --model.",
            f"{engine.title}にはこのモデルのGGUFファイルが必要です。そのパスを --model に指定してください。",
        )
    if engine.name == "trtllm" and model.quantisation == "awq":
        yield _remark(
            "warning",
            "awq-for-trtllm",
            "TensorRT-LLM takes AWQ made with NVIDIA ModelOpt (hf_quant_config.json);"
            " AutoAWQ repositories like this one are not known to load.",
            "TensorRT-LLMが読めるAWQはNVIDIA ModelOptで作られたもの（hf_quant_config.json）です。"
            "このようなAutoAWQのリポジトリを読み込めるかは確認されていません。",
        )


def dtype_remarks(model: ModelFacts, engine: Engine, gpu: Gpu, dtype: str) -> Iterator[Remark]:
    """Whether the number type suits the kernels and the GPU."""
    if engine.format == "gguf":
        return
    old = gpu.capability is not None and gpu.capability < BF16_FROM
    if dtype == "bfloat16" and old:
        yield _remark(
            "error",
            "bfloat16-on-old-gpu",
            f"{gpu.name} has no bfloat16 (compute capability {gpu.capability} < {BF16_FROM}): use --dtype half.",
            f"{gpu.name}はbfloat16に対応していません（compute capability {gpu.capability} < {BF16_FROM}）。"
            "`--dtype half`にしてください。",
        )
    if model.quantisation == "awq" and dtype == "bfloat16":
        yield _remark(
            "warning",
            "awq-bfloat16",
            "AWQ with bfloat16 runs on today's Marlin kernels; the plain AWQ kernel of older vLLM releases and older GPUs"
            " takes float16 only. --dtype half works on all.",
            "AWQとbfloat16の組み合わせは現在のMarlinカーネルでは動きますが、古いvLLMや古いGPUの素のAWQカーネルは"
            "float16だけに対応しています。`--dtype half`ならどちらでも動きます。",
        )
    if model.quantisation == "awq" and gpu.capability is not None and gpu.capability < AWQ_FROM:
        yield _remark(
            "error",
            "awq-on-old-gpu",
            f"vLLM's AWQ kernels need compute capability {AWQ_FROM}; {gpu.name} has {gpu.capability}.",
            f"vLLMのAWQカーネルにはcompute capability {AWQ_FROM}以上が必要ですが、{gpu.name}は{gpu.capability}です。",
        )
    if model.float16_unstable and dtype in ("half", "float16"):
        yield _remark(
            "warning",
            "float16-unstable",
            "This model overflows in float16; it is meant for bfloat16.",
            "このモデルはfloat16では数値が溢れます。bfloat16を前提に作られています。",
        )


def size_remarks(model: ModelFacts, engine: Engine, gpus: int, asked_context: int) -> Iterator[Remark]:
    """Whether context and number of GPUs are possible."""
    if asked_context > model.context_tokens:
        yield _remark(
            "warning",
            "context-beyond-model",
            f"A context of {asked_context} is beyond the model's {model.context_tokens}; the plan uses {model.context_tokens}.",
            f"コンテキスト{asked_context}はモデルの上限{model.context_tokens}を超えています。{model.context_tokens}として計算します。",
        )
    if engine.splits == "tensors" and model.heads % gpus:
        yield _remark(
            "error",
            "heads-not-divisible",
            f"{model.heads} attention heads can't be divided among {gpus} GPUs.",
            f"アテンションヘッド{model.heads}個を{gpus}台のGPUに分割できません。",
        )
    if not engine.frees_windows and any(kind.window for kind in model.attention):
        yield _remark(
            "note",
            "windows-counted-whole",
            f"How much {engine.title} keeps for sliding layers depends on its own settings; they are counted whole.",
            f"{engine.title}がスライディング層に確保する量は独自の設定によるため、窓なしとして計算しています。",
        )
    for assumption in model.assumptions:
        yield Remark("note", "assumption", assumption)


def kv_remarks(engine: Engine, gpu: Gpu, kv_dtype: str) -> Iterator[Remark]:
    """Whether the cache can be kept in that type."""
    if kv_dtype not in engine.kv_dtypes:
        yield _remark(
            "error",
            "kv-dtype",
            f"{engine.title} is planned with a KV cache of type {' or '.join(engine.kv_dtypes)}, not {kv_dtype}.",
            f"{engine.title}のKVキャッシュの型は{'か'.join(engine.kv_dtypes)}です。{kv_dtype}は使えません。",
        )
    elif kv_dtype == "fp8" and gpu.capability is not None and gpu.capability < FP8_FROM:
        yield _remark(
            "warning",
            "fp8-on-old-gpu",
            f"{gpu.name} has no 8-bit floats in hardware; an fp8 cache may be refused or slow there.",
            f"{gpu.name}には8ビット浮動小数点の演算器がありません。fp8のキャッシュは拒否されるか遅くなる可能性があります。",
        )
    if kv_dtype == "q8_0":
        yield _remark(
            "note",
            "quantised-cache-needs-flash-attention",
            "A q8_0 cache needs flash attention, which is on by default.",
            "q8_0のキャッシュにはflash attentionが必要です（既定で有効です）。",
        )


def fit_remarks(sequences: int, concurrency: int, engine: Engine, tokens: int) -> Iterator[Remark]:
    """Whether the wished number of sequences, of `tokens` each, is met."""
    if 1 <= sequences < concurrency:
        if engine.grows_on_demand:
            en = f"Only {sequences} of {concurrency} sequences of a typical {tokens} tokens fit; the plan uses {sequences}."
            ja = (
                f"標準的な長さ（{tokens}トークン）で収まるのは{concurrency}件中{sequences}件です。"
                f"同時実行数は{sequences}件として計算します。"
            )
        else:
            en = f"Only {sequences} of {concurrency} slots fit on the GPU; the plan uses {sequences}."
            ja = f"GPUに収まるのは{concurrency}枠中{sequences}枠です。{sequences}枠として計算します。"
        yield _remark("warning", "fewer-sequences", en, ja)


def growth_remarks(sequences: int, context_tokens: int) -> Iterator[Remark]:
    """What becomes of more sequences than fit at the full context, should all of them grow that long."""
    yield _remark(
        "note",
        "typical-lengths",
        f"Should all grow to {context_tokens} tokens, {sequences} would fit: the engine sets the newest back"
        " and goes on with them later.",
        f"すべてが{context_tokens}トークンまで伸びた場合、収まるのは{sequences}件です。新しいものはエンジンが中断し、後から続けます。",
    )
