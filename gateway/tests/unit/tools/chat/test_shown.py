"""What a model says can't act on the terminal, and stays what it is otherwise."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.chat.shown import shown


@pytest.mark.parametrize(
    "text",
    [
        "こんにちは　世界",
        "家族👨\u200d👩\u200d👧の写真❤️",
        "a\tb\nc",
        "می\u200cخواهم",
        "か\u3099",
        "𠮷野家",
        "안녕",
        "'\"\\",
    ],
)
def test_text_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[2J\x1b]0;x\x07", "\\x1b[2J\\x1b]0;x\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\r\nb", "a\nb"),
        ("progress\r100", "progress100"),
        ("a\x08b\x7f\x00", "a\\x08b\\x7f\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2028b", "a\nb"),
        ("\ud83d", "\\ud83d"),
        ("\ufeffa\u200b", "a"),
    ],
)
def test_what_would_act_on_the_terminal_is_escaped(text: str, seen: str) -> None:
    assert shown(text) == seen


@given(st.text())
def test_nothing_is_left_that_a_terminal_acts_on(text: str) -> None:
    for each in shown(text):
        assert each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cs", "Zl", "Zp")
