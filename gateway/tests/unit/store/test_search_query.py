"""What is asked of the search: nothing in it is syntax, and the index gives all that it is in."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from time import thread_time

from hypothesis import given
from hypothesis import strategies as st

from hayate.store.grams import grams, normal
from hayate.store.search_query import MAX_QUERY_CHARS, MAX_WORDS, Query, parse
from hayate.store.search_tables import MAKE
from tests.support.said import QUERIES
from tests.support.tables import table

LETTERS = st.sampled_from([*"東京都のーカナ々🎉gpu12", *" 　・。+#\"*'()-:^", "C++ ", "ｶﾞ", "か\u3099", "AND ", "ＧＰ"])
FOUND = "SELECT 1 FROM items_fts WHERE items_fts MATCH ?"
TEXTS = st.lists(LETTERS, max_size=12).map("".join)


def candidates(text: str, query: Query) -> bool:
    """Whether an index that has the text gives it for one of what it is asked."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(MAKE)
        connection.execute("INSERT INTO items_fts (rowid, grams) VALUES (1, ?)", (grams(text, "m"),))
        asked = query.matches("m") or [query.match_single("m")]
        return any(connection.execute(FOUND, (each,)).fetchone() for each in asked)


def asked(query: str) -> Query:
    parsed = parse(query)
    assert parsed is not None
    return parsed


@table(
    ("query", "matches"),
    [
        ("東京都", ['"m東京 m京都"']),
        ("京", []),
        ("京 都", []),
        ("京 東京", ['"m京"* AND "m東京"']),
        ("gpu", ['"mgpu"', '"mgpu"*']),
        ("to 12", ['"mto" AND "m12"']),
        ("GPU版", ['"mgpu m版"*']),
        ("GPUの", ['"mgpu"']),
        ("東京 の", ['"m東京"']),
        ("の", []),
        ('"a" OR b*', ['"ma" AND "mor" AND "mb"']),
    ],
)
def test_what_the_index_is_asked(query: str, matches: list[str]) -> None:
    assert asked(query).matches("m") == matches


@table("query", ["", " 　", "。、！", '"', "*", "'; --", "\ud800", "\x00"])
def test_there_may_be_nothing_to_look_for(query: str) -> None:
    assert parse(query) is None


@given(st.one_of(st.text(), TEXTS, st.sampled_from(sorted(QUERIES))), TEXTS)
def test_no_query_is_an_error(query: str, text: str) -> None:
    parsed = parse(query)
    if parsed is not None:
        candidates(text, parsed)
        parsed.score(normal(text))
        parsed.spans(normal(text))


@given(TEXTS, TEXTS)
def test_all_that_a_query_is_in_is_a_candidate(query: str, text: str) -> None:
    parsed = parse(query)
    if parsed is not None and parsed.score(normal(text)) is not None:
        assert candidates(text, parsed)


@given(TEXTS.filter(lambda text: parse(text) is not None), TEXTS, TEXTS)
def test_a_text_is_found_by_what_stands_in_it_between_blanks(query: str, before: str, after: str) -> None:
    assert asked(query).score(normal(f"{before} {query} {after}")) is not None


def test_a_text_is_better_that_says_it_more_often_or_says_less_beside() -> None:
    query = asked("東京")
    scores = [query.score(text) or 0 for text in ("東京と東京", "東京", f"東京{'と' * 400}")]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3


def test_the_longer_word_counts_more() -> None:
    query = asked("東京都庁 猫")
    assert (query.score("東京都庁東京都庁猫") or 0) > (query.score("東京都庁猫猫") or 0)


def test_what_is_over_is_not_looked_for() -> None:
    assert asked("東" * MAX_QUERY_CHARS + "京").score("東" * MAX_QUERY_CHARS) is not None
    many = " ".join("東京都大阪府名古屋市福岡県"[index] * 2 for index in range(12))
    assert asked(many).matches("m")[0].count(" AND ") == 11
    assert asked(" ".join(f"w{index}" for index in range(50))).matches("m")[0].count(" AND ") == MAX_WORDS - 1


@table("query", ["の", "c++", "a.b.c", "東・京・都", "x", "a b c", "の.の"])
@table("piece", ["の", "c+", "a.", "東・", "x", " ", "。", "c++++", "a b "])
def test_looking_at_a_text_takes_linear_time(query: str, piece: str) -> None:
    parsed, text = asked(query), piece * 50_000
    began = thread_time()
    parsed.score(text)
    parsed.spans(text)
    assert thread_time() - began < 1.0  # a hundredth of it on any machine


def test_the_most_telling_word_stands_first() -> None:
    assert asked("猫 東京").spans("猫と東京") == [[(2, 4)], [(0, 1)]]
