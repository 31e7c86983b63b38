"""The line that says what an answer is waited for."""

from __future__ import annotations

import threading

import pytest

from hayate.language import Text
from hayate.tools.chat import patience
from hayate.tools.chat.patience import Patience
from tests.support.waiting import LAST_RESORT_S


def said(word: str) -> Text:
    return Text(word, word)


def test_it_is_drawn_again_and_again_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LOOK_S", 0.001)
    monkeypatch.setattr(patience, "QUIET_S", 0.0)
    shown: list[str] = []
    thrice, loads = threading.Event(), threading.Event()

    def show(text: Text) -> None:
        shown.append(text.en)
        (thrice if len(shown) >= 3 and text.en == "waits" else loads if text.en == "loads" else threading.Event()).set()

    waiting = Patience(show, lambda _: said("waits"))
    assert thrice.wait(LAST_RESORT_S)
    waiting.hear(lambda _: said("loads"))
    assert loads.wait(LAST_RESORT_S)
    waiting.over()
    drawn = len(shown)
    waiting.hear(lambda _: said("late"))
    assert (len(shown), shown[-1]) == (drawn, "loads")


def test_an_answer_that_comes_at_once_needs_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LOOK_S", 0.001)
    shown: list[Text] = []
    waiting = Patience(shown.append, lambda _: said("waits"))
    waiting.over()
    assert shown == []
