"""Any engine with OpenAI's API: what is sent, and how a whole answer is read."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.backends.base import Served
from hayate.backends.openai_compat import OpenAICompatible, choices_of, wants_usage
from hayate.errors import GatewayError
from hayate.upstream_errors import UpstreamBroke, UpstreamRefused
from tests.support.tables import table
from tests.unit.backends.prepared import chat, completion

ENGINE = OpenAICompatible()
FIELDS: dict[str, Any] = {"messages": [{"role": "user", "content": "こんにちは"}], "tomorrow": {"x": [1, None]}}


def sent(fields: dict[str, Any], model: str | None = "m") -> dict[str, Any]:
    request = chat(ENGINE, fields, model)
    assert (request.method, request.path) == (b"POST", "/v1/chat/completions")
    parsed: dict[str, Any] = json.loads(request.body)
    return parsed


def test_every_field_is_sent_with_the_engines_own_model() -> None:
    assert sent({**FIELDS, "model": "fast"}) == {**FIELDS, "model": "m"}


def test_without_a_known_model_none_is_sent() -> None:
    assert sent({**FIELDS, "model": "fast"}, None) == FIELDS


def test_usage_is_asked_for_in_every_stream_and_in_nothing_else() -> None:
    assert sent({**FIELDS, "stream": True})["stream_options"] == {"include_usage": True}
    options = {"include_usage": False, "continuous_usage_stats": True}
    assert sent({**FIELDS, "stream": True, "stream_options": options})["stream_options"] == {
        **options,
        "include_usage": True,
    }
    assert "stream_options" not in sent(FIELDS)


def test_the_callers_fields_are_left_alone() -> None:
    fields = {**FIELDS, "model": "fast", "stream": True, "stream_options": {"include_usage": False}}
    before = json.dumps(fields)
    chat(ENGINE, fields)
    completion(ENGINE, fields, None)
    assert json.dumps(fields) == before


def test_a_text_completion_has_a_path_of_its_own() -> None:
    request = completion(ENGINE, {"prompt": "x", "model": "fast"})
    assert (request.path, json.loads(request.body)) == ("/v1/completions", {"prompt": "x", "model": "m"})


def test_a_whole_answer_is_read_and_its_bytes_are_kept() -> None:
    raw = b'{ "choices": [{"finish_reason":"length","x":1}], "usage":{"prompt_tokens":5,"completion_tokens":2} }'
    whole = ENGINE.whole_answer(raw)
    assert whole.body is raw
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.finish_reason) == (5, 2, "length")


@table("answer", ["", "<html>", "[]", "7", "null", "{}", '{"choices":null}', '{"choices":7}', '{"error":"boom"}'])
def test_what_is_no_answer_is_told(answer: str) -> None:
    with pytest.raises(UpstreamBroke):
        ENGINE.whole_answer(answer.encode())


def test_an_aborted_answer_is_no_answer() -> None:
    with pytest.raises(UpstreamBroke, match="shutting down"):
        ENGINE.whole_answer(b'{"choices":[{"finish_reason":"stop"},{"finish_reason":"abort"}]}')


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "usage", "error", "finish_reason", "data", "id", "max_model_len"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(json_values)
def test_an_answer_of_any_shape_is_read_or_refused(value: Any) -> None:
    with contextlib.suppress(GatewayError):
        assert ENGINE.whole_answer(json.dumps(value).encode()).body


@given(json_values)
def test_a_model_list_of_any_shape_is_read(value: Any) -> None:
    assert isinstance(ENGINE.read_served([value]), Served)


def test_what_is_served_is_read() -> None:
    listed = {"data": [{"id": "a", "max_model_len": 4096}, {"id": "b", "max_model_len": 2048}, {"id": 7}, "x"]}
    assert ENGINE.read_served([listed]) == Served(("a", "b"), 2048)


def test_an_error_is_read_by_its_shape() -> None:
    error = ENGINE.error(503, b'{"error":{"message":"Loading model"}}', retry_after_s=3.0)
    assert isinstance(error, UpstreamRefused)
    assert error.retry_after_s == 3.0


@pytest.mark.parametrize(
    ("fields", "wanted", "choices"),
    [
        ({}, False, 1),
        ({"stream_options": None, "n": None}, False, 1),
        ({"stream_options": {"include_usage": True}, "n": 3}, True, 3),
        ({"stream_options": {"include_usage": False}}, False, 1),
    ],
)
def test_what_a_caller_asked_for(fields: dict[str, Any], wanted: bool, choices: int) -> None:
    assert (wants_usage(fields), choices_of(fields)) == (wanted, choices)
