"""Anthropic's messages become items and the same messages again; roles alternate; answers become items."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.chat_items import items_of_messages, messages_of
from hayate.wire.item_shapes import message
from hayate.wire.message_items import anthropic_of, items_of_anthropic, items_of_anthropic_answer
from tests.support.tables import table
from tests.unit.wire.items_said import say

Message = dict[str, Any]
CACHED = {"cache_control": {"type": "ephemeral"}}
WORDS = st.text(min_size=1, max_size=6)
TEXT = st.builds(lambda text, left: {"type": "text", "text": text, **left}, WORDS, st.sampled_from(({}, CACHED)))
LEFT: st.SearchStrategy[Message] = st.sampled_from(({}, {"is_error": True}, CACHED))
IMAGE = st.just({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}})


def use(call_id: str, **said: Any) -> Message:
    return {"type": "tool_use", "id": call_id, "name": "weather", "input": said}


def result(call_id: str, content: Any = "sunny", **left: Any) -> Message:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **left}


def asked(text: Any = "?") -> Message:
    return {"role": "user", "content": text}


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """Messages whose roles alternate, with whole exchanges."""
    messages: list[Message] = []
    for n in range(draw(st.integers(1, 3))):
        messages.append(asked(draw(WORDS | st.lists(TEXT | IMAGE, min_size=2, max_size=3))))
        if draw(st.booleans()):
            ids = [f"toolu_{n}_{m}" for m in range(draw(st.integers(1, 3)))]
            returned = WORDS | st.lists(TEXT | IMAGE, min_size=2, max_size=2)
            results = [result(each, draw(returned), **draw(LEFT)) for each in draw(st.permutations(ids))]
            messages.append({"role": "assistant", "content": [*draw(st.lists(TEXT, max_size=2)), *map(use, ids)]})
            messages.append(asked([*results, *draw(st.lists(TEXT, max_size=2))]))
        messages.append({"role": "assistant", "content": draw(WORDS | st.lists(TEXT, min_size=2, max_size=2))})
    return messages


@given(conversations(), st.none() | WORDS | st.lists(TEXT, min_size=2, max_size=2))
def test_what_is_said_comes_back_as_it_was(messages: list[Message], system: Any) -> None:
    before = copy.deepcopy(messages)

    head, items = items_of_anthropic({"system": system, "messages": messages})

    assert anthropic_of(json.loads(json.dumps([*head, *items]))) == (system, before)
    assert messages == before


@given(st.lists(st.sampled_from(("system", "user", "assistant", "developer", "tool", "call")), max_size=8))
def test_roles_alternate_whatever_was_said(roles: list[str]) -> None:
    said: dict[str, Message] = {
        "tool": {"role": "tool", "tool_call_id": "a", "content": "x"},
        "call": {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]},
    }
    items = items_of_messages([said.get(role, {"role": role, "content": "x"}) for role in roles])

    _, messages = anthropic_of(items)

    assert all(first["role"] != second["role"] for first, second in pairwise(messages))
    assert all(message["content"] for message in messages)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("type", "text", "media_type", "data", "url")), inner, max_size=4)
    ),
    max_leaves=6,
)
KINDS = ("text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "search_result")
SOURCE = st.fixed_dictionaries(
    {"type": st.sampled_from(("base64", "url", "file", "text", 5))},
    optional={"media_type": WORDS | JSON, "data": WORDS | JSON, "url": WORDS | JSON, "file_id": WORDS | JSON},
)
BLOCK = JSON | st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={
        **dict.fromkeys(
            ("text", "id", "name", "tool_use_id", "content", "thinking", "signature", "data"), WORDS | JSON
        ),
        **dict.fromkeys(("title", "input", "hayate"), JSON),
        "source": SOURCE | JSON,
    },
)
CONTENT = st.lists(BLOCK, max_size=3) | JSON


@given(
    CONTENT,
    st.lists(
        st.fixed_dictionaries({"role": st.sampled_from(("user", "assistant", "system")), "content": CONTENT}),
        max_size=3,
    ),
)
def test_whatever_comes_can_be_said_or_is_refused(system: Any, messages: list[Any]) -> None:
    try:
        head, items = items_of_anthropic({"system": system, "messages": messages})
    except InvalidRequest:
        return
    say([*head, *items])


def test_what_several_tools_returned_is_one_message() -> None:
    items = items_of_messages(
        [
            {"role": "user", "content": "天気は？"},
            {
                "role": "assistant",
                "content": "見ます。",
                "tool_calls": [
                    {"id": each, "type": "function", "function": {"name": "weather", "arguments": '{"city":"東京"}'}}
                    for each in "ab"
                ],
            },
            {"role": "tool", "tool_call_id": "b", "content": "雨"},
            {"role": "tool", "tool_call_id": "a", "content": "晴れ"},
            {"role": "user", "content": "ありがとう"},
        ]
    )

    assert anthropic_of(items) == (
        None,
        [
            asked("天気は？"),
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "見ます。"}, use("a", city="東京"), use("b", city="東京")],
            },
            asked([result("b", "雨"), result("a", "晴れ"), {"type": "text", "text": "ありがとう"}]),
        ],
    )


def test_what_chats_can_say_of_it_they_say() -> None:
    _, items = items_of_anthropic(
        {
            "messages": [
                asked([{"type": "text", "text": "?", **CACHED}]),
                {"role": "assistant", "content": [use("a", city="東京")]},
                asked([result("a", "no", is_error=True)]),
            ]
        }
    )

    assert messages_of(items) == [
        asked(),
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"東京"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "no"},
    ]


def test_a_later_system_prompt_is_said_where_it_stands() -> None:
    items = [message("system", "a"), message("user", "b"), message("system", "c"), message("assistant", "d")]

    assert anthropic_of(items) == (
        "a",
        [
            asked([{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]),
            {"role": "assistant", "content": "d"},
        ],
    )


def test_what_was_thought_is_kept_with_its_signature_and_not_said_again() -> None:
    thinking = [
        {"type": "thinking", "thinking": "Hmm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "AAAA"},
        {"type": "thinking", "thinking": "So.", "signature": ""},
    ]

    items = items_of_anthropic_answer({"content": [*thinking, {"type": "text", "text": "4"}]}, cut=False)

    assert [item["type"] for item in items] == ["reasoning", "reasoning", "reasoning", "message"]
    assert items[0]["content"] == [{"type": "reasoning_text", "text": "Hmm."}]
    assert [item.get("encrypted_content") for item in items] == ["c2ln", "AAAA", None, None]
    assert anthropic_of(items)[1] == [{"role": "assistant", "content": "4"}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [("", {}), ("[1]", {"arguments": "[1]"}), ("x", {"arguments": "x"}), ('{"a":1}', {"a": 1})],
)
def test_an_input_is_an_object(arguments: str, said: Any) -> None:
    call = {"type": "function_call", "call_id": "a", "name": "weather", "arguments": arguments}

    assert anthropic_of([call])[1][0]["content"] == [use("a", **said)]
    assert anthropic_of([{**call, "type": "custom_tool_call", "input": "x"}])[1][0]["content"] == [use("a", input="x")]


@table(
    ("content", "place"),
    [
        (5, "messages.0.content"),
        ([5], "messages.0.content.0"),
        ([{}], "messages.0.content.0"),
        ([{"type": "text"}], "messages.0.content.0.text"),
        ([{"type": "text", "text": "x"}, {"type": "tool_use", "id": "a"}], "messages.0.content.1.name"),
        ([{"type": "tool_result"}], "messages.0.content.0.tool_use_id"),
        ([result("a", [5])], "messages.0.content.0.content.0"),
        ([result("a", 5)], "messages.0.content.0.content"),
        ([{"type": "thinking"}], "messages.0.content.0.thinking"),
    ],
)
def test_blocks_that_are_none_are_named(content: Any, place: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        items_of_anthropic({"messages": [asked(content)]})
    assert raised.value.param == place


@table(
    ("fields", "place"),
    [
        ({}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": [5]}, "messages.0"),
        ({"messages": [asked(), {"content": "x"}]}, "messages.1.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages.0.role"),
        ({"system": 5, "messages": []}, "system"),
        ({"system": [5], "messages": []}, "system.0"),
    ],
)
def test_messages_that_are_none_are_named(fields: Message, place: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        items_of_anthropic(fields)
    assert raised.value.param == place


def test_a_cut_answer_says_so_and_a_cut_call_never_goes_along() -> None:
    text = {"type": "text", "text": "Let me"}

    said = items_of_anthropic_answer({"content": [text]}, cut=True)
    called = items_of_anthropic_answer({"content": [text, use("a")]}, cut=True)
    whole = items_of_anthropic_answer({"content": [use("a", city="x")]}, cut=True)

    assert said[0]["status"] == "incomplete"
    assert [item["status"] for item in called] == ["completed", "incomplete"]
    assert anthropic_of(called)[1] == [{"role": "assistant", "content": "Let me"}]
    assert whole[0]["status"] == "completed"
    assert items_of_anthropic_answer({"content": []}, cut=True) == []


def test_an_answer_of_nothing_is_a_message() -> None:
    assert items_of_anthropic_answer({"content": []}, cut=False)[0]["role"] == "assistant"
    assert items_of_anthropic_answer({"content": None}, cut=False)[0]["content"] == []


def test_what_an_engine_says_wrongly_is_left_out() -> None:
    content = [5, {}, {"type": "text"}, {"type": "tool_use", "id": "a"}, {"type": "text", "text": "a\ud83d"}]

    items = items_of_anthropic_answer({"content": content}, cut=False)

    assert [part["text"] for part in items[0]["content"]] == ["a\ufffd"]


def test_one_of_a_namespace_has_both_names() -> None:
    call = {"type": "function_call", "call_id": "a", "name": "f", "namespace": "agents", "arguments": "{}"}

    assert anthropic_of([call])[1][0]["content"][0]["name"] == "agents__f"
