"""Calls in chat messages, in every shape that clients write, and what came of them."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.wire.chat_calls import CallsSaid, calls_in, output_item
from tests.support.tables import table

Message = dict[str, Any]
FUNCTION = {"name": "f", "arguments": "{}"}


def said(calls: list[Any]) -> list[Any]:
    messages: list[Message] = []
    writer = CallsSaid(messages)
    speaking = None
    for item in calls_in({"tool_calls": calls}, lenient=False):
        speaking = writer.call(item, speaking)
    assert len(messages) == 1
    calls_said: list[Any] = messages[0]["tool_calls"]
    return calls_said


@table(
    "call",
    [
        {"id": "a", "type": "function", "function": FUNCTION},
        {"id": "a", "type": "function", "function": {**FUNCTION, "x": 1}, "extra_content": {"signature": "s"}},
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
        {"id": 5, "type": "function", "function": FUNCTION},
        {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
        {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "", "x": 1}},
    ],
)
def test_a_call_comes_back_as_it_was(call: Message) -> None:
    assert said([call]) == [call]


def test_what_may_be_left_out_is_put_in() -> None:
    assert said([{"function": {"name": "f"}}]) == [
        {"id": "", "type": "function", "function": {"name": "f", "arguments": ""}}
    ]


@table("odd", [5, {}, {"function": 5}, {"type": "x", "x": FUNCTION}, {"function": {"name": 5}}, {"type": ["function"]}])
def test_one_that_is_none_keeps_all_where_they_are(odd: Any) -> None:
    rest = {"tool_calls": [{"id": "a", "type": "function", "function": FUNCTION}, odd]}

    assert calls_in(dict(rest), lenient=False) == []
    assert [item["call_id"] for item in calls_in(dict(rest), lenient=True)] == ["a"]


def test_no_calls_are_none() -> None:
    rest: Message = {"tool_calls": []}

    assert calls_in(rest, lenient=False) == []
    assert rest == {}


def test_a_function_call_without_an_id_is_answered_by_its_name() -> None:
    messages: list[Message] = []
    writer = CallsSaid(messages)
    call = {"role": "assistant", "content": None, "function_call": {**FUNCTION, "x": 1}}
    answer = {"role": "function", "name": "f", "content": "1"}

    for item in calls_in({"function_call": call["function_call"]}, lenient=False):
        writer.call(item, None)
    writer.output(output_item(answer, "function"))

    assert messages == [call, answer]


def test_old_and_new_calls_are_not_in_one_message() -> None:
    messages: list[Message] = []
    writer = CallsSaid(messages)
    old = calls_in({"function_call": FUNCTION}, lenient=False)
    new = calls_in({"tool_calls": [{"id": "a", "type": "function", "function": FUNCTION}]}, lenient=False)

    speaking = None
    for item in [*new, *old, *new]:
        speaking = writer.call(item, speaking)

    assert [message.keys() - {"role", "content"} for message in messages] == [
        {"tool_calls"},
        {"function_call"},
        {"tool_calls"},
    ]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "tool_call_id": "a", "content": "x"},
        {
            "role": "tool",
            "tool_call_id": "a",
            "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "x", "name": "f"},
        {"role": "tool", "tool_call_id": 5, "content": "x"},
    ],
)
def test_what_a_tool_returned_comes_back_as_it_was(message: Message) -> None:
    messages: list[Message] = []

    CallsSaid(messages).output(output_item(message, "tool"))

    assert messages == [message]


def test_one_of_a_namespace_has_both_names() -> None:
    messages: list[Message] = []
    CallsSaid(messages).call({"type": "function_call", "call_id": "a", **FUNCTION, "namespace": "agents"}, None)

    assert messages[0]["tool_calls"][0]["function"] == {**FUNCTION, "name": f"agents__{FUNCTION['name']}"}
