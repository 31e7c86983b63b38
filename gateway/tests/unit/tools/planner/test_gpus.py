"""GPUs by size and by name."""

from __future__ import annotations

import pytest

from hayate.tools.planner.arithmetic import GIB
from hayate.tools.planner.gpus import CARDS, UnknownGpu, parse_gpu, parse_size
from tests.support.tables import table


@table("given", ["24GiB", "24GB", "24", "24g", " 24 gib ", "24.0", "２４ＧｉＢ"])
def test_a_size_is_gib_however_it_is_spelled(given: str) -> None:
    assert parse_gpu(given).memory_bytes == 24 * GIB
    assert parse_gpu(given).capability is None


@table(
    ("given", "name"),
    [
        ("rtx4090", "rtx4090"),
        ("RTX 4090", "rtx4090"),
        ("4090", "rtx4090"),
        ("NVIDIA GeForce RTX 3090", "rtx3090"),
        ("a100-80g", "a100-80g"),
        ("A100 80GB", "a100-80g"),
        ("a100", "a100-40g"),
        ("h100", "h100"),
        ("l4", "l4"),
        ("Tesla T4", "t4"),
    ],
)
def test_a_card_is_known_by_the_usual_spellings_of_its_name(given: str, name: str) -> None:
    assert parse_gpu(given).name == name


def test_a_named_card_has_a_little_less_than_its_label() -> None:
    assert 23 < parse_gpu("rtx4090").memory_gib < 24
    assert 79 < parse_gpu("a100-80g").memory_gib < 80
    assert all(gib > 0 and 7 <= capability < 13 for gib, capability in CARDS.values())


@table("given", ["", "nothing", "0", "-24", "24TB", "1e9", "99999", "GiB", "٢٤"])
def test_anything_else_is_refused_with_what_there_is(given: str) -> None:
    with pytest.raises(UnknownGpu) as refused:
        parse_gpu(given)
    assert "rtx4090" in refused.value.english
    assert "指定してください" in refused.value.japanese


def test_a_size_alone_may_be_below_a_gib() -> None:
    assert parse_size("0.5GiB") == GIB // 2
    assert parse_size("half") is None
