"""The catalogue: whole, in both languages, with the sizes that decide, and one file wherever it is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.tools.planner.arithmetic import KIB, kv_bytes_per_token
from hayate.tools.planner.catalogue import CatalogueError, find_model, load_catalogue
from hayate.tools.planner.facts import FactsMissing, ModelFacts

REPOSITORY = Path(__file__).parents[5]
PACKAGED = REPOSITORY / "gateway/src/hayate/tools/planner/models.yaml"

# GB as published, KV cache in KiB a token at 16 bits.
SIZES = {
    "Qwen/Qwen2.5-7B-Instruct": (15.2, 56),
    "Qwen/Qwen2.5-7B-Instruct-AWQ": (5.6, 56),
    "Qwen/Qwen2.5-14B-Instruct": (29.5, 192),
    "Qwen/Qwen2.5-14B-Instruct-AWQ": (10.0, 192),
    "Qwen/Qwen2.5-32B-Instruct": (65.5, 256),
    "Qwen/Qwen2.5-32B-Instruct-AWQ": (19.3, 256),
    "rinna/qwen2.5-bakeneko-32b-instruct-awq": (19.3, 256),
    "tokyotech-llm/Llama-3.1-Swallow-8B-Instruct-v0.3": (16.1, 128),
    "mistralai/Mistral-Nemo-Instruct-2407": (24.5, 160),
    "cyberagent/Mistral-Nemo-Japanese-Instruct-2408": (24.5, 160),
    "nvidia/Mistral-Nemo-12B-Instruct-ONNX-INT4": (8.57, 160),
    "bartowski/Llama-3.3-70B-Instruct-GGUF": (42.5, 320),
}


@pytest.fixture(scope="module")
def catalogue() -> tuple[ModelFacts, ...]:
    return load_catalogue()


@pytest.mark.parametrize("name", SIZES)
def test_models_have_their_published_sizes(catalogue: tuple[ModelFacts, ...], name: str) -> None:
    model, (gigabytes, kib) = find_model(catalogue, name), SIZES[name]
    assert model is not None
    assert model.weight_bytes / 1e9 == pytest.approx(gigabytes, abs=0.06)
    assert kv_bytes_per_token(model.attention, 2) == kib * KIB


def test_every_entry_says_where_its_numbers_come_from_in_both_languages(catalogue: tuple[ModelFacts, ...]) -> None:
    for model in catalogue:
        assert model.source, model.id
        assert model.licence, model.id
        assert model.note is not None, model.id
        assert any("\u3040" <= letter <= "\u9fff" for letter in model.note.ja), model.id


def test_hybrid_models_count_their_windows_and_say_what_they_assume(catalogue: tuple[ModelFacts, ...]) -> None:
    hybrids = {model.id: model for model in catalogue if model.hybrid}
    assert set(hybrids) == {
        "tokyotech-llm/GPT-OSS-Swallow-20B-RL-v0.1",
        "google/gemma-4-26B-A4B-it",
        "google/gemma-4-31B-it",
    }
    assert all(model.assumptions for model in hybrids.values())
    assert {model.layers for model in hybrids.values()} == {24, 30, 60}


def test_the_onnx_model_says_why_it_is_not_for_these_engines(catalogue: tuple[ModelFacts, ...]) -> None:
    model = find_model(catalogue, "nvidia/Mistral-Nemo-12B-Instruct-ONNX-INT4")
    assert model is not None
    assert model.refusal is not None
    assert "onnxruntime-genai" in model.refusal.en
    assert "onnxruntime-genai" in model.refusal.ja


def test_the_file_in_llm_is_the_one_in_the_package() -> None:
    assert (REPOSITORY / "llm/models.yaml").resolve() == PACKAGED.resolve()


def test_a_model_is_found_by_its_id_or_by_the_end_of_it_in_any_case(catalogue: tuple[ModelFacts, ...]) -> None:
    for name in ("Qwen/Qwen2.5-7B-Instruct", "qwen/qwen2.5-7b-instruct", "qwen2.5-7b-instruct"):
        found = find_model(catalogue, name)
        assert found is not None
        assert found.id == "Qwen/Qwen2.5-7B-Instruct"
    assert find_model(catalogue, "other/Qwen2.5-7B-Instruct") is None
    assert find_model(catalogue, "Qwen2.5") is None


def test_an_end_that_two_ids_share_has_to_be_whole(catalogue: tuple[ModelFacts, ...]) -> None:
    twins = (*catalogue, *load_catalogue(PACKAGED))
    with pytest.raises(FactsMissing, match="give the whole id"):
        find_model(twins, "Qwen2.5-7B-Instruct")


ENTRY = """
version: 1
models:
  - id: a/b
    family: b
    layers: 2
    heads: 4
    kv_heads: 2
    head_dim: 32
    hidden: 128
    vocab: 100
    context_tokens: 4096
    weight_bytes: 1000
    format: safetensors
    licence: MIT
    source: here
    note: {en: One, ja: 一つ}
"""


def test_another_file_can_take_its_place(tmp_path: Path) -> None:
    own = tmp_path / "models.yaml"
    own.write_text(ENTRY, encoding="utf-8")
    assert [model.id for model in load_catalogue(own)] == ["a/b"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("layers: 2", "layers: 0", "models.0.layers"),
        ("layers: 2", "layer: 2", "models.0.layer"),
        ("    kv_heads: 2\n", "", "belong together"),
        ("    layers: 2\n    heads: 4\n    kv_heads: 2\n    head_dim: 32\n", "    heads: 4\n", "give either"),
        ("head_dim: 32", "head_dim: 32\n    attention: [{layers: 1, kv_heads: 1, head_dim: 1}]", "give either"),
        ("id: a/b", "id: b", "models.0.id"),
        ("ja: 一つ", "ja: ''", "models.0.note.ja"),
        ("version: 1", "version: 2", "version"),
        ("version: 1", "version: [", "models.yaml"),
    ],
)
def test_a_mistake_in_it_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    own = tmp_path / "models.yaml"
    own.write_text(ENTRY.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogueError, match=said.replace(".", r"\.")):
        load_catalogue(own)


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    own = tmp_path / "models.yaml"
    own.write_text(ENTRY + ENTRY.split("models:\n")[1].replace("a/b", "A/B"), encoding="utf-8")
    with pytest.raises(CatalogueError, match="listed twice"):
        load_catalogue(own)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"gone\.yaml"):
        load_catalogue(tmp_path / "gone.yaml")
