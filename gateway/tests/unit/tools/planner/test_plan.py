"""Whole plans: what fits, what is said about it, and what must hold whatever is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.planner.arithmetic import GIB
from hayate.tools.planner.catalogue import find_model, load_catalogue
from hayate.tools.planner.engines import ENGINES, EngineName
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.gpus import Gpu, parse_gpu
from hayate.tools.planner.plan import Plan, Wish, make_plan
from tests.support.tables import table

CATALOGUE = load_catalogue()
QWEN_7B, QWEN_AWQ = "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct-AWQ"
LLAMA_GGUF, ONNX = "bartowski/Llama-3.3-70B-Instruct-GGUF", "nvidia/Mistral-Nemo-12B-Instruct-ONNX-INT4"
SWALLOW, BAKENEKO = "tokyotech-llm/Llama-3.1-Swallow-8B-Instruct-v0.3", "rinna/qwen2.5-bakeneko-32b-instruct-awq"
GEMMA = "google/gemma-4-31B-it"

anything = st.sampled_from(CATALOGUE)
sizes = st.floats(4, 320).map(lambda gib: Gpu("any", int(gib * GIB)))
wishes = st.builds(
    Wish,
    gpu=sizes,
    gpus=st.sampled_from((1, 2, 4)),
    engine=st.sampled_from((None, *ENGINES)),
    context_tokens=st.integers(1, 200_000),
    concurrency=st.integers(1, 64),
    utilization=st.floats(0.3, 1),
)


def model(name: str) -> ModelFacts:
    found = find_model(CATALOGUE, name)
    assert found is not None
    return found


def plan(name: str, gpu: str, engine: EngineName | None = None, **wish: object) -> Plan:
    return make_plan(model(name), replace(Wish(parse_gpu(gpu), engine=engine), **wish), CATALOGUE)  # type: ignore[arg-type]


def codes(made: Plan, level: str) -> set[str]:
    return {remark.code for remark in made.remarks if remark.level == level}


def test_the_parts_of_a_vllm_plan_add_up() -> None:
    made = plan(QWEN_7B, "24GiB")
    assert made.verdict == "fits"
    working = made.overheads.activation_bytes + made.overheads.graph_bytes
    assert made.pool_bytes == int(24 * GIB * 0.9) - made.weight_bytes - working
    assert made.kv_bytes_per_sequence == 8192 * 56 * 1024
    assert made.kv_bytes_per_typical == 2048 * 56 * 1024
    assert made.kv_bytes == 8 * made.kv_bytes_per_typical
    assert made.left_bytes == made.pool_bytes - made.kv_bytes
    assert made.sequences == made.pool_bytes // made.kv_bytes_per_sequence
    assert made.typical_sequences == made.pool_bytes // made.kv_bytes_per_typical


def test_bakeneko_hardly_fits_on_24_gib_and_is_at_ease_on_48() -> None:
    small, large = plan(BAKENEKO, "24GiB"), plan(BAKENEKO, "48GiB")
    assert (small.verdict, small.sequences, small.typical_sequences) == ("fewer", 1, 5)
    assert small.flags is not None
    assert small.flags.env["VLLM_MAX_NUM_SEQS"] == "5"
    assert codes(small, "warning") == {"fewer-sequences"}
    assert {"smaller-cache", "more-gpus", "typical-lengths"} <= codes(small, "note")
    assert (large.verdict, large.remarks) == ("fits", ())


def test_a_slot_of_ones_own_is_planned_whole_and_a_typical_one_is_never_longer_than_the_context() -> None:
    slots = plan(LLAMA_GGUF, "80GiB")
    assert (slots.typical_tokens, slots.typical_sequences) == (slots.context_tokens, slots.sequences)
    assert plan(QWEN_7B, "24GiB", context_tokens=1024).typical_tokens == 1024
    assert plan(QWEN_7B, "24GiB", typical_tokens=4096).typical_sequences < plan(QWEN_7B, "24GiB").typical_sequences


def test_what_does_not_fit_has_no_flags_and_names_what_would() -> None:
    made = plan(QWEN_7B, "16GiB")
    assert (made.verdict, made.flags) == ("no", None)
    said = " ".join(remark.text.en for remark in made.remarks)
    assert f"--model {QWEN_AWQ}" in said
    assert "--gpus 2" in said


def test_a_shorter_context_is_offered_when_one_sequence_would_fit_then() -> None:
    made = plan(BAKENEKO, "24GiB", context_tokens=32768)
    assert made.verdict == "no"
    assert f"--context {made.longest_context_tokens}" in " ".join(remark.text.en for remark in made.remarks)
    assert plan(BAKENEKO, "24GiB", context_tokens=made.longest_context_tokens).sequences == 1


@pytest.mark.parametrize("engine", ["vllm", "trtllm", "sglang"])
def test_gguf_is_not_for_engines_of_hugging_face_weights(engine: EngineName) -> None:
    made = plan(LLAMA_GGUF, "80GiB", engine)
    assert (made.verdict, codes(made, "error")) == ("unusable", {"gguf-for-hf-engine"})


@pytest.mark.parametrize("engine", ["llamacpp", "ollama"])
def test_hugging_face_weights_are_not_for_engines_of_gguf(engine: EngineName) -> None:
    made = plan(QWEN_7B, "80GiB", engine)
    assert (made.verdict, codes(made, "error")) == ("unusable", {"needs-gguf"})


@table("engine", ENGINES)
def test_the_onnx_model_is_for_none_of_them(engine: EngineName) -> None:
    assert plan(ONNX, "80GiB", engine).verdict == "unusable"


def test_a_context_beyond_the_models_is_said_and_cut() -> None:
    made = plan(SWALLOW, "80GiB", context_tokens=32768)
    assert codes(made, "warning") == {"context-beyond-model"}
    assert made.context_tokens == 8192
    assert made.flags is not None
    assert made.flags.env["VLLM_MAX_MODEL_LEN"] == "8192"


def test_awq_runs_in_float16_unless_asked_otherwise() -> None:
    assert plan(QWEN_AWQ, "24GiB").dtype == "half"
    asked = plan(QWEN_AWQ, "24GiB", dtype="bfloat16")
    assert (asked.dtype, codes(asked, "warning")) == ("bfloat16", {"awq-bfloat16"})


def test_awq_with_bfloat16_is_refused_on_a_gpu_without_bfloat16() -> None:
    made = plan(QWEN_AWQ, "t4", dtype="bfloat16")
    assert made.verdict == "unusable"
    assert codes(made, "error") == {"bfloat16-on-old-gpu"}
    assert codes(made, "warning") == {"awq-bfloat16"}


def test_gpus_without_bfloat16_run_in_float16_and_gemma_objects() -> None:
    assert plan(QWEN_7B, "v100-32g").dtype == "half"
    assert "float16-unstable" in codes(plan(GEMMA, "v100-32g", gpus=8), "warning")


def test_heads_have_to_be_divided_among_gpus() -> None:
    assert codes(plan(QWEN_7B, "24GiB", gpus=3), "error") == {"heads-not-divisible"}
    assert plan(QWEN_7B, "24GiB", gpus=2).weight_bytes == -(-model(QWEN_7B).weight_bytes // 2)


def test_an_fp8_cache_takes_half() -> None:
    plain, small = plan(QWEN_7B, "24GiB"), plan(QWEN_7B, "24GiB", kv_dtype="fp8")
    assert small.kv_bytes_per_sequence * 2 == plain.kv_bytes_per_sequence


def test_llamacpp_keeps_on_the_cpu_what_does_not_fit() -> None:
    made = plan(LLAMA_GGUF, "24GiB")
    assert made.verdict == "partly"
    assert 30 < made.gpu_layers < 50
    assert "layers-on-cpu" in codes(made, "warning")
    assert made.flags is not None
    assert made.flags.env["LLAMACPP_N_GPU_LAYERS"] == str(made.gpu_layers)
    whole = plan(LLAMA_GGUF, "80GiB")
    assert (whole.verdict, whole.gpu_layers) == ("fits", 99)


def test_llamacpp_spreads_layers_over_several_gpus() -> None:
    made = plan(LLAMA_GGUF, "24GiB", gpus=3)
    assert made.weight_bytes == model(LLAMA_GGUF).weight_bytes
    assert made.memory_bytes == 72 * GIB
    assert made.verdict in ("fits", "fewer")


def test_sliding_layers_make_long_contexts_cheap() -> None:
    swallow, oss = model(QWEN_7B), model("tokyotech-llm/GPT-OSS-Swallow-20B-RL-v0.1")
    wish = Wish(parse_gpu("80GiB"), context_tokens=32768, engine="vllm")
    per_token = make_plan(oss, wish).kv_bytes_per_token / make_plan(swallow, wish).kv_bytes_per_token
    per_sequence = make_plan(oss, wish).kv_bytes_per_sequence / make_plan(swallow, wish).kv_bytes_per_sequence
    assert per_sequence < 0.8 * per_token


@pytest.mark.parametrize("engine", ["sglang", "trtllm"])
def test_sliding_layers_are_counted_whole_where_settings_decide_over_them(engine: EngineName) -> None:
    made = plan(GEMMA, "80GiB", engine, gpus=4)
    assert made.kv_bytes_per_sequence == 8192 * made.kv_bytes_per_token
    assert "windows-counted-whole" in codes(made, "note")


@given(anything, wishes)
def test_any_question_has_an_answer(asked: ModelFacts, wish: Wish) -> None:
    made = make_plan(asked, wish, CATALOGUE)
    assert made.sequences >= 0
    assert made.longest_context_tokens <= asked.context_tokens
    assert (made.flags is None) == (made.verdict in ("no", "unusable"))
    if made.verdict == "fits":
        assert made.typical_sequences >= wish.concurrency
        assert made.left_bytes >= 0
    if made.verdict == "fewer":
        assert 1 <= made.sequences <= made.typical_sequences < wish.concurrency


@given(anything, wishes, st.floats(0, 200))
def test_a_larger_gpu_never_holds_fewer_sequences_unless_it_batches_more(
    asked: ModelFacts, wish: Wish, more: float
) -> None:
    larger = replace(wish, gpu=Gpu("any", wish.gpu.memory_bytes + int(more * GIB)))
    before, after = make_plan(asked, wish), make_plan(asked, larger)
    if before.overheads == after.overheads:
        assert after.sequences >= before.sequences
        assert after.pool_bytes >= before.pool_bytes


@given(anything, wishes, st.integers(1, 100_000))
def test_a_longer_context_never_holds_more_sequences(asked: ModelFacts, wish: Wish, more: int) -> None:
    longer = replace(wish, context_tokens=wish.context_tokens + more)
    assert make_plan(asked, longer).sequences <= make_plan(asked, wish).sequences


@given(anything, wishes, st.integers(1, 64))
def test_more_concurrency_never_leaves_more(asked: ModelFacts, wish: Wish, more: int) -> None:
    busier = replace(wish, concurrency=wish.concurrency + more)
    assert make_plan(asked, busier).left_bytes <= make_plan(asked, wish).left_bytes


@given(anything, wishes, st.floats(0, 0.7))
def test_a_larger_share_never_holds_fewer(asked: ModelFacts, wish: Wish, more: float) -> None:
    larger = replace(wish, utilization=min(1.0, wish.utilization + more))
    before, after = make_plan(asked, wish), make_plan(asked, larger)
    if before.pool_bytes > 0:
        assert after.pool_bytes >= before.pool_bytes
