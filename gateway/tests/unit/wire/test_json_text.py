"""Texts as engines cut and miswrite them."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.wire.json_text import is_json, mended, unfinished_bytes, well_formed
from tests.support.tables import table

texts = st.text(st.characters(codec="utf-8") | st.sampled_from('\\"\n🦊'), max_size=20)


@given(texts, st.booleans())
def test_a_whole_text_is_finished_and_no_cut_leaves_anything_but_a_beginning(text: str, ascii_only: bool) -> None:
    raw = json.dumps(text, ensure_ascii=ascii_only).encode()[1:-1]
    assert unfinished_bytes(raw) == 0
    for end in range(len(raw)):
        piece = raw[:end]
        whole = piece[: end - unfinished_bytes(piece)]
        assert text.startswith(json.loads(b'"' + whole + b'"'))
        assert end - len(whole) <= 11


@table(
    ("text", "count"),
    [(b"", 0), (b"a\\", 1), (b"a\\\\", 0), (b"a\\\\\\", 1), (b"\\u12", 4), (b"\\\\u12", 0), (b"\\ud83e", 6), (b"\\ud83e\\", 7),
     (b"\\ud83e\\udd8", 11), (b"\\udd8a", 0), (b"\\ud83e\\udd8a", 0), (b"\xe6\x97", 2), (b"\xf0\x9f\xa6", 3), (b"\xa5", 0),
     (b"a\xa5\xa5\xa5\xa5", 0), (bytearray(b"\xe6"), 1)],
)  # fmt: skip
def test_what_waits_for_its_rest(text: bytes, count: int) -> None:
    assert unfinished_bytes(text) == count


def test_backslashes_without_end_are_counted_in_no_time() -> None:
    began = time.thread_time()
    assert unfinished_bytes(b"\\" * 1_000_001) == 1
    assert time.thread_time() - began < 2


@given(texts)
def test_good_json_is_left_as_it_is(text: str) -> None:
    raw = json.dumps(text).encode()
    assert mended(raw) == raw


@pytest.mark.parametrize(
    ("raw", "text"), [(b'"\\x"', "\\x"), (b'"\\u12"', "\\u12"), (b'"\\\\x\\n"', "\\x\n"), (b'"\\uzzzz"', "\\uzzzz")]
)
def test_an_escape_that_is_none_is_meant(raw: bytes, text: str) -> None:
    assert json.loads(mended(raw)) == text


def test_halves_of_characters_are_joined_or_replaced() -> None:
    value = {"\ud83e": ["a\ud83e\udd8a", "\ud83e", {"k": "\udd8ab"}, 7, None, "c"]}
    assert well_formed(value) == {"\ufffd": ["a🦊", "\ufffd", {"k": "\ufffdb"}, 7, None, "c"]}


@pytest.mark.parametrize(("text", "so"), [("{}", True), ("1", True), ("", False), ('{"a":', False), ("{} {}", False)])
def test_a_json_text_is_one_value(text: str, so: bool) -> None:
    assert is_json(text) is so
