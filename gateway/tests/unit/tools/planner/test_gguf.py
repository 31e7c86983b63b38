"""GGUF headers: what is read, what is walked over, and what a broken or hostile file can't do."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hayate.tools.planner.arithmetic import Attention
from hayate.tools.planner.facts import FactsMissing
from hayate.tools.planner.gguf import facts_from_gguf, read_metadata
from tests.support.quick import examples
from tests.unit.tools.planner.gguf_builder import QWEN, Entry, gguf

TINY = Path(__file__).parents[4] / "src/hayate/tools/embedded/model/tiny-qwen2.gguf"


def written(folder: Path, entries: dict[str, Entry], name: str = "model.gguf") -> Path:
    path = folder / name
    path.write_bytes(gguf(entries))
    return path


def test_an_ordinary_model(tmp_path: Path) -> None:
    path = written(tmp_path, QWEN)
    model = facts_from_gguf(path)
    assert model.attention == (Attention(28, 4, 128, 128),)
    assert (model.heads, model.hidden, model.vocab, model.context_tokens) == (28, 3584, 5000, 32768)
    assert (model.format, model.quantisation, model.variant) == ("gguf", "gguf", "Q4_K_M")
    assert (model.weight_bytes, model.licence) == (path.stat().st_size, "apache-2.0")


def test_a_real_file() -> None:
    model = facts_from_gguf(TINY)
    assert model.attention == (Attention(2, 2, 32, 32),)
    assert (model.vocab, model.context_tokens, model.weight_bytes) == (2048, 4096, TINY.stat().st_size)


def test_keys_and_values_may_be_of_different_length(tmp_path: Path) -> None:
    entries = QWEN | {"qwen2.attention.key_length": 192, "qwen2.attention.value_length": 64}
    assert facts_from_gguf(written(tmp_path, entries)).attention == (Attention(28, 4, 192, 64),)


def test_kv_heads_may_be_listed_layer_by_layer(tmp_path: Path) -> None:
    entries = QWEN | {"qwen2.block_count": 4, "qwen2.attention.head_count_kv": [8, 2, 2, 0]}
    kinds = facts_from_gguf(written(tmp_path, entries)).attention
    assert {(kind.layers, kind.kv_heads) for kind in kinds} == {(1, 8), (2, 2), (1, 0)}


def renamed(arch: str) -> dict[str, Entry]:
    return {key.replace("qwen2.", f"{arch}."): arch if value == "qwen2" else value for key, value in QWEN.items()}


def test_windows_slide_by_the_architectures_pattern(tmp_path: Path) -> None:
    entries = renamed("gpt-oss") | {"gpt-oss.block_count": 24, "gpt-oss.attention.sliding_window": 128}
    kinds = facts_from_gguf(written(tmp_path, entries)).attention
    assert set(kinds) == {Attention(12, 4, 128, 128, 128), Attention(12, 4, 128, 128)}


def test_windows_slide_by_the_files_own_pattern(tmp_path: Path) -> None:
    pattern: list[bool] = [True, True, False, True]
    entries = renamed("gemma4") | {"gemma4.block_count": 4, "gemma4.attention.sliding_window": 512}
    kinds = facts_from_gguf(written(tmp_path, entries | {"gemma4.attention.sliding_window_pattern": pattern})).attention
    assert set(kinds) == {Attention(3, 4, 128, 128, 512), Attention(1, 4, 128, 128)}


def test_a_window_of_an_unknown_architecture_is_not_believed_and_said(tmp_path: Path) -> None:
    model = facts_from_gguf(written(tmp_path, renamed("novel") | {"novel.attention.sliding_window": 512}))
    assert model.attention == (Attention(28, 4, 128, 128),)
    assert "512" in model.assumptions[0].en


def test_the_quantisation_comes_from_the_name_when_the_header_is_silent(tmp_path: Path) -> None:
    entries = {key: value for key, value in QWEN.items() if key != "general.file_type"}
    assert facts_from_gguf(written(tmp_path, entries, "Some-7B-q5_k_m.gguf")).variant == "Q5_K_M"
    assert facts_from_gguf(written(tmp_path, QWEN | {"general.file_type": 0})).variant == "F32"


def test_a_set_of_files_is_measured_whole(tmp_path: Path) -> None:
    first = written(tmp_path, QWEN, "m-00001-of-00002.gguf")
    second = written(tmp_path, {"split.no": 1}, "m-00002-of-00002.gguf")
    both = first.stat().st_size + second.stat().st_size
    assert facts_from_gguf(first).weight_bytes == facts_from_gguf(second).weight_bytes == both
    second.unlink()
    with pytest.raises(FactsMissing, match=r"m-00002-of-00002\.gguf is missing"):
        facts_from_gguf(first)


def test_long_lists_are_walked_over(tmp_path: Path) -> None:
    entries = QWEN | {"tokenizer.ggml.tokens": ["日本"] * 100_000, "tokenizer.ggml.token_type": [1] * 100_000}
    read = read_metadata(written(tmp_path, entries))
    assert read["tokenizer.ggml.tokens"] == 100_000
    assert read["tokenizer.ggml.token_type"] == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"GGML" + bytes(100),
        b"GGUF" + struct.pack("<IQQ", 1, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60) + bytes(50),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**63) + bytes(50),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<I", 99) + bytes(50),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 9, 1) + bytes(50),
        gguf({"general.architecture": "qwen2"}),
        gguf({"general.file_type": 15}),
        gguf(QWEN | {"qwen2.block_count": 0}),
        gguf(QWEN | {"qwen2.block_count": 2**31}),
        gguf(QWEN | {"qwen2.attention.head_count": 0}),
        gguf(QWEN | {"qwen2.embedding_length": "wide"}),
    ],
)
def test_a_file_that_can_not_be_used_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(FactsMissing):
        facts_from_gguf(path)


SMALL = gguf({key: value for key, value in QWEN.items() if key != "tokenizer.ggml.tokens"}, payload=0)


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(SMALL) - 1), byte=st.integers(0, 255), cut=st.integers(0, len(SMALL)))
def test_damage_anywhere_is_an_answer_or_a_refusal_and_never_a_crash(
    tmp_path: Path, at: int, byte: int, cut: int
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes((SMALL[:at] + bytes([byte]) + SMALL[at + 1 :])[: cut or None])
    with suppress(FactsMissing):
        facts_from_gguf(path)
