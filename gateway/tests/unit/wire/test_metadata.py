"""What is attached to a conversation: OpenAI's limits, each told by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.metadata import MAX_KEY_CHARS, MAX_PAIRS, MAX_VALUE_CHARS, check_metadata
from tests.support.tables import table

FULL = {f"{n:02}".ljust(MAX_KEY_CHARS, "鍵"): "値" * MAX_VALUE_CHARS for n in range(MAX_PAIRS)}


@pytest.mark.parametrize("value", [{}, {"title": "旅行"}, {"": ""}, FULL])
def test_what_is_within_the_limits_is_kept_as_it_is(value: dict[str, str]) -> None:
    found = check_metadata(value)
    assert found == value
    assert found is not value


def test_null_is_none() -> None:
    assert check_metadata(None) == {}


@table(
    ("value", "param", "said"),
    [
        ([], "metadata", "an object"),
        ("title", "metadata", "an object"),
        (0, "metadata", "an object"),
        ({**FULL, "x": ""}, "metadata", "at most 16 pairs, not 17"),
        ({"k" * 65: ""}, "metadata", "at most 64 characters"),
        ({"title": "x" * 513}, "metadata.title", "at most 512 characters long, not 513"),
        ({"title": 1}, "metadata.title", "text, not 1"),
        ({"title": None}, "metadata.title", "text, not null"),
        ({"title": ["x"]}, "metadata.title", "text, not a list"),
    ],
)
def test_what_is_not_is_named_with_what_is_allowed(value: Any, param: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_metadata(value)
    assert refused.value.param == param
    assert said in refused.value.english
    assert f"'{param}'" in refused.value.japanese


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.dictionaries(st.text(), each))
)
def test_whatever_is_sent_is_taken_whole_or_refused_in_short(value: Any) -> None:
    found, said = None, ""
    try:
        found = check_metadata(value)
    except InvalidRequest as refusal:
        said = refusal.english
    assert found == (None if said else value or {})
    assert len(said) < 300
