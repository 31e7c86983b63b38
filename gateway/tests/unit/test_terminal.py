"""Text on a terminal: how wide it is, where it is cut, and that it is no more than text."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.terminal import COLUMNS, Paint, columns_of, cut, duration, left, paint_for, plain, right, width
from tests.support.tables import table

PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" ") | st.just("漢"), max_size=120)


@given(st.text(st.characters(codec=None), max_size=200))
def test_plain_text_can_only_be_read(text: str) -> None:
    assert plain(text).isprintable()
    assert plain(plain(text)) == plain(text)


def test_plain_text_keeps_what_can_be_read_and_is_bounded() -> None:
    assert plain("日本語\x1b[31m\n") == "日本語\\x1b[31m\\n"
    assert plain("x" * 1_000_000, 10) == "x" * 10 + "…"


@given(PRINTABLE, st.integers(1, 100))
def test_a_column_is_as_wide_as_it_is(text: str, cells: int) -> None:
    assert width(left(text, cells)) == width(right(text, cells)) == cells
    assert width(cut(text, cells)) <= cells


def test_a_cut_shows_and_halves_no_character() -> None:
    assert cut("日本語", 5) == "日本…"
    assert cut("日本語", 4) == "日…"
    assert cut("日本語", 6) == "日本語"
    assert cut("日本語", 0) == ""
    assert (left("日本", 6), right("日本", 6)) == ("日本  ", "  日本")


@pytest.mark.parametrize(
    ("is_terminal", "env", "on"),
    [(True, {}, True), (True, {"NO_COLOR": "1"}, False), (True, {"TERM": "dumb"}, False), (False, {}, False)],
)
def test_colours_are_for_people_who_want_them(is_terminal: bool, env: dict[str, str], on: bool) -> None:
    assert paint_for(is_terminal, env) == Paint(on)
    assert (Paint(on)("x", "red") == "\x1b[31mx\x1b[0m") is on
    assert Paint(on)("x", "") == "x"


def test_a_terminal_says_how_wide_it_is() -> None:
    ours, theirs = pty.openpty()
    try:
        assert columns_of(theirs) == COLUMNS  # it does not know
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 132, 0, 0))
        assert columns_of(theirs) == 132
    finally:
        os.close(ours)
        os.close(theirs)
    assert columns_of(theirs) == columns_of(None) == COLUMNS


@table(
    ("seconds", "text"),
    [
        (None, "-"),
        (-1, "0.00s"),
        (0.0812, "0.08s"),
        (9.994, "9.99s"),
        (10, "10.0s"),
        (99.94, "99.9s"),
        (100, "1m40s"),
        (5999, "99m59s"),
        (6000, "1h40m"),
        (360_000, "100h00m"),
    ],
)
def test_times_take_at_most_seven_cells(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
    assert len(text) <= 7
