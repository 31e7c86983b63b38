"""What MODEL may say, and which file it means."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from hayate.tools.embedded.reference import (
    HubModel,
    LocalModel,
    NoSuchFile,
    choose,
    parse_hub_model,
    parse_model,
    served_name,
)
from hayate.tools.embedded.refusals import ModelRefused
from tests.support.tables import table

QWEN = [
    "README.md",
    "qwen2.5-7b-instruct-q2_k.gguf",
    "qwen2.5-7b-instruct-q4_0-00001-of-00002.gguf",
    "qwen2.5-7b-instruct-q4_0-00002-of-00002.gguf",
    "qwen2.5-7b-instruct-q4_k_m-00001-of-00002.gguf",
    "qwen2.5-7b-instruct-q4_k_m-00002-of-00002.gguf",
    "qwen2.5-7b-instruct-fp16-00001-of-00003.gguf",
]


@table(
    ("said", "meant"),
    [
        ("Qwen/Qwen2.5-0.5B-Instruct-GGUF", HubModel("Qwen/Qwen2.5-0.5B-Instruct-GGUF")),
        (" hf://owner/repo ", HubModel("owner/repo")),
        ("owner/repo:Q4_K_M", HubModel("owner/repo", quantisation="Q4_K_M")),
        ("hf:owner/repo:iq4_xs", HubModel("owner/repo", quantisation="iq4_xs")),
        ("owner/repo/file.gguf", HubModel("owner/repo", file="file.gguf")),
        ("owner/repo/BF16/file.gguf", HubModel("owner/repo", file="BF16/file.gguf")),
        ("https://huggingface.co/owner/repo", HubModel("owner/repo")),
        ("https://huggingface.co/owner/repo/", HubModel("owner/repo")),
        ("https://huggingface.co/owner/repo/blob/main/x.gguf", HubModel("owner/repo", file="x.gguf")),
        ("https://hf.co/owner/repo/resolve/main/x.gguf?download=true", HubModel("owner/repo", file="x.gguf")),
        ("/models/x.gguf", LocalModel(Path("/models/x.gguf"))),
        ("./owner/repo", LocalModel(Path("owner/repo"))),
        ("x.gguf", LocalModel(Path("x.gguf"))),
        ("models/x.gguf", LocalModel(Path("models/x.gguf"))),
    ],
)
def test_a_reference_is_read(said: str, meant: HubModel | LocalModel) -> None:
    assert parse_model(said) == meant


def test_a_tilde_is_the_home_folder() -> None:
    assert parse_model("~/x.gguf") == LocalModel(Path.home() / "x.gguf")


def test_a_path_that_exists_is_a_path_even_when_it_looks_like_a_repository(tmp_path: Path) -> None:
    (tmp_path / "owner" / "repo").mkdir(parents=True)
    with contextlib.chdir(tmp_path):
        assert parse_model("owner/repo") == LocalModel(Path("owner/repo"))


@table("said", ["llama", "a/b/c", "http://example.com/x", "hf://", "owner/repo/x.bin", "a b/c"])
def test_what_is_neither_is_refused_in_one_sentence(said: str) -> None:
    with pytest.raises(ModelRefused) as refusal:
        parse_model(said)
    assert said in refusal.value.english
    assert said in refusal.value.japanese


def test_a_repository_alone_means_its_q4_k_m_with_all_parts_in_order() -> None:
    assert choose(QWEN, HubModel("o/r")) == QWEN[4:6]


def test_a_quantisation_is_found_whatever_its_case() -> None:
    assert choose(QWEN, HubModel("o/r", quantisation="q4_0")) == QWEN[2:4]
    assert choose(QWEN, HubModel("o/r", quantisation="Q2_K")) == QWEN[1:2]


def test_a_quantisation_is_a_whole_word() -> None:
    names = ["m-Q4_K_M.gguf", "m-IQ4_K.gguf"]
    with pytest.raises(NoSuchFile):
        choose(names, HubModel("o/r", quantisation="Q4_K"))


def test_any_part_of_a_split_file_means_all_of_it() -> None:
    assert choose(QWEN, HubModel("o/r", file=QWEN[5])) == QWEN[4:6]


def test_a_split_file_with_a_part_missing_is_not_there() -> None:
    with pytest.raises(NoSuchFile) as refusal:
        choose(QWEN, HubModel("o/r", file=QWEN[6]))
    assert QWEN[1] in refusal.value.names


def test_without_a_preferred_quantisation_the_first_file_is_taken() -> None:
    assert choose(["b.gguf", "a.gguf"], HubModel("o/r")) == ["a.gguf"]


def test_projectors_and_importance_matrices_are_no_models() -> None:
    names = ["mmproj-Q4_K_M.gguf", "model.mmproj-f16.gguf", "imatrix.gguf", "model-Q8_0.gguf"]
    assert choose(names, HubModel("o/r")) == ["model-Q8_0.gguf"]


def test_a_repository_without_gguf_files_has_no_such_file() -> None:
    with pytest.raises(NoSuchFile) as refusal:
        choose(["model.safetensors"], HubModel("o/r"))
    assert refusal.value.names == ()


def test_the_served_name_is_the_file_name_without_its_part() -> None:
    assert served_name("x/Qwen2.5-7B-Q4_K_M-00001-of-00002.gguf") == "qwen2.5-7b-q4_k_m"


def test_the_home_of_nobody_is_a_path_that_is_not_there() -> None:
    assert parse_model("~nobody-of-this-name/x.gguf") == LocalModel(Path("~nobody-of-this-name/x.gguf"))


@pytest.mark.parametrize(
    ("text", "model"), [("o/r:Q4_K_M", HubModel("o/r", "Q4_K_M")), ("x", None), ("o/r/config.json", None)]
)
def test_a_reference_to_the_hub_alone_looks_at_no_path(text: str, model: HubModel | None) -> None:
    assert parse_hub_model(text) == model
