"""How many bytes a folder of weights holds, whatever set of files it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hayate.tools.planner.facts import FactsMissing
from hayate.tools.planner.weights import folder_weight_bytes, read_json, safetensors_bytes


def safetensors(sizes: dict[str, int], *, payload: int | None = None) -> bytes:
    """A safetensors file whose tensors have these sizes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, size in sizes.items():
        header[name] = {"dtype": "U8", "shape": [size], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(at if payload is None else payload)


def test_a_file_is_measured_by_its_header(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(safetensors({"a": 100, "b": 23}))
    assert safetensors_bytes(file) == 123
    assert folder_weight_bytes(tmp_path) == 123


def test_an_index_states_the_size_of_a_set(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": 5000}, "weight_map": {}})
    )
    assert folder_weight_bytes(tmp_path) == 5000


def test_an_index_without_a_size_names_the_files_to_measure(tmp_path: Path) -> None:
    for n in (1, 2):
        (tmp_path / f"model-{n}.safetensors").write_bytes(safetensors({f"t{n}": 10 * n}))
    weight_map = {"t1": "model-1.safetensors", "t2": "model-2.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert folder_weight_bytes(tmp_path) == 30


def test_an_index_that_names_missing_files_is_an_incomplete_download(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"t": "model-1.safetensors"}}))
    with pytest.raises(FactsMissing, match="not there"):
        folder_weight_bytes(tmp_path)


def test_an_index_cannot_reach_outside_its_folder(tmp_path: Path) -> None:
    inner = tmp_path / "model"
    inner.mkdir()
    (tmp_path / "other.safetensors").write_bytes(safetensors({"t": 10}))
    (inner / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"t": "../other.safetensors"}}))
    with pytest.raises(FactsMissing):
        folder_weight_bytes(inner)


def test_a_second_copy_and_adapters_are_not_counted(tmp_path: Path) -> None:
    for name in ("model-00001-of-00001.safetensors", "consolidated.safetensors", "adapter_model.safetensors"):
        (tmp_path / name).write_bytes(safetensors({"t": 40}))
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(99))
    assert folder_weight_bytes(tmp_path) == 40


def test_pytorch_files_count_when_there_is_nothing_better(tmp_path: Path) -> None:
    for n in (1, 2):
        (tmp_path / f"pytorch_model-{n}.bin").write_bytes(bytes(50))
    (tmp_path / "training_args.bin").write_bytes(bytes(7))
    assert folder_weight_bytes(tmp_path) == 100


def test_a_folder_without_weights_says_so(tmp_path: Path) -> None:
    with pytest.raises(FactsMissing, match="no weight files"):
        folder_weight_bytes(tmp_path)


def test_a_download_that_was_cut_short_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(safetensors({"a": 100}, payload=60))
    with pytest.raises(FactsMissing, match="40 bytes are missing"):
        safetensors_bytes(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1",
        (2**62).to_bytes(8, "little"),
        (5).to_bytes(8, "little") + b"[1,2]",
        (20).to_bytes(8, "little") + b'{"a":{"shape":[1]}} ',
        (4).to_bytes(8, "little") + b"\xff\xfe\xfd\xfc",
    ],
)
def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(FactsMissing):
        safetensors_bytes(file)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_json_that_is_no_object_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(content)
    with pytest.raises(FactsMissing):
        read_json(file)
