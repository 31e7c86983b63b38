"""How much GPU memory a model takes, and what is left for its KV cache. Plain numbers in, plain numbers out.

KV cache
    One token costs, in each layer that attends, `kv_heads x (key_dim + value_dim) x bytes of one element`. Summed over
    the layers of an ordinary model this is the familiar `2 x layers x KV heads x head dim x bytes`. Engines hand the
    cache out in blocks, so a sequence is rounded up to whole blocks. A layer with a sliding window keeps only
    `window - 1 + in_flight` tokens and one block more (the window may start inside a block); `in_flight` is what the
    engine may have scheduled before it frees old blocks. A linear-attention layer keeps a state of fixed size instead.
    vLLM 0.32 counts the same way (`KVCacheSpec.max_memory_usage_bytes`, `get_kv_cache_capacity`); the tests hold this
    file against what a real vLLM and a real llama.cpp print at start.

What is not KV cache, per GPU
    weights        the bytes of the weight files, divided by the number of GPUs.
    context        CUDA's context, kernels and libraries: 512 MiB, and 512 MiB more for NCCL's buffers with several GPUs.
    activations    `batched tokens x hidden x 20 x 2 bytes` for the widest moment of one layer (gate and up projection,
                   their product, residual: 18 hidden sizes for Qwen2.5, 12 for Llama 3.1, 19 for Qwen3's experts), plus
                   `sequences x vocab x 12 bytes` for logits, probabilities and the sorted copy, in float32.
    CUDA graphs    128 MiB plus 256 KiB per layer and captured batch size. vLLM captures 1, 2, 4, then every 8 up to 256,
                   then every 16, up to min(2 x sequences, 512).
The last three are allowances, chosen to be met rather than beaten; engines measure the true figures at start. Memory
sizes are powers of two (1 GiB = 2**30 bytes): a "24 GB" card has about 24 GiB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

KIB, MIB, GIB = 2**10, 2**20, 2**30

TYPICAL_TOKENS = 2048
"""One exchange of a conversation as most are, prompt and answer together: some 1,500 tokens in, 500 out."""

CUDA_CONTEXT_BYTES = 512 * MIB
NCCL_BYTES = 512 * MIB
ACTIVATION_WIDTHS = 20
ACTIVATION_ELEMENT_BYTES = 2
LOGITS_BYTES_PER_ENTRY = 12
GRAPH_BASE_BYTES = 128 * MIB
GRAPH_BYTES_PER_LAYER_AND_SIZE = 256 * KIB


@dataclass(frozen=True, slots=True)
class Attention:
    """Some layers of a model that remember the past in the same way."""

    layers: int
    kv_heads: int = 0
    key_dim: int = 0
    value_dim: int = 0
    window: int | None = None
    state_bytes: int = 0

    @property
    def elements(self) -> int:
        """What one token adds to one layer's cache."""
        return self.kv_heads * (self.key_dim + self.value_dim)


@dataclass(frozen=True, slots=True)
class Paging:
    """How an engine hands out its cache: whole blocks, what it holds past a window, whether layer groups are padded."""

    block_tokens: int = 16
    in_flight_tokens: int = 0
    spare_window_blocks: int = 1
    padded_groups: bool = False


@dataclass(frozen=True, slots=True)
class Overheads:
    """What one GPU gives up besides weights and cache."""

    context_bytes: int
    activation_bytes: int
    graph_bytes: int

    @property
    def total_bytes(self) -> int:
        """Taken on every GPU, however small its part of the model."""
        return self.context_bytes + self.activation_bytes + self.graph_bytes


def round_up(value: int, step: int) -> int:
    """`value`, or the next multiple of `step`."""
    return -(-value // step) * step


def shard(layer_kind: Attention, gpus: int) -> Attention:
    """The part of it that one of `gpus` GPUs holds: heads are divided; once each GPU has one, they are repeated."""
    if gpus == 1:
        return layer_kind
    heads = max(1, math.ceil(layer_kind.kv_heads / gpus)) if layer_kind.kv_heads else 0
    return Attention(
        layer_kind.layers,
        heads,
        layer_kind.key_dim,
        layer_kind.value_dim,
        layer_kind.window,
        math.ceil(layer_kind.state_bytes / gpus),
    )


def kv_bytes_per_token(attention: Sequence[Attention], element_bytes: float, *, past_windows: bool = False) -> float:
    """What one more token costs; `past_windows` when the sliding layers are full and only drop one for each they take."""
    kinds = (kind for kind in attention if not (past_windows and kind.window is not None))
    return sum(kind.layers * kind.elements for kind in kinds) * element_bytes


def held_tokens(kind: Attention, context_tokens: int, paging: Paging) -> int:
    """The cache slots that one sequence of `context_tokens` takes in one layer of this kind."""
    if kind.elements == 0:
        return 0
    if kind.window is None:
        return round_up(context_tokens, paging.block_tokens)
    held = min(kind.window - 1 + paging.in_flight_tokens, context_tokens)
    return round_up(held, paging.block_tokens) + paging.spare_window_blocks * paging.block_tokens


def padded_layers(attention: Sequence[Attention], paging: Paging) -> list[int]:
    """Layer counts as the engine allocates them.

    vLLM cuts a hybrid model into groups of equally many layers, as many as its rarest kind has (or its commonest, when
    they differ by less than half), and pads the last group of each kind: 8 full and 9 sliding layers cost 9 and 9.
    """
    counts = [kind.layers for kind in attention]
    cached = [kind.layers for kind in attention if kind.elements and kind.layers]
    if not paging.padded_groups or len(cached) < 2:
        return counts
    size = max(cached) if max(cached) < 1.5 * min(cached) else min(cached)
    return [round_up(kind.layers, size) if kind.elements else kind.layers for kind in attention]


def kv_bytes_per_sequence(
    attention: Sequence[Attention], context_tokens: int, element_bytes: float, paging: Paging
) -> int:
    """The cache that one sequence of `context_tokens` takes, blocks and windows counted."""
    total = 0.0
    for kind, layers in zip(attention, padded_layers(attention, paging), strict=True):
        total += layers * (held_tokens(kind, context_tokens, paging) * kind.elements * element_bytes + kind.state_bytes)
    return math.ceil(total)


def concurrency(kv_bytes: int, per_sequence_bytes: int) -> float:
    """How many such sequences `kv_bytes` hold; a model without any cache holds as many as one likes."""
    if kv_bytes <= 0:
        return 0.0
    return kv_bytes / per_sequence_bytes if per_sequence_bytes else math.inf


def kv_tokens(
    kv_bytes: int, attention: Sequence[Attention], context_tokens: int, element_bytes: float, paging: Paging
) -> int:
    """How many tokens `kv_bytes` hold when every sequence is `context_tokens` long: the figure vLLM prints at start."""
    room = concurrency(kv_bytes, kv_bytes_per_sequence(attention, context_tokens, element_bytes, paging))
    return int(room * context_tokens) if math.isfinite(room) else 0


def longest_context(
    kv_bytes: int,
    sequences: int,
    attention: Sequence[Attention],
    element_bytes: float,
    *,
    paging: Paging,
    limit_tokens: int,
) -> int:
    """The longest context, in whole blocks and at most `limit_tokens`, at which `sequences` fit; 0 when none does."""
    low, high = 0, limit_tokens // paging.block_tokens
    while low < high:
        middle = (low + high + 1) // 2
        needed = sequences * kv_bytes_per_sequence(attention, middle * paging.block_tokens, element_bytes, paging)
        low, high = (middle, high) if needed <= kv_bytes else (low, middle - 1)
    return low * paging.block_tokens


def activation_bytes(batched_tokens: int, sequences: int, hidden: int, vocab: int) -> int:
    """The widest moment of a forward pass and of sampling after it."""
    return (
        batched_tokens * hidden * ACTIVATION_WIDTHS * ACTIVATION_ELEMENT_BYTES
        + sequences * vocab * LOGITS_BYTES_PER_ENTRY
    )


def captured_sizes(sequences: int) -> int:
    """How many batch sizes vLLM captures as CUDA graphs for `sequences` at once."""
    largest = min(2 * sequences, 512)
    return sum(1 for size in (1, 2, 4, *range(8, 256, 8), *range(256, 513, 16)) if size <= largest)


def graph_bytes(layers: int, sequences: int) -> int:
    """What CUDA graphs keep of the GPU while `sequences` may run at once."""
    return GRAPH_BASE_BYTES + layers * captured_sizes(sequences) * GRAPH_BYTES_PER_LAYER_AND_SIZE


def context_bytes(gpus: int) -> int:
    """What CUDA and, with several GPUs, NCCL take on each GPU."""
    return CUDA_CONTEXT_BYTES + (NCCL_BYTES if gpus > 1 else 0)
