"""Numbers reach an engine within its bounds and written as it takes them, or are refused by name."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.caps import Caps
from hayate.wire.numbers import (
    LIMITS,
    MAX_TOKENS,
    REAL,
    WHOLE,
    check_numbers,
    from_text,
    is_whole,
    largest_limit,
)
from tests.support.tables import table

NAMES = sorted({*LIMITS, *WHOLE, *REAL})
WHOLES = [0, 1, -1, 2**31, 2**32, 2**53, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**64), 10**400]
FLOATS = [-0.0, 256.0, 1.5, 1e12, 1e19, 1e300, float("inf"), float("-inf"), float("nan")]
odd_numbers: st.SearchStrategy[Any] = st.sampled_from([*WHOLES, *FLOATS, True, False, None, "", "7", "x", [], [1], {}])


@given(st.dictionaries(st.sampled_from(NAMES), odd_numbers | st.integers() | st.floats(), max_size=6))
def test_what_passes_is_within_bounds_and_can_be_sent(fields: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidRequest):
        check_numbers(fields, Caps())
        orjson.dumps(fields)
        for name, value in fields.items():
            if value is None:
                continue
            if name in REAL:
                assert REAL[name][0] <= value <= REAL[name][1]
            else:
                assert is_whole(value)
                low, high = WHOLE.get(name, (0, MAX_TOKENS))
                assert low <= value <= high


@table("name", NAMES)
@table("value", [10**12 * 10**9, 1e300, -(10**30), float("nan"), "7", [], {}, True])
def test_nonsense_is_refused_by_name_in_both_languages(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_numbers({name: value}, Caps())
    assert refused.value.param == name
    assert f"'{name}'" in refused.value.english
    assert f"'{name}'" in refused.value.japanese
    assert len(refused.value.english) < 200


@table(
    ("fields", "name"),
    [
        ({"max_tokens": 5}, "max_tokens"),
        ({"max_completion_tokens": 6, "max_tokens": 5}, "max_completion_tokens"),
        ({"max_tokens": 6, "n_predict": 7}, "n_predict"),
        ({"max_output_tokens": 7}, "max_output_tokens"),
        ({"max_tokens": None}, None),
        ({"max_tokens": True}, None),
        ({"max_tokens": "9"}, None),
        ({}, None),
    ],
)
def test_how_much_output_is_asked_for(fields: dict[str, Any], name: str | None) -> None:
    assert largest_limit(fields) == name


@table(("text", "number"), [("7", 7), ("-7", -7), ("7.0", 7), ("1e3", 1000), (str(2**64 - 1), 2**64 - 1), ("+5", 5)])
def test_a_text_is_a_whole_number(text: str, number: int) -> None:
    assert from_text("seed", text, whole=True) == number
    assert is_whole(from_text("seed", text, whole=True))


@table("text", ["", "x", "1.5", "nan", "inf", "-inf", "1e999", "9" * 5000, "0x10", "１.５"])
def test_a_text_is_no_whole_number(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        from_text("seed", text, whole=True)
    assert refused.value.param == "seed"
    assert len(refused.value.english) < 200


@given(st.text(max_size=30) | st.integers().map(str) | st.floats().map(str))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    for whole in (True, False):
        with contextlib.suppress(InvalidRequest):
            fields = {"temperature": from_text("temperature", text, whole=whole)}
            check_numbers(fields, Caps())
            orjson.dumps(fields)


@pytest.mark.parametrize("name", LIMITS)
def test_a_cap_beyond_what_any_model_makes_lets_no_more_through(name: str) -> None:
    caps = Caps(max_output_tokens=2 * MAX_TOKENS)
    check_numbers({name: MAX_TOKENS}, caps)
    with pytest.raises(InvalidRequest, match=str(MAX_TOKENS)):
        check_numbers({name: MAX_TOKENS + 1}, caps)
