"""A file that can't be read is told of in one line, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.tools.measure.refusal import CannotMeasure, too_large, unreadable
from hayate.tools.refusal import Refusal


@pytest.mark.parametrize(
    ("name", "en", "ja"),
    [
        ("nowhere.json", "it does not exist", "存在しません"),
        ("folder", "it is a folder", "ファイルではなくフォルダーです"),
    ],
)
def test_a_file_that_is_not_there_is_told_in_the_readers_language(tmp_path: Path, name: str, en: str, ja: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=name) as met:
        (tmp_path / name).read_bytes()
    refused = unreadable(tmp_path / name, met.value)
    assert isinstance(refused, CannotMeasure)
    assert refused.text("en") == f"{tmp_path / name} can't be read: {en}."
    assert refused.text("ja") == f"{tmp_path / name}を読み取れません（{ja}）。"


def test_a_file_that_is_too_large_is_told_how_large_it_may_be() -> None:
    refused = too_large(Path("run.json"), 64 * 2**20)
    assert isinstance(refused, Refusal)
    assert refused.text("en") == "run.json is over 64 MiB."
    assert refused.text("ja") == "run.json が64 MiBを超えています。"
