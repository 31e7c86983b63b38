"""A field reaches the engine, or cannot matter, or is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.errors import InvalidRequest, UnsupportedField
from hayate.wire.fields import HARMLESS, NEUTRAL, limit_to_send, one_prompt, stop_strings, taken, text_of, unsupported
from tests.support.tables import table


def test_what_is_known_is_kept_and_null_is_not_set() -> None:
    assert taken("e", {"a": 1, "b": None, "c": False}, {"a", "b", "c"}) == {"a": 1, "c": False}


@table("name", sorted(HARMLESS))
def test_what_cannot_change_an_answer_is_left_out(name: str) -> None:
    assert taken("e", {name: "x"}, ()) == {}


@table(("name", "value"), [(name, value) for name, values in NEUTRAL.items() for value in values])
def test_what_asks_for_nothing_is_left_out(name: str, value: Any) -> None:
    assert taken("e", {name: value}, ()) == {}


@table(
    ("name", "value"),
    [("mirostat", 2), ("n", 2), ("logit_bias", {"1": 2}), ("logprobs", 0), ("n", True), ("tools", [{}])],
)
def test_anything_else_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UnsupportedField) as refusal:
        taken("engine-x", {name: value}, {"messages"})
    assert (refusal.value.status, refusal.value.param, refusal.value.code) == (400, name, "unsupported_parameter")
    assert "engine-x" in refusal.value.english
    assert "engine-x" in refusal.value.japanese
    assert name in refusal.value.japanese


def test_a_refusal_says_why_in_both_languages() -> None:
    refusal = unsupported("e", "f", "because", "理由")
    assert refusal.english.endswith("'f': because.")
    assert refusal.japanese.endswith("：理由。")


def test_limits_and_stops_have_one_shape() -> None:
    assert [limit_to_send(each) for each in ({}, {"max_tokens": 3}, {"max_tokens": 3, "max_completion_tokens": 5})] == [
        None,
        3,
        5,
    ]
    assert [stop_strings(each) for each in ({}, {"stop": "a"}, {"stop": ["a", "b"]})] == [[], ["a"], ["a", "b"]]


def test_a_prompt_is_one_string() -> None:
    assert one_prompt("e", "a") == one_prompt("e", ["a"]) == "a"
    for several in (["a", "b"], [1, 2], [[1]]):
        with pytest.raises(UnsupportedField):
            one_prompt("e", several)
    with pytest.raises(InvalidRequest):
        one_prompt("e", "")


def test_text_parts_are_joined_and_others_refused() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert [text_of("e", "m", each) for each in ("a", None, parts)] == ["a", "", "a\nb"]
    with pytest.raises(UnsupportedField) as refusal:
        text_of("e", "messages.0", [*parts, {"type": "input_audio", "input_audio": {}}])
    assert refusal.value.param == "messages.0.content.2.input_audio"
