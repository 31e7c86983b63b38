"""What each engine takes of a GPU, and what its share is a share of."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.planner.arithmetic import GIB, KIB, MIB, Attention, Overheads, Paging, held_tokens, round_up
from hayate.tools.planner.engines import (
    ENGINES,
    KV_ELEMENT_BYTES,
    Engine,
    EngineName,
    KvDtype,
    Share,
    batched_tokens,
    overheads,
    paging,
    pool_bytes,
    share,
    usual_engine,
)
from hayate.tools.planner.gpus import Gpu, parse_gpu
from tests.support.tables import table
from tests.unit.tools.planner.planned import FULL, facts

VLLM, SGLANG, TRTLLM, LLAMACPP, OLLAMA = ENGINES.values()
CARD = parse_gpu("24GiB")
SLIDING = Attention(32, 8, 128, 128, window=1024)
PART = Share(24 * GIB, 10 * GIB, (FULL,), Overheads(512 * MIB, 300 * MIB, 200 * MIB))
"""24 GiB with 10 GiB of weights: 0.5 GiB of context, 500 MiB to work in."""

engines = st.sampled_from(tuple(ENGINES.values()))


def test_every_engine_is_known_by_its_name() -> None:
    assert tuple(ENGINES) == get_args(EngineName)
    assert all(engine.name == name for name, engine in ENGINES.items())
    assert {kind for engine in ENGINES.values() for kind in engine.kv_dtypes} == set(get_args(KvDtype))


@pytest.mark.parametrize(("kind", "name"), [("gguf", "llamacpp"), ("safetensors", "vllm"), ("onnx", "vllm")])
def test_gguf_goes_to_llamacpp_and_everything_else_to_vllm(kind: str, name: str) -> None:
    assert usual_engine(facts(format=kind)).name == name


def test_engines_of_gguf_have_slots_and_the_others_a_pool() -> None:
    assert {engine.name for engine in ENGINES.values() if engine.grows_on_demand} == {"vllm", "sglang", "trtllm"}


def test_a_cached_number_takes_one_byte_or_a_little_more() -> None:
    assert KV_ELEMENT_BYTES == {"fp8": 1, "q8_0": 1.0625}


@table(
    ("gpu", "tokens"),
    [("24GiB", 2048), ("69.9", 2048), ("70", 8192), ("h100", 8192), ("a100-80g", 2048), ("159", 8192), ("160", 16384)],
)
def test_vllm_batches_more_on_larger_cards_but_for_the_a100(gpu: str, tokens: int) -> None:
    assert batched_tokens(VLLM, parse_gpu(gpu)) == tokens


@pytest.mark.parametrize("gpu", ["16", "24", "80", "200"])
def test_the_other_engines_batch_alike_on_every_card(gpu: str) -> None:
    card = parse_gpu(gpu)
    assert [batched_tokens(engine, card) for engine in (SGLANG, TRTLLM, LLAMACPP, OLLAMA)] == [8192, 8192, 512, 512]


def test_blocks_are_of_each_engines_size() -> None:
    assert paging(VLLM, CARD) == Paging(16, 2 * 2048, 1, padded_groups=True)
    assert paging(SGLANG, CARD) == Paging(1, 8192, 1)
    assert paging(TRTLLM, CARD) == Paging(32, 8192, 1)
    assert paging(LLAMACPP, CARD) == paging(OLLAMA, CARD) == Paging(256, 513, 0)


@given(st.integers(16, 8192))
def test_llamacpp_pads_a_window_and_a_batch_to_256(window: int) -> None:
    kind = Attention(1, 1, 64, 64, window=window)
    assert held_tokens(kind, 100_000, paging(LLAMACPP, CARD)) == round_up(window + 512, 256)


def test_engines_of_tensors_give_up_context_activations_and_graphs() -> None:
    taken = overheads(VLLM, facts(), CARD, 1, 8)
    assert taken.context_bytes == 512 * MIB
    assert taken.activation_bytes == 2048 * 4096 * 40 + 8 * 131072 * 12
    assert taken.graph_bytes == 128 * MIB + 32 * 5 * 256 * KIB


def test_several_gpus_also_give_up_nccls_buffers_where_tensors_are_split() -> None:
    assert overheads(SGLANG, facts(), CARD, 2, 8).context_bytes == GIB
    assert overheads(LLAMACPP, facts(), CARD, 2, 8).context_bytes == 512 * MIB


def test_llamacpp_computes_in_float32_and_captures_nothing() -> None:
    taken = overheads(LLAMACPP, facts(), CARD, 1, 8)
    assert taken.activation_bytes == 2 * 512 * 4096 * 40 + 512 * 131072 * 4
    assert taken.graph_bytes == 0
    assert taken == overheads(LLAMACPP, facts(), CARD, 1, 64)


def test_tensors_are_divided_among_gpus() -> None:
    part = share(VLLM, facts(weight_bytes=10 * GIB + 1), CARD, 4, 8)
    assert part.memory_bytes == 24 * GIB
    assert part.weight_bytes == 10 * GIB // 4 + 1
    assert [kind.kv_heads for kind in part.attention] == [2]


def test_layers_are_spread_over_gpus_that_count_as_one() -> None:
    one, three = (share(LLAMACPP, facts(), CARD, gpus, 8) for gpus in (1, 3))
    assert (one.memory_bytes, three.memory_bytes) == (24 * GIB, 72 * GIB)
    assert one.weight_bytes == three.weight_bytes == 10 * GIB
    assert one.attention == three.attention == (FULL,)
    assert three.overheads.total_bytes == 3 * one.overheads.total_bytes


@table(("name", "window"), [("vllm", 1024), ("sglang", None), ("trtllm", None), ("llamacpp", 1024), ("ollama", 1024)])
def test_sliding_layers_keep_their_window_where_the_engine_frees_it(name: EngineName, window: int | None) -> None:
    (kind,) = share(ENGINES[name], facts(attention=(SLIDING,)), CARD, 1, 8).attention
    assert kind == replace(SLIDING, window=window)


def test_the_utilization_of_vllm_is_of_the_whole_gpu_for_all_but_cudas_context() -> None:
    assert pool_bytes(VLLM, PART, 0.5) == 12 * GIB - 10 * GIB - 500 * MIB
    assert pool_bytes(VLLM, PART, 1.0) == 24 * GIB - 512 * MIB - 10 * GIB - 500 * MIB


def test_the_fraction_of_sglang_is_of_weights_and_cache() -> None:
    assert pool_bytes(SGLANG, PART, 0.5) == 12 * GIB - 10 * GIB
    assert pool_bytes(SGLANG, PART, 1.0) == 24 * GIB - 512 * MIB - 500 * MIB - 10 * GIB


def test_the_fraction_of_tensorrt_llm_is_of_what_everything_else_leaves() -> None:
    free = 24 * GIB - 512 * MIB - 10 * GIB - 500 * MIB
    assert pool_bytes(TRTLLM, PART, 0.5) == free // 2
    assert pool_bytes(TRTLLM, PART, 1.0) == free


@pytest.mark.parametrize("engine", [LLAMACPP, OLLAMA])
def test_the_share_of_llamacpp_is_a_limit_on_all_that_it_takes(engine: Engine) -> None:
    assert pool_bytes(engine, PART, 0.5) == 12 * GIB - 512 * MIB - 10 * GIB - 500 * MIB


@given(engines, st.floats(0.05, 1))
def test_what_is_missing_is_told_as_a_negative_pool(engine: Engine, utilization: float) -> None:
    heavy = replace(PART, weight_bytes=40 * GIB)
    assert pool_bytes(engine, heavy, utilization) < 0
    assert pool_bytes(TRTLLM, heavy, utilization) == 24 * GIB - 512 * MIB - 40 * GIB - 500 * MIB


parts = st.builds(
    Share,
    memory_bytes=st.integers(4 * GIB, 320 * GIB),
    weight_bytes=st.integers(GIB, 320 * GIB),
    attention=st.just((FULL,)),
    overheads=st.builds(
        Overheads, st.integers(0, GIB), activation_bytes=st.integers(0, 4 * GIB), graph_bytes=st.integers(0, GIB)
    ),
)


@given(engines, parts, st.floats(0.05, 1))
def test_the_pool_never_exceeds_what_weights_and_overheads_leave(
    engine: Engine, part: Share, utilization: float
) -> None:
    left = part.memory_bytes - part.weight_bytes - part.overheads.total_bytes
    assert pool_bytes(engine, part, utilization) <= left


@given(engines, parts, st.floats(0.05, 1), st.floats(0.05, 1))
def test_a_larger_share_never_leaves_a_smaller_pool(engine: Engine, part: Share, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert pool_bytes(engine, part, low) <= pool_bytes(engine, part, high)


@given(engines, st.integers(4, 320), st.sampled_from((1, 2, 4, 8)), st.integers(1, 64))
def test_all_gpus_together_hold_at_least_the_whole_model(engine: Engine, gib: int, gpus: int, sequences: int) -> None:
    model = facts()
    part = share(engine, model, Gpu("any", gib * GIB), gpus, sequences)
    copies = 1 if engine.splits == "layers" else gpus
    assert copies * part.weight_bytes >= model.weight_bytes
    assert copies * part.memory_bytes == gpus * gib * GIB
