"""The piece of a text around what was found, in the text's own spelling."""

from __future__ import annotations

from time import thread_time

from hypothesis import given
from hypothesis import strategies as st

from hayate.store.grams import normal
from hayate.store.search_query import parse
from hayate.store.snippets import BEFORE_CHARS, CUT, PIECE_CHARS, piece
from tests.support.tables import table

WORDS = st.lists(
    st.sampled_from(
        ["東京", "ﾄﾞｰﾑ", "が", "か\u3099", "㍿", "ß", "gpu", "ＧＰＵ", " ", "。", "👨\u200d👩", "한", "ᄒ", "ᅡ", "\n"]
    )
)


def shown(text: str, query: str) -> tuple[str, ...]:
    wanted = parse(query)
    assert wanted is not None
    return piece(text, wanted.spans(normal(text)))


@table(
    ("text", "query", "parts"),
    [
        ("東京の天気", "東京", ("", "東京", "の天気")),
        ("今日はﾄｳｷｮｳへ", "トウキョウ", ("今日は", "ﾄｳｷｮｳ", "へ")),
        ("ＧＰＵとgpu", "Gpu", ("", "ＧＰＵ", "と", "gpu", "")),
        ("㍿疾風の株式会社", "株式会社", ("", "㍿", "疾風の", "株式会社", "")),
        ("ﾃﾞｰﾀか\u3099ほしい", "が", ("ﾃﾞｰﾀ", "か\u3099", "ほしい")),
        ("一行目\n二行目\t三", "二", ("一行目 ", "二", "行目 三")),
        ("GPU 版のGPU版", "gpu版", ("", "GPU 版", "の", "GPU版", "")),
        ("東京都", "東京 京都", ("", "東京都", "")),
        ("葛\U000e0100城市", "葛城", ("", "葛\U000e0100城", "市")),
    ],
)
def test_hits_stand_apart(text: str, query: str, parts: tuple[str, ...]) -> None:
    assert shown(text, query) == parts


def test_a_long_text_is_cut_on_both_sides() -> None:
    parts = shown("あ" * 1000 + "東京" + "い" * 1000, "東京")
    assert parts == (CUT + "あ" * BEFORE_CHARS, "東京", "い" * (PIECE_CHARS - BEFORE_CHARS - 2) + CUT)


def test_at_the_end_there_is_more_before_it() -> None:
    parts = shown("あ" * 1000 + "東京と東京", "東京")
    assert parts == (CUT + "あ" * (PIECE_CHARS - 5), "東京", "と", "東京", "")


def test_it_is_not_cut_within_a_letter() -> None:
    parts = shown("か\u3099" * 500 + "東京" + "か\u3099" * 500, "東京")
    assert parts == (CUT + "か\u3099" * 15, "東京", "か\u3099" * 44 + CUT)
    parts = shown("か\u3099" * 500 + "あ東京あ" + "か\u3099" * 500, "東京")
    assert parts == (CUT + "か\u3099" * 14 + "あ", "東京", "あ" + "か\u3099" * 44 + CUT)


def test_words_are_shown_where_they_stand_together() -> None:
    text = "東京都庁。" + "あ" * 300 + "猫。" + "い" * 300 + "東京都庁の猫" + "う" * 300
    assert shown(text, "猫 東京都庁")[1::2] == ("東京都庁", "猫")


def test_without_a_hit_its_beginning_is_shown() -> None:
    assert piece("東京" * 100, []) == ("東京" * (PIECE_CHARS // 2) + CUT,)
    assert piece("東京", [[]]) == ("東京",)
    assert piece("", []) == ("",)


@given(
    WORDS.map("".join),
    WORDS.map("".join),
    st.sampled_from(["東京", "ドーム", "が", "株式会社", "ss", "gpu", "👨👩", "한"]),
)
def test_what_is_shown_stands_there_so(before: str, after: str, word: str) -> None:
    text = f"{before} {word} {after}"
    parts = shown(text, word)
    assert "".join(parts).removeprefix(CUT).removesuffix(CUT) in text.replace("\n", " ")
    assert len("".join(parts)) <= PIECE_CHARS + 2 * len(CUT)
    for hit in parts[1::2]:
        assert word in normal(hit) or len(hit) < len(word) or hit == parts[-2]


@given(st.text(), st.lists(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=4), max_size=3))
def test_nothing_is_an_error(text: str, found: list[list[tuple[int, int]]]) -> None:
    length = len(normal(text))
    spans = [[(start, min(length, start + size)) for start, size in each if start < length] for each in found]
    assert "".join(piece(text, spans)) or not text


@table("letters", ["あ", "ｶﾞ", "か\u3099", "\u3099", "\u200d", "ﷺ", "x"])
def test_time_is_linear(letters: str) -> None:
    text = letters * 50_000 + "東京"
    began = thread_time()
    assert shown(text, "東京")[1] == "東京"
    assert thread_time() - began < 2.0  # a tenth of it on any machine
