"""The arithmetic against published sizes, against what engines print, and against what must hold for any model."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.planner.arithmetic import (
    GIB,
    KIB,
    MIB,
    Attention,
    Paging,
    activation_bytes,
    captured_sizes,
    concurrency,
    context_bytes,
    graph_bytes,
    held_tokens,
    kv_bytes_per_sequence,
    kv_bytes_per_token,
    kv_tokens,
    longest_context,
    padded_layers,
    round_up,
    shard,
)
from tests.support.tables import table

TINY = (Attention(2, 2, 32, 32),)
VLLM = Paging(16, 4096, 1, padded_groups=True)

kinds = st.builds(
    Attention,
    layers=st.integers(1, 64),
    kv_heads=st.integers(1, 16),
    key_dim=st.sampled_from((32, 64, 128, 256)),
    value_dim=st.sampled_from((32, 64, 128, 256)),
    window=st.one_of(st.none(), st.integers(16, 8192)),
)
models = st.lists(kinds, min_size=1, max_size=3).map(tuple)
pagings = st.builds(
    Paging,
    block_tokens=st.sampled_from((1, 16, 32, 128, 256)),
    in_flight_tokens=st.sampled_from((0, 513, 2048, 16384)),
    spare_window_blocks=st.integers(0, 1),
    padded_groups=st.booleans(),
)


@table(
    ("layers", "kv_heads", "head_dim", "kib"),
    [(28, 4, 128, 56), (48, 8, 128, 192), (64, 8, 128, 256), (32, 8, 128, 128), (40, 8, 128, 160)],
)
def test_kv_per_token_is_two_times_layers_heads_dim_and_bytes(
    layers: int, kv_heads: int, head_dim: int, kib: int
) -> None:
    assert kv_bytes_per_token([Attention(layers, kv_heads, head_dim, head_dim)], 2) == kib * KIB


def test_tokens_are_what_vllm_prints_for_the_tiny_model_with_1_gib() -> None:
    # vLLM 0.32: "KV cache size: 1,048,576 tokens, Maximum concurrency for 4,096 tokens per request: 256.00x"
    pages = Paging(128, 2048, 1, padded_groups=True)
    assert kv_tokens(GIB, TINY, 4096, 4, pages) == 1_048_576
    assert concurrency(GIB, kv_bytes_per_sequence(TINY, 4096, 4, pages)) == 256


def test_windows_and_padded_groups_count_as_vllm_counts_them() -> None:
    # vLLM 0.32 on a Gemma-3-shaped model of 2 full and 5 sliding layers: "Add 1 padding layers", "528,416 tokens, … 64.50x"
    model = (Attention(2, 2, 32, 32), Attention(5, 2, 32, 32, window=512))
    pages = Paging(128, 2048, 1, padded_groups=True)
    assert padded_layers(model, pages) == [2, 6]
    assert kv_tokens(GIB, model, 8192, 4, pages) == pytest.approx(528_416, rel=0.0001)
    assert f"{concurrency(GIB, kv_bytes_per_sequence(model, 8192, 4, pages)):.2f}" == "64.50"


def test_slots_are_what_llamacpp_prints_for_the_tiny_model() -> None:
    # llama.cpp: "llama_kv_cache: size = 32.00 MiB (32768 cells, 2 layers, 2/2 seqs), K (f16)"
    assert 2 * kv_bytes_per_sequence(TINY, 32768, 2, Paging(256, 513, 0)) == 32 * MIB


def test_a_window_in_llamacpp_is_padded_with_its_batch_to_256() -> None:
    kind = Attention(1, 1, 64, 64, window=1024)
    assert held_tokens(kind, 8192, Paging(256, 513, 0)) == round_up(1024 + 512, 256)


def test_a_context_shorter_than_the_window_holds_only_itself() -> None:
    assert held_tokens(Attention(1, 1, 64, 64, window=4096), 100, Paging(16, 2048, 0)) == round_up(100, 16)


def test_full_windows_cost_nothing_more_per_token() -> None:
    model = (Attention(12, 8, 64, 64), Attention(12, 8, 64, 64, window=128))
    assert kv_bytes_per_token(model, 2, past_windows=True) == kv_bytes_per_token(model, 2) / 2 == 24 * KIB


def test_a_state_of_fixed_size_is_counted_once_a_sequence() -> None:
    model = (Attention(36, state_bytes=1000), Attention(12, 2, 256, 256))
    short, long = (kv_bytes_per_sequence(model, n, 2, VLLM) for n in (16, 32))
    assert long - short == 16 * kv_bytes_per_token(model, 2)
    assert short == 36_000 + 16 * kv_bytes_per_token(model, 2)


def test_groups_of_nearly_equal_size_are_padded_to_the_larger() -> None:
    model = (Attention(13, 1, 1, 1), Attention(12, 1, 1, 1, window=128))
    assert padded_layers(model, VLLM) == [13, 13]
    assert padded_layers(model, Paging()) == [13, 12]


def test_heads_are_divided_among_gpus_and_then_repeated() -> None:
    assert [shard(Attention(1, 8, 128, 128), gpus).kv_heads for gpus in (1, 2, 8, 16)] == [8, 4, 1, 1]
    assert shard(Attention(4, state_bytes=100), 4).state_bytes == 25


def test_captured_sizes_follow_the_number_of_sequences() -> None:
    assert [captured_sizes(n) for n in (1, 8, 256, 1024)] == [2, 5, 51, 51]


def test_allowances_are_of_the_documented_size() -> None:
    assert context_bytes(1) == 512 * MIB
    assert context_bytes(2) == GIB
    assert activation_bytes(2048, 8, 3584, 152064) == 2048 * 3584 * 40 + 8 * 152064 * 12
    assert graph_bytes(28, 8) == 128 * MIB + 28 * 5 * 256 * KIB


def test_no_cache_at_all_has_room_for_any_number() -> None:
    assert concurrency(GIB, 0) == math.inf
    assert kv_tokens(GIB, (), 100, 2, VLLM) == 0
    assert concurrency(-1, 10) == 0
    assert concurrency(0, 0) == 0


@given(models, st.integers(1, 200_000), st.integers(0, 5000), st.sampled_from((1, 1.0625, 2, 4)), pagings)
def test_a_longer_context_never_takes_less(
    model: tuple[Attention, ...], context: int, more: int, element: float, pages: Paging
) -> None:
    assert kv_bytes_per_sequence(model, context, element, pages) <= kv_bytes_per_sequence(
        model, context + more, element, pages
    )


@given(models, st.integers(1, 100_000), pagings)
def test_blocks_only_ever_round_up(model: tuple[Attention, ...], context: int, pages: Paging) -> None:
    full = [kind for kind in model if kind.window is None]
    exact = kv_bytes_per_token(full, 2) * context
    assert kv_bytes_per_sequence(full, context, 2, pages) >= exact


@given(models, st.integers(1, 100_000), pagings)
def test_windows_never_take_more_than_whole_layers_but_for_a_block(
    model: tuple[Attention, ...], context: int, pages: Paging
) -> None:
    plain = Paging(pages.block_tokens, pages.in_flight_tokens, pages.spare_window_blocks)
    whole = [Attention(kind.layers, kind.kv_heads, kind.key_dim, kind.value_dim) for kind in model]
    spare = kv_bytes_per_token(model, 2) * pages.block_tokens
    assert kv_bytes_per_sequence(model, context, 2, plain) <= kv_bytes_per_sequence(whole, context, 2, plain) + spare


@given(models, st.integers(16, 65_536), st.integers(0, 2**40), st.integers(0, 2**38), pagings)
def test_more_memory_never_holds_fewer_tokens(
    model: tuple[Attention, ...], context: int, memory: int, more: int, pages: Paging
) -> None:
    assert kv_tokens(memory, model, context, 2, pages) <= kv_tokens(memory + more, model, context, 2, pages)


@given(models, st.integers(0, 2**38), st.integers(1, 64), st.integers(256, 300_000), pagings)
def test_the_longest_context_fits_and_the_next_block_does_not(
    model: tuple[Attention, ...], memory: int, sequences: int, limit: int, pages: Paging
) -> None:
    longest = longest_context(memory, sequences, model, 2, paging=pages, limit_tokens=limit)
    assert 0 <= longest <= limit
    if longest:
        assert sequences * kv_bytes_per_sequence(model, longest, 2, pages) <= memory
    following = longest + pages.block_tokens
    if following <= limit:
        assert sequences * kv_bytes_per_sequence(model, following, 2, pages) > memory


@given(models, st.sampled_from((1, 2, 4, 8)), st.integers(1, 65_536))
def test_the_shards_of_all_gpus_hold_at_least_the_whole(model: tuple[Attention, ...], gpus: int, context: int) -> None:
    parts = [shard(kind, gpus) for kind in model]
    assert gpus * kv_bytes_per_sequence(parts, context, 2, VLLM) >= kv_bytes_per_sequence(model, context, 2, VLLM)
