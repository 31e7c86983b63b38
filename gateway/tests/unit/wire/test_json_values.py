"""A JSON text is weighed by what parsing it costs, never by what its strings hold."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.wire.json_values import TooManyValues, loads, too_many_values
from tests.support.tables import table

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=6)
)


def weight(value: Any) -> int:
    """What `too_many_values` weighs, from the value itself."""
    if isinstance(value, dict):
        fields = sum(4 + 4 + weight(each) for each in value.values())
        return 12 + fields + max(0, len(value) - 1)
    if isinstance(value, list):
        return 12 + sum(map(weight, value)) + max(0, len(value) - 1)
    if isinstance(value, bool):
        return 1  # its e
    return 4 if isinstance(value, str) else 0


@given(TREES, st.booleans())
def test_the_weight_is_exact_whatever_is_in_strings(value: Any, escaped: bool) -> None:
    raw = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    truth = weight(value)
    assert not too_many_values(raw, truth + 1)
    if truth > 1 and len(raw) * 12 > truth:
        assert too_many_values(raw, truth - 1)


@table("text", ['[{,:"', "\\\\", '\\"', "\\n,", "日本語,", '\\\\\\"[', "1.5,"])
def test_text_weighs_nothing(text: str) -> None:
    raw = orjson.dumps({"text": text * 100_000})
    assert not too_many_values(raw)
    assert loads(raw)["text"] == text * 100_000


@table("unit", ["[]", "{}", '{"a":1}', '""', "1", "1.5", "[[[[]]]]"])
def test_a_dense_text_is_refused_as_json_that_cannot_be_read(unit: str) -> None:
    raw = b"[" + b",".join([unit.encode()] * 250_000) + b"]"
    assert too_many_values(raw)
    with pytest.raises(TooManyValues):
        loads(raw)
    assert issubclass(TooManyValues, orjson.JSONDecodeError)


def test_a_longer_text_may_hold_more() -> None:
    unit = b"[" + b",".join([b"1"] * 120_000) + b"]"
    assert not too_many_values(unit)
    both = b"[" + unit + b"," + unit + b"]"
    assert too_many_values(both)
    assert not too_many_values(both + b" " * (2 << 20))


def test_tokens_of_many_prompts_pass() -> None:
    prompts = [[100_000 + n for n in range(512)] for _ in range(300)]
    raw = orjson.dumps({"input": prompts})
    assert loads(raw) == {"input": prompts}


@given(st.binary(max_size=200))
def test_any_bytes_are_weighed(raw: bytes) -> None:
    assert too_many_values(raw, 10**9) is False
    too_many_values(raw, 1)
