"""Every word in both languages, and figures as a person compares them."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.language import Language, Text
from hayate.tools.measure.figures import figures_of
from hayate.tools.measure.words import REASONS, WORDS, amount, asked, reason, seconds, word
from tests.support.tables import table
from tests.unit.tools.measure.measured import call, record

ALL = {**WORDS, **{f"reason {name}": text for name, text in REASONS.items()}}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def is_japanese(text: str) -> bool:
    return any("\u3040" <= letter <= "\u9fff" for letter in text)


def has_letters(text: str) -> bool:
    """Beside its values."""
    return any(letter.isalpha() for part, *_ in string.Formatter().parse(text) for letter in part)


@table("text", ALL.values())
def test_every_word_is_in_both_languages_and_takes_the_same_values(text: Text) -> None:
    assert text.en
    assert text.ja
    assert not is_japanese(text.en)
    assert is_japanese(text.ja) or not has_letters(text.ja)
    assert placeholders(text.en) == placeholders(text.ja)


def test_a_word_takes_its_values_in() -> None:
    assert word("of", "en", failed=2, calls=4) == "2 of 4"
    assert word("of", "ja", failed=2, calls=4) == "2/4"
    assert word("faster", "ja", ratio="2.5") == "約2.5倍速い"


@table(
    ("name", "language", "said"),
    [
        ("timeout", "en", "took longer than --timeout"),
        ("timeout", "ja", "--timeoutを超えました"),
        ("status_401", "en", "401: give the key with HAYATE_API_KEY or --key"),
        ("status_503", "en", "503"),
        ("status_503", "ja", "503"),
        ("new_in_a_later_version", "ja", "new_in_a_later_version"),
    ],
)
def test_a_reason_is_told_in_words_and_a_status_by_its_number(name: str, language: Language, said: str) -> None:
    assert reason(name, language) == said


def test_one_line_tells_how_it_was_measured() -> None:
    run = record(figures_of("fast", [call()], 1.0))
    assert asked(run, "en") == ("32 calls a model, 4 at a time, up to 128 tokens each; prompts: built-in-ja/1 (32)")
    assert asked(run, "ja") == "モデルごとに32回、同時に4件、1回最大128トークン。プロンプト: built-in-ja/1（32件）"


@table(
    ("value", "said"),
    [
        (None, "—"),
        (0.0, "0 ms"),
        (0.00123456, "1.23 ms"),
        (0.0567, "56.7 ms"),
        (0.1, "100 ms"),
        (0.2345, "234 ms"),
        (0.9999, "1000 ms"),
        (1.0, "1 s"),
        (1.2345, "1.23 s"),
        (99.94, "99.9 s"),
        (123.4, "123 s"),
        (3600.0, "3600 s"),
    ],
)
def test_a_duration_has_three_digits_that_count(value: float | None, said: str) -> None:
    assert seconds(value) == said


@table(
    ("value", "said"),
    [
        (None, "—"),
        (0.0, "0"),
        (0.04567, "0.0457"),
        (9.876, "9.88"),
        (99.94, "99.9"),
        (123.4, "123"),
        (12345.6, "12,346"),
    ],
)
def test_a_rate_has_three_digits_that_count(value: float | None, said: str) -> None:
    assert amount(value) == said


def read(shown: str) -> float:
    number, unit = shown.split()
    return float(number) * {"s": 1.0, "ms": 0.001}[unit]


@given(st.floats(min_value=1e-3, max_value=1e5))
def test_what_is_shown_of_a_duration_is_within_half_a_percent_of_it(value: float) -> None:
    assert read(seconds(value)) == pytest.approx(value, rel=0.0051)


@given(st.floats(min_value=1e-3, max_value=1e5))
def test_what_is_shown_of_a_rate_is_within_half_a_percent_of_it(value: float) -> None:
    assert float(amount(value).replace(",", "")) == pytest.approx(value, rel=0.0051)


@given(st.floats(min_value=0, max_value=1e5), st.floats(min_value=0, max_value=1e5))
def test_a_longer_duration_is_never_shown_as_a_shorter_one(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert read(seconds(low)) <= read(seconds(high))
