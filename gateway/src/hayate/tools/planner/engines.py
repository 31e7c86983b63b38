"""What each engine takes of a GPU, and what its share setting is a share of. Pure.

    vLLM          `--gpu-memory-utilization` of the whole GPU for everything but CUDA's context (0.32: requested memory minus
                  weights, profiled activations and CUDA graphs is the cache). Blocks of 16 tokens; sliding layers also hold two
                  batches in flight (async scheduling). Batches: 2048 tokens, 8192 from 70 GiB (not A100), 16384 from 160 GiB.
    SGLang        `--mem-fraction-static` of the whole GPU for weights and cache; the rest is for all else. Blocks of 1 token.
    TensorRT-LLM  `--kv_cache_free_gpu_memory_fraction` of what weights, activations and graphs leave. Blocks of 32 tokens.
    llama.cpp     takes what it needs: weights, the cache of all slots at once, compute buffers for 512 tokens. Slots are
                  rounded up to 256 tokens. What does not fit stays on the CPU, layer by layer. Several GPUs hold layers each.
    Ollama        llama.cpp inside; `num_ctx` for each of OLLAMA_NUM_PARALLEL requests.

SGLang and TensorRT-LLM divide the cache between full and sliding layers by settings of their own; their sliding layers
are counted as if they kept everything. The share is read as `--utilization` for every engine; for llama.cpp and Ollama
it is only the planner's own limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hayate.tools.planner import arithmetic
from hayate.tools.planner.arithmetic import GIB, Attention, Overheads, Paging
from hayate.tools.planner.facts import Format, ModelFacts
from hayate.tools.planner.gpus import Gpu

EngineName = Literal["vllm", "sglang", "trtllm", "llamacpp", "ollama"]
KvDtype = Literal["auto", "fp8", "q8_0"]

KV_ELEMENT_BYTES: dict[str, float] = {"fp8": 1.0, "q8_0": 34 / 32}
LLAMACPP_BATCH_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Engine:
    """What decides fit on one engine."""

    name: EngineName
    title: str
    format: Format
    kv_dtypes: tuple[KvDtype, ...]
    block_tokens: int
    splits: Literal["tensors", "layers"] = "tensors"
    frees_windows: bool = True

    @property
    def grows_on_demand(self) -> bool:
        """Whether the cache is a pool that sequences share, rather than fixed slots."""
        return self.format == "safetensors"


ENGINES: dict[EngineName, Engine] = {
    "vllm": Engine("vllm", "vLLM", "safetensors", ("auto", "fp8"), 16),
    "sglang": Engine("sglang", "SGLang", "safetensors", ("auto", "fp8"), 1, frees_windows=False),
    "trtllm": Engine("trtllm", "TensorRT-LLM", "safetensors", ("auto",), 32, frees_windows=False),
    "llamacpp": Engine("llamacpp", "llama.cpp", "gguf", ("auto", "q8_0"), 256, "layers"),
    "ollama": Engine("ollama", "Ollama", "gguf", ("auto",), 256, "layers"),
}


def usual_engine(model: ModelFacts) -> Engine:
    """The engine for a model when none was asked for: llama.cpp for GGUF, else vLLM."""
    return ENGINES["llamacpp" if model.format == "gguf" else "vllm"]


def batched_tokens(engine: Engine, gpu: Gpu) -> int:
    """How many tokens one forward pass takes by default."""
    if engine.splits == "layers":
        return LLAMACPP_BATCH_TOKENS
    if engine.name != "vllm":
        return 8192
    if gpu.memory_bytes >= 160 * GIB:
        return 16384
    return 8192 if gpu.memory_bytes >= 70 * GIB and not gpu.name.startswith("a100") else 2048


def paging(engine: Engine, gpu: Gpu) -> Paging:
    """How it hands out the cache."""
    batch = batched_tokens(engine, gpu)
    if engine.splits == "layers":
        # llama.cpp pads `window + batch` to 256 cells; the arithmetic counts `window - 1 + in flight`.
        return Paging(engine.block_tokens, batch + 1, 0)
    if engine.name == "vllm":
        return Paging(engine.block_tokens, 2 * batch, 1, padded_groups=True)
    return Paging(engine.block_tokens, batch, 1)


def overheads(engine: Engine, model: ModelFacts, gpu: Gpu, gpus: int, sequences: int) -> Overheads:
    """What each GPU gives up besides weights and cache."""
    batch, context = batched_tokens(engine, gpu), arithmetic.context_bytes(gpus)
    if engine.splits == "layers":
        # Compute buffers are float32, and logits are kept for every token of the batch.
        activation = 2 * arithmetic.activation_bytes(batch, 0, model.hidden, model.vocab) + batch * model.vocab * 4
        return Overheads(arithmetic.CUDA_CONTEXT_BYTES, activation, 0)
    activation = arithmetic.activation_bytes(batch, sequences, model.hidden, model.vocab)
    return Overheads(context, activation, arithmetic.graph_bytes(model.layers, sequences))


@dataclass(frozen=True, slots=True)
class Share:
    """One GPU's part of a model; for engines that split by layers, all GPUs taken as one."""

    memory_bytes: int
    weight_bytes: int
    attention: tuple[Attention, ...]
    overheads: Overheads


def share(engine: Engine, model: ModelFacts, gpu: Gpu, gpus: int, sequences: int) -> Share:
    """What has to go where."""
    extra = overheads(engine, model, gpu, gpus, sequences)
    kinds = model.attention if engine.frees_windows else tuple(replace(kind, window=None) for kind in model.attention)
    if engine.splits == "layers":
        whole = Overheads(extra.context_bytes * gpus, extra.activation_bytes * gpus, 0)
        return Share(gpu.memory_bytes * gpus, model.weight_bytes, kinds, whole)
    shards: Sequence[Attention] = [arithmetic.shard(kind, gpus) for kind in kinds]
    return Share(gpu.memory_bytes, -(-model.weight_bytes // gpus), tuple(shards), extra)


def pool_bytes(engine: Engine, part: Share, utilization: float) -> int:
    """What is left for the KV cache; negative by as much as is missing."""
    extra, weights = part.overheads, part.weight_bytes
    beside_context = part.memory_bytes - extra.context_bytes
    working = extra.activation_bytes + extra.graph_bytes
    budget = int(part.memory_bytes * utilization)
    if engine.name == "vllm":
        return min(budget, beside_context) - weights - working
    if engine.name == "sglang":
        return min(budget, beside_context - working) - weights
    if engine.name == "trtllm":
        free = beside_context - weights - working
        return int(free * utilization) if free > 0 else free
    return budget - extra.context_bytes - weights - working
