"""The talk's own lines, in both languages."""

from __future__ import annotations

import pytest

from hayate.language import Text
from hayate.terminal import width
from hayate.tools.chat import words
from hayate.tools.chat.events import Queues, Waits


@pytest.mark.parametrize(
    ("event", "en", "ja"),
    [
        (
            Waits("smart", 3.4, 12.3),
            "smart is being loaded: 3 s (last time 12 s)",
            "smartを読み込み中: 3秒（前回は12秒）",
        ),
        (Waits("smart", 0, None), "smart is being loaded: 0 s", "smartを読み込み中: 0秒"),
        (Waits("smart", None, None), "smart waits for its turn on the GPU", "smartはGPUの順番を待っています"),
        (Queues(3, 4.2), "waiting: place 3 in the queue, about 4 s", "順番待ち: 3番目、あと約4秒"),
        (Queues(1, None), "waiting: place 1 in the queue", "順番待ち: 1番目"),
    ],
)
def test_what_is_waited_for(event: Waits | Queues, en: str, ja: str) -> None:
    assert words.waits(event) == Text(en, ja)


def test_the_figures_below_an_answer() -> None:
    assert words.figures(3.25, 128, 2.5, "stop") == Text("3.2 s, 128 tokens, 51.2/s", "3.2秒、128トークン、51.2/秒")
    assert words.figures(1, None, 1, "length") == Text(
        "1.0 s, cut at the limit of tokens", "1.0秒、トークン数の上限で終了"
    )
    assert words.figures(1, 5, 0.001, "stop").en == "1.0 s, 5 tokens"


def test_the_help_fits_a_terminal_of_80_columns() -> None:
    for _, text in words.HELP:
        assert width(text.en) <= 65
        assert width(text.ja) <= 65


def test_names_stand_in_both() -> None:
    for said in (
        words.unknown_command("/x"),
        words.goes_on_with("/x"),
        words.no_such_model("/x", "a, b"),
        words.left_out("/x"),
        words.asks_again("/x", 5),
        words.waited("/x", 5),
    ):
        assert "/x" in said.en
        assert "/x" in said.ja
