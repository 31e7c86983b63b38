"""The response object: every member of OpenAI's, and the request's settings said again."""

from __future__ import annotations

import json
from typing import Any

from hayate.wire.chat_to_responses import _state
from hayate.wire.response_object import ResponseObject, response_usage, settings_of
from hayate.wire.usage import Usage
from tests.support.responses import SAID, whole
from tests.support.tables import table

SETTINGS: dict[str, Any] = {
    "instructions": "簡潔に。",
    "max_output_tokens": 99,
    "max_tool_calls": 3,
    "metadata": {"team": "a"},
    "parallel_tool_calls": False,
    "prompt_cache_key": "k",
    "reasoning": {"effort": "low", "summary": "auto"},
    "safety_identifier": "s",
    "service_tier": "flex",
    "store": True,
    "temperature": 0.5,
    "text": {"format": {"type": "json_object"}, "verbosity": "low"},
    "tool_choice": "required",
    "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}],
    "top_logprobs": 2,
    "top_p": 0.9,
    "truncation": "auto",
    "user": "u",
}


def made(fields: dict[str, Any]) -> dict[str, Any]:
    response = ResponseObject("resp_1", 1_700_000_000, settings_of(fields, "tiny"))
    state = _state("in_progress")
    assert json.loads(response.written(state)) == response.whole(state)
    return response.whole(state)


def test_a_request_that_says_nothing_is_answered_with_what_holds_then() -> None:
    response = made({})
    read = whole(response)
    assert response.keys() == SAID
    assert (read.model, read.tool_choice, read.tools, read.truncation) == ("tiny", "auto", [], "disabled")
    assert (read.parallel_tool_calls, read.metadata, response["store"]) == (True, {}, False)


def test_what_was_asked_is_said_again() -> None:
    response = made({**SETTINGS, "input": "x" * 1000, "stream": True, "seed": 5})
    whole(response)
    assert {name: response[name] for name in SETTINGS} == SETTINGS
    assert response.keys() == SAID


def test_null_is_not_set() -> None:
    assert made(dict.fromkeys(SETTINGS)) == made({})


def test_a_tool_has_the_members_that_types_demand() -> None:
    [tool] = made({"tools": [{"type": "function", "name": "f"}]})["tools"]
    assert tool == {"type": "function", "name": "f", "parameters": None, "strict": None}


@table("reported", [None, 5, {}, {"completion_tokens_details": 5}, {"completion_tokens_details": {"reasoning_tokens": -1}}])  # fmt: skip  # noqa: E501
def test_what_an_engine_does_not_count_is_none(reported: Any) -> None:
    usage = response_usage(Usage(7, 3, 9), reported)
    assert usage["output_tokens_details"] == {"reasoning_tokens": 0}
    assert usage["input_tokens_details"]["cached_tokens"] == 7
    assert usage["total_tokens"] == 10
