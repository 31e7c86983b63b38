"""Local weights, and the ones in the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hayate.tools.embedded.refusals import ModelRefused
from hayate.tools.embedded.weights import find_weights, tiny


def nothing_said(english: str, japanese: str) -> None:
    raise AssertionError(english)


def refused(model: str) -> str:
    with pytest.raises(ModelRefused) as refusal:
        find_weights(model, nothing_said)
    assert "\n" not in refusal.value.english
    return refusal.value.english


def test_the_tiny_model_is_in_the_package() -> None:
    weights = tiny()
    assert weights.served_model == "tiny-qwen2"
    assert weights.facts.context_tokens == 4096
    assert 3_000_000 < weights.size_bytes < 4_000_000


def test_a_local_file_is_used_where_it_lies(tmp_path: Path) -> None:
    shutil.copy(tiny().path, tmp_path / "Mine-Q4_K_M.gguf")
    weights = find_weights(str(tmp_path / "Mine-Q4_K_M.gguf"), nothing_said)
    assert weights.path == tmp_path / "Mine-Q4_K_M.gguf"
    assert weights.served_model == "mine-q4_k_m"


def test_a_file_without_the_usual_ending_is_used_when_it_is_a_gguf(tmp_path: Path) -> None:
    shutil.copy(tiny().path, tmp_path / "blob")
    assert find_weights(str(tmp_path / "blob"), nothing_said).path == tmp_path / "blob"


def test_a_folder_that_holds_one_model_is_used(tmp_path: Path) -> None:
    shutil.copy(tiny().path, tmp_path / "m.gguf")
    assert find_weights(str(tmp_path), nothing_said).path == tmp_path / "m.gguf"


def test_a_split_model_is_its_first_part_and_all_parts_are_counted(tmp_path: Path) -> None:
    for part in (1, 2):
        shutil.copy(tiny().path, tmp_path / f"m-0000{part}-of-00002.gguf")
    weights = find_weights(str(tmp_path / "m-00002-of-00002.gguf"), nothing_said)
    assert [part.name for part in weights.parts] == ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]
    assert weights.path.name == "m-00001-of-00002.gguf"
    assert weights.size_bytes == 2 * tiny().size_bytes


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path}/none.gguf does not exist" in refused(str(tmp_path / "none.gguf"))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path}/none/m.gguf does not exist" in refused(str(tmp_path / "none" / "m.gguf"))


def test_a_missing_part_is_said(tmp_path: Path) -> None:
    shutil.copy(tiny().path, tmp_path / "m-00001-of-00002.gguf")
    assert "others are missing" in refused(str(tmp_path / "m-00001-of-00002.gguf"))


def test_an_empty_folder_holds_no_model(tmp_path: Path) -> None:
    assert "holds no whole GGUF file" in refused(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"GG", b"\x00" * 100, b"GGUF" + b"\xff" * 100, b"<html>" * 100])
def test_garbage_is_not_a_gguf(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(content)
    assert "not a usable GGUF" in refused(str(tmp_path / "m.gguf"))


@pytest.mark.parametrize("size", [3, 4, 7, 20, 30, 100, 1000, 10_000, 50_000])
def test_a_head_cut_short_is_not_a_gguf(tmp_path: Path, size: int) -> None:
    (tmp_path / "m.gguf").write_bytes(tiny().path.read_bytes()[:size])
    assert "not a usable GGUF" in refused(str(tmp_path / "m.gguf"))
