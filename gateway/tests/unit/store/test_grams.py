"""What a text is found by."""

from __future__ import annotations

import hashlib
from time import thread_time

from hypothesis import given
from hypothesis import strategies as st

from hayate.store.grams import MAX_TEXT_CHARS, grams, is_word, mark_of, normal, units
from tests.support.said import SAID
from tests.support.tables import table

MOST_FROM_ONE = 18
"""Characters that NFKC makes of one."""


@table(
    ("text", "expected"),
    [
        ("東京都", "東京 京都 都"),
        ("京", "京"),
        ("東、京", "東 京"),
        ("GPU版の東京", "gpu 版の の東 東京 京"),
        ("ＧＰＵ", "gpu"),
        ("ﾄｳｷｮｳ", "トウ ウキ キョ ョウ ウ"),
        ("ﾃﾞｰﾀ", "デー ータ タ"),
        ("C++とC#", "c++ と c#"),
        ("a+b ++ c+", "a b c+"),
        ("node.js 3.11", "node js 3 11"),
        ("don't", "don t"),
        ("read_file", "read file"),
        ("人々とラーメン", "人々 々と とラ ラー ーメ メン ン"),
        ("葛\U000e0100城", "葛城 城"),
        ("👨\u200d👩", "👨👩 👩"),
        ("か\u3099", "が"),
        ("Straße ΟΔΟΣ", "strasse οδοσ"),
        ("안녕", "안녕 녕"),
        ("㍿", "株式 式会 会社 社"),
        ("x" * 65, f"{'x' * 64} x"),
        ("\ud800\x00。", ""),
        ("", ""),
    ],
)
def test_a_text_becomes(text: str, expected: str) -> None:
    assert grams(text).split() == expected.split()


def test_each_stands_behind_the_mark() -> None:
    assert grams("東京 gpu", "m").split() == ["m東京", "m京", "mgpu"]


def test_a_project_has_a_mark_of_its_own() -> None:
    marks = {mark_of(project) for project in ("shop", "Shop", "店", "\ud800", "")}
    assert len(marks) == 5
    assert all(mark.isascii() and mark.isalnum() and mark == mark.lower() for mark in marks)


def test_what_texts_become_is_what_the_index_was_made_with() -> None:
    """Who changes this has an index made anew by a migration: what is deleted is taken out of it with the grams of today."""
    of_all = hashlib.sha256("\n".join(map(grams, SAID.values())).encode()).hexdigest()
    assert of_all == "04399de0d0e85918dd2ee8e2d4defacba4ecf1e58ff204b4f3fd922354179b68"


@given(st.text())
def test_any_text_becomes_something_that_sqlite_takes(text: str) -> None:
    made = grams(text, "m")
    assert made.encode().decode() == made
    assert len(made.split()) <= MOST_FROM_ONE * len(text)
    assert all(gram[0] == "m" and len(gram) > 1 for gram in made.split())


@given(st.text())
def test_units_are_words_or_runs(text: str) -> None:
    for unit in units(normal(text)):
        assert len({is_word(character) for character in unit if character not in "+#"}) == 1


@table("piece", ["東", "ｶﾞ", "x", "x ", "+", "c+", "ﷺ", "が", "e\u0301", "？", "\u200d", "👨\u200d👩", "東x"])
def test_time_and_room_are_linear(piece: str) -> None:
    text = piece * MAX_TEXT_CHARS
    began = thread_time()
    made = grams(text)
    assert thread_time() - began < 1.0  # a few hundredths of it on any machine
    assert len(made) <= 4 * MAX_TEXT_CHARS
