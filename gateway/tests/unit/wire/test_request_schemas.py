"""What the schemas allow is what the checks let through, and the reverse."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire import validation as checks
from hayate.wire.caps import Caps
from hayate.wire.generate import FIELDS, from_query, to_chat
from hayate.wire.numbers import INT32, LIMITS, MAX_TOKENS, REAL, WHOLE, check_numbers
from hayate.wire.paths import CHAT, PASSTHROUGH, TEXT
from hayate.wire.request_schemas import COMMON, body_of, common_fields, form_of, generate_body, in_query, number
from tests.support.tables import table

FREE = Caps(max_n=INT32)
NUMBERS = sorted({*WHOLE, *REAL, *LIMITS})
EDGES = [
    0,
    1,
    -1,
    2,
    0.5,
    1.0,
    256.0,
    100,
    101,
    -100,
    INT32,
    INT32 + 1,
    MAX_TOKENS,
    MAX_TOKENS + 1,
    2**64 - 1,
    -(2**63),
]
VALUES = st.one_of(
    st.none(), st.booleans(), st.sampled_from(EDGES), st.integers(-3, 300), st.floats(-3, 300), st.text()
)


def allows(schema: Any, value: Any) -> bool:
    """With what it refers to at hand, as in the document."""
    whole = {**schema, "components": {"schemas": {COMMON: common_fields()}}}
    return jsonschema_rs.Draft202012Validator(whole).is_valid(value)


def passes(check: Any, fields: dict[str, Any]) -> bool:
    try:
        check(json.loads(json.dumps(fields)), FREE)
    except InvalidRequest:
        return False
    return True


@pytest.mark.parametrize("name", NUMBERS)
@given(value=VALUES)
def test_a_number_is_allowed_where_it_is_let_through(name: str, value: Any) -> None:
    if name in LIMITS and value == 0 and not isinstance(value, bool):
        return  # taken only beside fields that ask for no answer
    assert allows(number(name), value) == passes(check_numbers, {name: value})


MESSAGES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.just([]),
    st.text(),
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "role": st.sampled_from(["user", "assistant", "tool", "", 1]),
                "content": st.sampled_from(["hi", None, 5, [], [{"type": "text"}], ["x"]]),
            },
        ),
        min_size=1,
        max_size=2,
    ),
)
CHATS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "messages": MESSAGES,
        "stop": st.sampled_from([None, "a", "", ["a"], ["a"] * 129, [1], 5]),
        "stream": st.sampled_from([None, True, False, 1, "true"]),
        "model": st.sampled_from([None, "fast", 5]),
        "tools": st.sampled_from([None, [], [{}], [1], {}]),
        "logprobs": st.sampled_from([None, True, 5, "x"]),
        "stream_options": st.sampled_from([None, {}, []]),
        "temperature": st.sampled_from([None, 1, 101, "1"]),
        "anything": st.integers(),
    },
)


@given(MESSAGES)
def test_messages_are_allowed_where_they_are_let_through(messages: Any) -> None:
    fields = {"messages": messages}
    assert allows(body_of(CHAT), fields) == passes(checks.check_chat, fields)


@given(CHATS)
def test_a_chat_is_allowed_where_it_is_let_through(fields: dict[str, Any]) -> None:
    allowed = allows(body_of(CHAT), fields)
    assert allowed == passes(checks.check_chat, fields)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "prompt": st.sampled_from([None, "", "hi", ["a", "b"], [1, 2], 5, {}]),
            "logprobs": st.sampled_from([None, True, 5, -1, "x"]),
            "stop": st.sampled_from([None, "a", 5]),
        },
    )
)
def test_a_text_is_allowed_where_it_is_let_through(fields: dict[str, Any]) -> None:
    assert allows(body_of(TEXT), fields) == passes(checks.check_completion, fields)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "prompt": st.sampled_from([None, "", "hi", 5]),
            "system": st.sampled_from([None, "be kind", 5]),
            "max_tokens": st.sampled_from([None, 5, -1, -2, "5"]),
            "temperature": st.sampled_from([None, 0.5, 101]),
            "stop": st.sampled_from([None, "a", ["a"], 5]),
            "api_key": st.text(),
        },
    )
)
def test_fields_of_a_generated_stream_are_allowed_where_they_are_let_through(fields: dict[str, Any]) -> None:
    def check(asked: dict[str, Any], caps: Caps) -> None:
        checks.check_chat(to_chat(asked), caps)

    assert allows(generate_body(), fields) == passes(check, fields)


@table("path", sorted(PASSTHROUGH))
def test_every_other_path_takes_what_all_take_and_the_rest_is_the_engines(path: str) -> None:
    schema = body_of(path)
    assert allows(schema, {"model": "fast", "anything": [1]})
    assert not allows(schema, {"model": 5})
    assert not allows(schema, {"temperature": "hot"})
    assert not allows(schema, [])


def test_an_answer_that_is_made_in_the_background_is_not_allowed() -> None:
    schema = body_of("/v1/responses")
    assert allows(schema, {"input": "hi", "background": False})
    assert not allows(schema, {"input": "hi", "background": True})


def test_in_a_query_everything_is_text() -> None:
    assert from_query([("stop", "a"), ("stop", "b"), ("seed", "7")]) == {"stop": ["a", "b"], "seed": 7}
    for name in FIELDS:
        kind = in_query(generate_body()["properties"][name])["type"]
        assert kind in ("string", "integer", "number", "array")
    assert in_query({"type": ["integer", "null"], "minimum": 1}) == {"type": "integer", "minimum": 1}


def test_a_form_names_the_recording_and_the_model() -> None:
    assert {*form_of("The recording.")["properties"]} == {"file", "model"}
