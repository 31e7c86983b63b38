"""How far a download is: a line now and then where nobody looks on, a bar of the terminal's width else."""

from __future__ import annotations

import pytest

from hayate.tools.transfer import LINE_S, begun, size_text, transfer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 kB"), (8_900, "9 kB"), (3_340_000, "3 MB"), (999_400_000, "999 MB"), (4_680_000_000, "4.7 GB")],
)
def test_sizes_are_told_as_file_managers_do(size: int, text: str) -> None:
    assert size_text(size) == text


def test_what_begins_is_told_in_both_languages() -> None:
    said = begun("a.gguf", 4_680_000_000, "o/r")
    assert (said.en, said.ja) == (
        "Downloading a.gguf (4.7 GB) from o/r",
        "o/rからa.gguf (4.7 GB)をダウンロードします",
    )


def test_without_a_terminal_there_is_a_line_now_and_then_for_all_files_together() -> None:
    clock, said = Clock(), list[str]()
    with transfer(10_000_000_000, lambda en, _: said.append(en), clock) as shown:
        assert not shown.shows
        shown.at("a.gguf", 1_000_000_000)
        clock.now = LINE_S
        shown.at("a.gguf", 4_000_000_000)
        shown.at("a.gguf", 4_500_000_000)
        clock.now = 2 * LINE_S
        shown.at("b\x1b[2J.gguf", 500_000_000)
    assert said == ["a.gguf: 4.0 GB / 10.0 GB (40 %)", "b\\x1b[2J.gguf: 5.0 GB / 10.0 GB (50 %)"]


def test_a_size_that_nobody_told_is_no_division_by_nothing() -> None:
    clock, said = Clock(), list[str]()
    with transfer(0, lambda en, _: said.append(en), clock) as shown:
        clock.now = LINE_S
        shown.at("a", 5_000_000)
    assert said == ["a: 5 MB / 0 kB (?)"]
