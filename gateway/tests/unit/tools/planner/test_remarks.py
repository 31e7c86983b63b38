"""Every remark is made when it should be, in both languages, and not when it should not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.language import Text
from hayate.tools.planner.arithmetic import Attention
from hayate.tools.planner.catalogue import load_catalogue
from hayate.tools.planner.engines import ENGINES, Engine, EngineName
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.gpus import CARDS, parse_gpu
from hayate.tools.planner.plan import Wish, make_plan
from hayate.tools.planner.remarks import (
    Remark,
    dtype_remarks,
    fit_remarks,
    format_remarks,
    growth_remarks,
    kv_remarks,
    size_remarks,
)
from tests.support.tables import table
from tests.unit.tools.planner.planned import facts

VLLM, SGLANG, TRTLLM, LLAMACPP, OLLAMA = ENGINES.values()
UNSIZED = parse_gpu("24GiB")
"""Of such a card nothing is known but its memory."""
TURING, AMPERE, ADA, VOLTA = (parse_gpu(name) for name in ("t4", "rtx3090", "rtx4090", "v100-32g"))
AWQ = facts(quantisation="awq")
SLIDING = Attention(32, 8, 128, 128, window=1024)


def told(remarks: Iterable[Remark]) -> list[tuple[str, str]]:
    """Level and code of each."""
    return [(remark.level, remark.code) for remark in remarks]


def only(remarks: Iterable[Remark]) -> Text:
    """What the only one says."""
    (remark,) = remarks
    return remark.text


@table(
    ("kind", "engine", "said"),
    [
        ("safetensors", VLLM, []),
        ("safetensors", TRTLLM, []),
        ("safetensors", LLAMACPP, [("error", "needs-gguf")]),
        ("safetensors", OLLAMA, [("error", "needs-gguf")]),
        ("gguf", LLAMACPP, []),
        ("gguf", OLLAMA, []),
        ("gguf", VLLM, [("error", "gguf-for-hf-engine")]),
        ("gguf", SGLANG, [("error", "gguf-for-hf-engine")]),
        ("onnx", VLLM, [("error", "onnx")]),
        ("onnx", LLAMACPP, [("error", "onnx")]),
    ],
)
def test_files_that_an_engine_does_not_read_are_an_error(
    kind: str, engine: Engine, said: list[tuple[str, str]]
) -> None:
    assert told(format_remarks(facts(format=kind), engine)) == said


def test_what_can_be_done_about_the_files_is_said() -> None:
    wrong = only(format_remarks(facts(format="gguf"), SGLANG))
    assert wrong.en.startswith("SGLang serves Hugging Face weights (safetensors), not GGUF. Use llamacpp or ollama")
    assert wrong.ja.startswith("SGLangが扱うのはHugging Face形式（safetensors）の重み")
    needed = only(format_remarks(facts(), OLLAMA))
    assert needed.en == "Ollama needs a GGUF file of this model; give its path to --model."
    assert needed.ja == "OllamaにはこのモデルのGGUFファイルが必要です。そのパスを --model に指定してください。"
    assert only(format_remarks(facts(format="onnx"), VLLM)) == Text(
        "vLLM can't load ONNX files.", "vLLMはONNXファイルを読み込めません。"
    )


@table("engine", ENGINES.values())
def test_a_models_own_refusal_comes_before_any_of_ours(engine: Engine) -> None:
    why = Text("It is for TensorRT only.", "TensorRT専用です。")
    assert [*format_remarks(facts(refusal=why, format="onnx"), engine)] == [Remark("error", "not-for-engines", why)]


def test_autoawq_is_not_known_to_load_in_tensorrt_llm_alone() -> None:
    assert told(format_remarks(AWQ, TRTLLM)) == [("warning", "awq-for-trtllm")]
    assert told(format_remarks(AWQ, VLLM)) == told(format_remarks(AWQ, SGLANG)) == []


@table(
    ("gpu", "dtype", "said"),
    [
        (AMPERE, "bfloat16", []),
        (UNSIZED, "bfloat16", []),
        (TURING, "half", []),
        (TURING, "float32", []),
        (TURING, "bfloat16", [("error", "bfloat16-on-old-gpu")]),
    ],
)
def test_bfloat16_needs_ampere(gpu: Any, dtype: str, said: list[tuple[str, str]]) -> None:
    assert told(dtype_remarks(facts(), VLLM, gpu, dtype)) == said


def test_the_gpu_without_bfloat16_is_named_with_what_to_do() -> None:
    said = only(dtype_remarks(facts(), VLLM, TURING, "bfloat16"))
    assert said.en == "t4 has no bfloat16 (compute capability 7.5 < 8.0): use --dtype half."
    assert said.ja == "t4はbfloat16に対応していません（compute capability 7.5 < 8.0）。`--dtype half`にしてください。"


@table(
    ("gpu", "dtype", "said"),
    [
        (AMPERE, "half", []),
        (AMPERE, "bfloat16", [("warning", "awq-bfloat16")]),
        (TURING, "half", []),
        (TURING, "bfloat16", [("error", "bfloat16-on-old-gpu"), ("warning", "awq-bfloat16")]),
        (VOLTA, "half", [("error", "awq-on-old-gpu")]),
        (UNSIZED, "half", []),
    ],
)
def test_awq_has_kernels_from_turing_on_and_is_safest_in_float16(
    gpu: Any, dtype: str, said: list[tuple[str, str]]
) -> None:
    assert told(dtype_remarks(AWQ, VLLM, gpu, dtype)) == said


def test_a_card_before_turing_is_told_what_awq_needs() -> None:
    said = only(dtype_remarks(AWQ, VLLM, VOLTA, "half"))
    assert said.en == "vLLM's AWQ kernels need compute capability 7.5; v100-32g has 7.0."
    assert said.ja == "vLLMのAWQカーネルにはcompute capability 7.5以上が必要ですが、v100-32gは7.0です。"


@pytest.mark.parametrize(("dtype", "warned"), [("half", True), ("float16", True), ("bfloat16", False), ("auto", False)])
def test_a_model_that_overflows_in_float16_objects_to_it(dtype: str, warned: bool) -> None:
    said = told(dtype_remarks(facts(float16_unstable=True), VLLM, AMPERE, dtype))
    assert said == ([("warning", "float16-unstable")] if warned else [])
    assert told(dtype_remarks(facts(), VLLM, AMPERE, dtype)) == []


@given(st.sampled_from((LLAMACPP, OLLAMA)), st.sampled_from(sorted(CARDS)), st.sampled_from(("half", "bfloat16")))
def test_gguf_has_its_own_number_types_on_every_card(engine: Engine, card: str, dtype: str) -> None:
    model = facts(format="gguf", quantisation="awq", float16_unstable=True)
    assert told(dtype_remarks(model, engine, parse_gpu(card), dtype)) == []


def test_a_context_beyond_the_models_is_told_and_one_at_its_limit_is_not() -> None:
    said = only(size_remarks(facts(context_tokens=4096), VLLM, 1, 4097))
    assert said.en == "A context of 4097 is beyond the model's 4096; the plan uses 4096."
    assert said.ja == "コンテキスト4097はモデルの上限4096を超えています。4096として計算します。"
    assert told(size_remarks(facts(context_tokens=4096), VLLM, 1, 4096)) == []


@given(st.integers(1, 128), st.integers(1, 64))
def test_heads_have_to_be_divided_evenly_where_tensors_are_split(heads: int, gpus: int) -> None:
    uneven = told(size_remarks(facts(heads=heads), VLLM, gpus, 1))
    assert uneven == ([] if heads % gpus == 0 else [("error", "heads-not-divisible")])
    assert told(size_remarks(facts(heads=heads), LLAMACPP, gpus, 1)) == []


def test_heads_and_gpus_are_told() -> None:
    said = only(size_remarks(facts(heads=28), VLLM, 3, 1))
    assert said == Text(
        "28 attention heads can't be divided among 3 GPUs.", "アテンションヘッド28個を3台のGPUに分割できません。"
    )


@table(("name", "noted"), [("vllm", False), ("sglang", True), ("trtllm", True), ("llamacpp", False), ("ollama", False)])
def test_windows_that_are_counted_whole_are_noted(name: EngineName, noted: bool) -> None:
    engine = ENGINES[name]
    said = told(size_remarks(facts(attention=(SLIDING,)), engine, 1, 1))
    assert said == ([("note", "windows-counted-whole")] if noted else [])
    assert told(size_remarks(facts(), engine, 1, 1)) == []


def test_what_was_assumed_of_a_model_is_noted_in_its_own_words() -> None:
    assumed = (Text("One.", "一つ。"), Text("Two.", "二つ。"))
    said = [*size_remarks(facts(assumptions=assumed), VLLM, 1, 1)]
    assert said == [Remark("note", "assumption", each) for each in assumed]


@table(
    ("engine", "gpu", "kind", "said"),
    [
        (VLLM, ADA, "auto", []),
        (VLLM, ADA, "fp8", []),
        (VLLM, UNSIZED, "fp8", []),
        (VLLM, AMPERE, "fp8", [("warning", "fp8-on-old-gpu")]),
        (VLLM, ADA, "q8_0", [("error", "kv-dtype"), ("note", "quantised-cache-needs-flash-attention")]),
        (TRTLLM, ADA, "fp8", [("error", "kv-dtype")]),
        (LLAMACPP, AMPERE, "q8_0", [("note", "quantised-cache-needs-flash-attention")]),
        (LLAMACPP, AMPERE, "fp8", [("error", "kv-dtype")]),
        (OLLAMA, AMPERE, "auto", []),
    ],
)
def test_a_cache_is_kept_in_a_type_that_engine_and_card_know(
    engine: Engine, gpu: Any, kind: str, said: list[tuple[str, str]]
) -> None:
    assert told(kv_remarks(engine, gpu, kind)) == said


def test_the_types_that_a_cache_may_have_are_told() -> None:
    said = only(kv_remarks(LLAMACPP, ADA, "fp8"))
    assert said.en == "llama.cpp is planned with a KV cache of type auto or q8_0, not fp8."
    assert said.ja == "llama.cppのKVキャッシュの型はautoかq8_0です。fp8は使えません。"


@given(st.integers(0, 64), st.integers(1, 64), st.sampled_from(tuple(ENGINES.values())))
def test_fewer_sequences_than_wished_are_a_warning_and_none_is_left_to_the_verdict(
    sequences: int, concurrency: int, engine: Engine
) -> None:
    said = [*fit_remarks(sequences, concurrency, engine, 2048)]
    assert told(said) == ([("warning", "fewer-sequences")] if 1 <= sequences < concurrency else [])
    for remark in said:
        assert f"nly {sequences} of {concurrency} s" in remark.text.en
        assert f"{concurrency}" in remark.text.ja


def test_a_pool_is_shared_and_slots_are_not() -> None:
    assert only(fit_remarks(3, 8, VLLM, 2048)) == Text(
        "Only 3 of 8 sequences of a typical 2048 tokens fit; the plan uses 3.",
        "標準的な長さ（2048トークン）で収まるのは8件中3件です。同時実行数は3件として計算します。",
    )
    assert only(fit_remarks(3, 8, LLAMACPP, 8192)) == Text(
        "Only 3 of 8 slots fit on the GPU; the plan uses 3.", "GPUに収まるのは8枠中3枠です。3枠として計算します。"
    )


def test_what_happens_when_all_grow_long_is_told() -> None:
    said = only(growth_remarks(1, 8192))
    assert said.en.startswith("Should all grow to 8192 tokens, 1 would fit: the engine sets the newest back")
    assert said.ja.startswith("すべてが8192トークンまで伸びた場合、収まるのは1件です。")


models = st.sampled_from(load_catalogue())
wishes = st.builds(
    Wish,
    gpu=st.sampled_from(sorted(CARDS)).map(parse_gpu),
    gpus=st.sampled_from((1, 2, 3)),
    engine=st.sampled_from((None, *ENGINES)),
    context_tokens=st.integers(1, 200_000),
    dtype=st.sampled_from(("auto", "half", "bfloat16")),
    kv_dtype=st.sampled_from(("auto", "fp8", "q8_0")),
)


@given(models, wishes)
def test_every_remark_is_in_both_languages_and_an_error_is_never_overlooked(model: ModelFacts, wish: Wish) -> None:
    made = make_plan(model, wish, load_catalogue())
    for remark in made.remarks:
        assert remark.text.en.isascii()
        assert any("\u3040" <= letter <= "\u9fff" for letter in remark.text.ja)
    assert (made.verdict == "unusable") == any(remark.level == "error" for remark in made.remarks)
