"""trtllm-serve is sent what its closed schema has, in the way all its releases understand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hayate.backends.trt_request import chat_body, text_body, turned_priority
from hayate.errors import UnsupportedField
from tests.support.trtllm_schema import Chat, Text

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {}, "strict": False, "x-more": 1}}


def test_what_its_schema_has_is_sent_and_the_rest_left_out_or_refused() -> None:
    body = chat_body(
        {**HELLO, "model": "m", "metadata": {}, "store": True, "temperature": 0.5, "n": None, "logit_bias": None}
    )
    assert body == {**HELLO, "temperature": 0.5}
    for field, value in (
        ("mirostat", 1),
        ("parallel_tool_calls", False),
        ("prompt_token_ids", [1]),
        ("lora_request", {}),
    ):
        with pytest.raises(UnsupportedField) as refusal:
            chat_body({**HELLO, field: value})
        assert refusal.value.param == field


def test_what_is_sent_fits_the_schema() -> None:
    fields = {
        **HELLO,
        "max_completion_tokens": 5,
        "max_tokens": 7,
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "tools": [TOOL],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}},
        },
        "priority": -3,
        "top_logprobs": 1,
        "logprobs": True,
        "seed": 1,
        "user": "me",
    }
    checked = Chat.model_validate({**chat_body(fields), "model": "m"})
    assert checked.max_completion_tokens == 5
    assert checked.tool_choice == "auto"
    assert checked.tools is not None
    assert checked.tools[0].function.strict is None
    assert checked.response_format is not None
    assert checked.response_format.json_schema == {"type": "object"}
    assert checked.stream_options is not None
    assert checked.stream_options.include_usage is True
    text = text_body({"prompt": "a", "max_tokens": 3, "logprobs": 1, "stream": False, "stream_options": None})
    assert Text.model_validate({**text, "model": "m"}).max_tokens == 3


def test_a_bare_schema_stays_as_it_is() -> None:
    wanted = {"type": "json_schema", "json_schema": {"type": "object"}}
    assert chat_body({**HELLO, "response_format": wanted})["response_format"] == wanted


def test_a_tool_choice_without_tools_is_not_said() -> None:
    assert chat_body({**HELLO, "tools": [], "tool_choice": "auto"}) == HELLO
    assert chat_body({**HELLO, "tools": [TOOL], "tool_choice": "none"})["tool_choice"] == "none"
    with pytest.raises(UnsupportedField) as refusal:
        chat_body({**HELLO, "tools": [{"type": "custom", "custom": {}}]})
    assert refusal.value.param == "tools.0.type"


@given(some.floats(-1e6, 1e6), some.floats(-1e6, 1e6))
def test_priorities_keep_their_order_the_other_way_round(one: float, other: float) -> None:
    assert 0 <= turned_priority(one) <= 1
    if one < other:
        assert turned_priority(one) >= turned_priority(other)


def test_the_usual_priority_is_the_usual_priority() -> None:
    assert turned_priority(0) == 0.5
    assert turned_priority(-1) > turned_priority(0) > turned_priority(1)
    with pytest.raises(UnsupportedField):
        chat_body({**HELLO, "priority": "high"})
