"""What the YAML parser stumbles over has words, and the rest of the text can be read without it."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hayate.config.yaml_words import blanked, mistake_of, straightened, without_tabs

SLIPS = st.lists(
    st.sampled_from(["a: ", "b:\n", "  c: 1\n", "[", "]", "{", "}", ",", "'", '"', "\n", "  ", "\t", "*x", "&x ", "!t ", "- ", "? ",
                     "|\n", ">\n", "%", "@", "`", "---\n", "...\n", "#", ": ", "\\", '"\\q"', "<<: ", "\x01", "：", "　", "x"]),
    max_size=12,
).map("".join)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(SLIPS)
def test_every_slip_has_a_line_and_words_in_both_languages(text: str) -> None:
    try:
        yaml.safe_load(text)
    except yaml.YAMLError as error:
        found = mistake_of(error, text)
        assert found.line is not None
        assert 1 <= found.line <= text.count("\n") + 1
        assert re.search(r"[ぁ-んァ-ヶ一-龠]", found.text.ja)
        assert not re.search(r"while (?:scanning|parsing)|found character|<block end>|mapping values", found.text.en)
    except (ValueError, RecursionError):
        pass  # a value that its tag does not fit: `yaml_tree` tells it


@settings(deadline=None, max_examples=200)
@given(SLIPS, st.integers(1, 20))
def test_what_is_taken_away_leaves_every_other_line_where_it_was(text: str, line: int) -> None:
    rest = blanked(text, line)
    if rest is not None:
        lines, left = text.split("\n"), rest.split("\n")
        assert len(lines) == len(left)
        assert all(after in (before, "") for before, after in zip(lines, left, strict=True))
        assert rest != text


def test_the_entry_goes_and_its_neighbours_stay() -> None:
    text = "a:\n  b: 1\n  c: [\n    2\n  d: 3\ne: 4"
    assert blanked(text, 3) == "a:\n  b: 1\n\n\n  d: 3\ne: 4"
    assert blanked(text, 4) == "a:\n  b: 1\n\n\n  d: 3\ne: 4"
    assert blanked(text, 6) == "a:\n  b: 1\n  c: [\n    2\n  d: 3\n"
    assert blanked("\n\n", 1) is None


def test_full_width_signs_are_ordinary_ones_where_only_those_have_a_meaning() -> None:
    text, found = straightened("server：\n　port:　8080\n  host ： x\n# 注意：ここ\nb: 'あ：い　う'\nc: |\n  d：e\n")
    assert text == "server: \n  port: 8080\n  host: x\n# 注意：ここ\nb: 'あ：い　う'\nc: |\n  d：e\n"
    assert [each.line for each in found] == [1, 2, 3]


@pytest.mark.parametrize("text", ["", "a: 1\n", "a: |\n　x\n", "b: 日本語：です\n"])
def test_text_is_left_as_it_is(text: str) -> None:
    assert straightened(text) == (text, [])


def test_tabs_before_a_line_are_blanks() -> None:
    text, found = without_tabs("a:\n\tb: 1\n  \tc: 2\n\t# no\nd: |\n\t\te\n\n")
    assert text == "a:\n  b: 1\n    c: 2\n\t# no\nd: |\n\t\te\n\n"
    assert [each.line for each in found] == [2, 3]
