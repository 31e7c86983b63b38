"""A custom tool's text, out of a function's arguments, however they are written and cut."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.wire.freeform import Freeform, arguments_of
from tests.support.tables import table

WORDS = st.text(st.one_of(st.sampled_from('"\\\n\tnud8あ😀{}:,'), st.characters(exclude_categories=["Cs"])))


def read(*pieces: str) -> list[str]:
    freeform = Freeform()
    return [*map(freeform.feed, pieces), freeform.end()]


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({min(place, len(text)) for place in places})
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


@given(WORDS, st.booleans(), st.sampled_from([None, 1]), st.lists(st.integers(0, 80), max_size=8))
def test_a_text_comes_back_however_it_is_escaped_and_cut(
    text: str, plain: bool, indent: int | None, at: list[int]
) -> None:
    arguments = json.dumps({"input": text}, ensure_ascii=plain, indent=indent)
    assert "".join(read(*cut(arguments, at))) == text
    assert "".join(read(*arguments)) == text


@given(WORDS)
def test_what_is_said_can_be_read(text: str) -> None:
    assert json.loads(arguments_of(text)) == {"input": text}
    assert "".join(read(arguments_of(text))) == text


@given(st.text(st.sampled_from('"\\u{}:dD8123inputx \n')), st.lists(st.integers(0, 40), max_size=6))
def test_anything_can_be_read_and_it_is_no_matter_how_it_is_cut(arguments: str, at: list[int]) -> None:
    text = "".join(read(arguments))
    assert "".join(read(*cut(arguments, at))) == text
    text.encode()


@table(
    ("arguments", "text"),
    [
        ("", ""),
        ("*** Begin Patch\n", "*** Begin Patch\n"),
        ('"x\\ny"', "x\ny"),
        ('{"patch": "x"}', "x"),
        ('{"why": "because", "input": "x"}', "x"),
        ('{"why": "because", "what": "x"}', '{"why": "because", "what": "x"}'),
        ('{"input": 5}', '{"input": 5}'),
        ("[1]", "[1]"),
        (" " * 100 + '{"input": "x"}', "x"),
        ('{"input": "a\nb"}', "a\nb"),
        ('{"input": "\\d+\\u12"}', "\\d+\\u12"),
        ('{"input": "\\ud83d"}', "\ufffd"),
        ('{"input": "\\\\ud83d"}', "\\ud83d"),
        ('{"input": "x", "more": "y"}', "x"),
        ('{"input": "x', "x"),
        ('{"input": "x\\', "x"),
        ('{"input": "x\\ud83d\\ud', "x"),
    ],
)
def test_what_models_say_in_place_of_the_argument(arguments: str, text: str) -> None:
    assert "".join(read(arguments)) == text
    assert "".join(read(*arguments)) == text


def test_halves_of_a_character_are_told_together() -> None:
    assert read('{"input":"a\\ud83d', "\\ude00", '"}') == ["a", "😀", "", ""]


@pytest.mark.parametrize("piece", ["word \\n", "\\u12 ", "x" * 50])
def test_a_long_text_costs_time_by_its_length(piece: str) -> None:
    def spent(pieces: int, start: str) -> float:
        freeform = Freeform()
        began = time.process_time()
        freeform.feed(start)
        for _ in range(pieces):
            freeform.feed(piece)
        freeform.end()
        return time.process_time() - began

    for start in ('{"input": "', '{"other": "'):
        short = min(spent(2_000, start) for _ in range(3))
        assert min(spent(8_000, start) for _ in range(3)) < 4 * short * 3
