"""What engines write is read if any client could read it, and written so that every client can."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.wire.engine_json import Unreadable, read, write
from tests.support.tables import table

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(values, st.booleans())
def test_whatever_pythons_own_writer_writes_is_read_and_written_as_what_any_parser_reads(
    value: Any, ascii_: bool
) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_).encode("utf-8", "surrogatepass")
    if ascii_:
        assert read(raw) == value
        assert json.loads(write(value)) == value
    json.loads(write(read(raw)).decode("utf-8"))


@table(
    ("raw", "value"),
    [
        (b'"\\ud83e"', "\ud83e"),
        (b"[1e400]", [math.inf]),
        (b"[-Infinity]", [-math.inf]),
        (b'"a\nb"', "a\nb"),
        (b'"\xe6\x97"', "\ufffd"),
        (b"\xef\xbb\xbf{}", {}),
        (b" \n[1]\r\n", [1]),
        (b"[" + b"9" * 30 + b",NaN]", None),
    ],
)
def test_what_one_parser_refuses_another_reads(raw: bytes, value: Any) -> None:
    got = read(raw)
    assert got == value if value is not None else got[0] == 1e30


@table("raw", [b"", b"{", b"{'a':1}", b"[1,]", b"<html>", b"1 2", b'"\\x"', b"[" * 100_000, b'{"a":' * 5000])
def test_what_no_parser_reads_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read(raw)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_written_as_null(value: float) -> None:
    assert json.loads(write({"a": [value, "\ud83e"], "b": value})) == {"a": [None, "\ud83e"], "b": None}
    assert json.loads(write([value])) == [None]


def test_what_is_nested_too_deeply_to_be_written_is_unreadable() -> None:
    value: Any = 0
    for _ in range(100_000):
        value = [value]
    with pytest.raises(Unreadable):
        write(value)
    while isinstance(value, list):  # or freeing it would be as deep
        value = value.pop()


@table(
    "raw",
    [
        b"[" + b"9" * 4_000_000 + b",NaN]",
        b'["' + b"\\ud83e" * 700_000 + b'"]',
        b'["' + b"\xff" * 4_000_000 + b'"]',
        b"[" + b"1," * 2_000_000 + b"NaN]",
        b"[" + b"[]," * 1_300_000 + b"NaN]",
        b'{"a":' + b" " * 4_000_000 + b"NaN}",
        b'{"a":"' + b"\\" * 4_000_000,
    ],
)
def test_reading_takes_time_by_the_length_whatever_is_in_it(raw: bytes) -> None:
    began = time.process_time()
    try:
        read(raw)
    except Unreadable:
        pass
    assert time.process_time() - began < 1.0, "4 MB"
