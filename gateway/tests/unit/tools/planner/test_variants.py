"""What a name of `--models` may mean, and what the deployment is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.planner.facts import FactsMissing
from hayate.tools.planner.variants import find_named, require_format, short_name
from tests.support.tables import table
from tests.unit.tools.planner.sharing import CATALOGUE


def test_a_family_is_all_its_variants_in_the_catalogues_order() -> None:
    found = find_named("Qwen2.5-7B", CATALOGUE)
    assert (found.name, [model.label for model in found.variants]) == ("qwen2.5-7b", ["bf16", "awq", "gguf Q4_K_M"])
    assert [model.label for model in found.of_format("safetensors")] == ["bf16", "awq"]


def test_everything_else_is_one_model_as_for_a_plan_of_one() -> None:
    found = find_named("rinna/qwen2.5-bakeneko-32b-instruct-awq", CATALOGUE)
    assert (found.name, len(found.variants)) == ("qwen2.5-bakeneko-32b-instruct-awq", 1)
    with pytest.raises(FactsMissing, match="not in the catalogue"):
        find_named("no-such-model", CATALOGUE)


def test_what_no_engine_takes_is_no_variant() -> None:
    assert find_named("mistral-nemo-12b", CATALOGUE).of_format("onnx") == ()


def test_without_files_for_the_engine_it_is_said_what_is_needed() -> None:
    swallow = find_named("llama-3.1-swallow-8b", CATALOGUE)
    with pytest.raises(FactsMissing, match=r"llama-3\.1-swallow-8b: Ollama needs GGUF") as caught:
        require_format(swallow, "gguf", "Ollama")
    assert "OllamaにはGGUFが必要です" in caught.value.japanese


@table(
    ("typed", "name"),
    [
        ("qwen2.5-7b", "qwen2.5-7b"),
        ("./models/My Model.GGUF/", "my-model.gguf"),
        ("/models/ラーメン.gguf", "model"),
        ("owner/Name_1", "name_1"),
    ],
)
def test_a_deployment_is_called_by_the_last_part(typed: str, name: str) -> None:
    assert short_name(typed) == name


@given(st.text())
def test_a_name_is_never_empty_and_fits_a_url(typed: str) -> None:
    name = short_name(typed)
    assert name
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
