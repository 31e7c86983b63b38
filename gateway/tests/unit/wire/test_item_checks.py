"""What callers send as items is kept in one form, or refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.caps import Caps
from hayate.wire.chat_items import items_of_answer
from hayate.wire.faults import UNREADABLE
from hayate.wire.item_checks import check_items, checked_item
from hayate.wire.item_shapes import MADE, message
from hayate.wire.message_items import items_of_anthropic_answer
from hayate.wire.response_items import items_of_input, items_of_output
from tests.support.tables import table
from tests.unit.wire.items_said import say

PIXEL = "data:image/png;base64,AAAA"
MIB = 1 << 20


def checked(*items: Any, most: int = 20, max_item_bytes: int = MIB, kept: bool = False) -> list[dict[str, Any]]:
    return check_items(list(items), "items", most=most, max_item_bytes=max_item_bytes, kept=kept)


def refused(*items: Any, **how: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        checked(*items, **how)
    assert raised.value.param
    assert raised.value.english != raised.value.japanese
    return raised.value


def user(content: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": content}


def test_what_is_written_short_is_kept_long() -> None:
    assert checked({"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "id": "msg_1"}) == [
        message("user", "x"),
        message("assistant", "y"),
    ]


def test_a_text_is_called_as_its_role_says_it() -> None:
    for kind in ("input_text", "output_text", "text"):
        part = {"type": kind, "text": "x", "prompt_cache_breakpoint": None}
        assert checked({"role": "user", "content": [part]}) == [message("user", "x")]
        assert checked({"role": "assistant", "content": [part]}) == [message("assistant", "x")]


@table(
    "item",
    [
        {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": PIXEL, "detail": "low"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_file", "file_data": PIXEL, "filename": "a"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "phase": "commentary"},
        {"type": "message", "role": "assistant", "content": []},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": ""},
        {"type": "function_call_output", "call_id": "a", "output": ""},
        {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "x"}]},
        {"type": "custom_tool_call", "call_id": "a", "name": "sql", "input": "select 1"},
        {"type": "custom_tool_call", "call_id": "a", "name": "sql", "namespace": "db", "input": "select 1"},
        {"type": "custom_tool_call_output", "call_id": "a", "output": "1"},
        {"type": "message", "role": "user", "content": [], "hayate": {"chat": {"name": "Aoi"}}},
    ],
)  # fmt: skip
def test_items_of_openais_are_kept_as_they_are(item: dict[str, Any]) -> None:
    assert checked(item) == [{**item, "status": "completed"}]
    assert checked({**item, "status": "incomplete", "x": None})[0]["status"] == "incomplete"


def test_reasoning_is_kept_with_all_that_is_in_it() -> None:
    summary = [{"type": "summary_text", "text": "s"}]
    item = {"type": "reasoning", "summary": summary, "encrypted_content": "AAAA", "content": None}

    assert checked(item) == [{"type": "reasoning", "summary": summary, "encrypted_content": "AAAA"}]


@table(
    ("item", "place"),
    [
        (5, "items[0]"),
        ({}, "items[0].type"),
        ({"type": 5}, "items[0].type"),
        ({"type": "letter"}, "items[0].type"),
        ({"type": "web_search_call"}, "items[0].type"),
        ({"type": "item_reference", "id": "msg_1"}, "items[0]"),
        ({"type": "message", "content": "x"}, "items[0].role"),
        ({"role": "wizard", "content": "x"}, "items[0].role"),
        ({"role": ["user"], "content": "x"}, "items[0].role"),
        ({"role": "unknown", "content": "x"}, "items[0].role"),
        ({"role": "user"}, "items[0].content"),
        (user(5), "items[0].content"),
        (user([5]), "items[0].content[0]"),
        (user([{}]), "items[0].content[0].type"),
        (user([{"type": 5}]), "items[0].content[0].type"),
        (user([{"type": "smell"}]), "items[0].content[0].type"),
        (user([{"type": "other"}]), "items[0].content[0].type"),
        (user([{"type": "input_text"}]), "items[0].content[0].text"),
        (user([{"type": "input_text", "text": "x"}, {"type": "input_text", "text": 5}]), "items[0].content[1].text"),
        (user([{"type": "refusal"}]), "items[0].content[0].refusal"),
        (user([{"type": "input_image"}]), "items[0].content[0].image_url"),
        (user([{"type": "input_image", "image_url": {"url": PIXEL}}]), "items[0].content[0].image_url"),
        (user([{"type": "input_file", "filename": "a"}]), "items[0].content[0].file_data"),
        (user([{"type": "input_file", "file_data": ""}]), "items[0].content[0].file_data"),
        (user([{"type": "input_audio"}]), "items[0].content[0].input_audio"),
        (user([{"type": "input_audio", "input_audio": {"data": "AA=="}}]), "items[0].content[0].input_audio.format"),
        (user([{"type": "input_text", "text": "x", "hayate": 5}]), "items[0].content[0].hayate"),
        ({**user("x"), "status": "done"}, "items[0].status"),
        ({**user("x"), "status": ["completed"]}, "items[0].status"),
        ({**user("x"), "hayate": {"chat": 5}}, "items[0].hayate"),
        ({"type": "function_call", "name": "f", "arguments": "{}"}, "items[0].call_id"),
        ({"type": "function_call", "call_id": "", "name": "f", "arguments": "{}"}, "items[0].call_id"),
        ({"type": "function_call", "call_id": "a", "arguments": "{}"}, "items[0].name"),
        ({"type": "function_call", "call_id": "a", "name": "f", "arguments": {}}, "items[0].arguments"),
        ({"type": "custom_tool_call", "call_id": "a", "name": "f"}, "items[0].input"),
        ({"type": "custom_tool_call", "call_id": "a", "name": "f", "input": "", "namespace": 5}, "items[0].namespace"),
        (
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "", "namespace": ""},
            "items[0].namespace",
        ),
        ({"type": "function_call_output", "output": "x"}, "items[0].call_id"),
        ({"type": "function_call_output", "call_id": "a"}, "items[0].output"),
        ({"type": "function_call_output", "call_id": "a", "output": 5}, "items[0].output"),
        ({"type": "function_call_output", "call_id": "a", "output": [{"type": "x"}]}, "items[0].output[0].type"),
        ({"type": "reasoning", "summary": "x"}, "items[0].summary"),
        ({"type": "reasoning", "summary": ["x"]}, "items[0].summary[0]"),
        ({"type": "reasoning", "summary": [{"type": ["summary_text"]}]}, "items[0].summary[0]"),
        ({"type": "reasoning", "content": [{"type": "reasoning_text"}]}, "items[0].content[0].text"),
        ({"type": "reasoning", "encrypted_content": 5}, "items[0].encrypted_content"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(item: Any, place: str) -> None:
    error = refused(item)

    assert error.param == place
    assert f"'{place}'" in error.english
    assert f"'{place}'" in error.japanese


def test_a_kind_that_is_none_is_told_what_there_is() -> None:
    assert "message, function_call, function_call_output" in refused({"type": "letter"}).english
    assert "only an engine" in refused({"type": "web_search_call"}).english
    assert "'smell'" in refused(user([{"type": "smell"}])).english.replace('"', "'")
    assert "send the item itself" in refused({"type": "item_reference", "id": "msg_1"}).english


def test_what_was_ours_before_comes_in_again() -> None:
    items = [
        {"type": "web_search_call", "status": "failed"},
        {
            "type": "message",
            "status": "completed",
            "role": "unknown",
            "content": [],
            "hayate": {"chat": {"role": "critic"}},
        },
        {**message("user", ""), "content": [{"type": "other", "hayate": {"chat": {"type": "video_url"}}}]},
    ]

    assert checked(*items, kept=True) == items


def test_so_many_in_one_request() -> None:
    assert len(checked(*[user("x")] * 20)) == 20
    error = refused(*[user("x")] * 21)
    assert error.param == "items"
    assert "21" in error.english
    with pytest.raises(InvalidRequest, match="'items' must be a list"):
        check_items({}, "items", max_item_bytes=MIB)


def test_an_over_long_text_is_named() -> None:
    assert (
        refused(
            user([{"type": "input_text", "text": "x"}, {"type": "input_text", "text": "x" * 2000}]), max_item_bytes=1024
        ).param
        == "items[0].content[1].text"
    )
    assert (
        refused({"type": "function_call_output", "call_id": "a", "output": "東" * 400}, max_item_bytes=1024).param
        == "items[0].output"
    )
    assert refused(user([{"type": "input_text", "text": "x" * 600}] * 2), max_item_bytes=1024).param == "items[0]"
    assert refused({**user("x"), "x": [[1] * 2000]}, max_item_bytes=1024).param == "items[0]"


def test_files_do_not_count_as_text() -> None:
    coded = "A" * 4000
    checked(
        user([{"type": "input_image", "image_url": f"data:image/png;base64,{coded}"}]),
        user([{"type": "input_file", "file_data": coded}]),
        user([{"type": "input_audio", "input_audio": {"data": coded, "format": "wav"}}]),
        max_item_bytes=1024,
    )


def test_no_engine_fetches_what_an_item_names() -> None:
    item = user([{"type": "input_image", "image_url": "http://169.254.169.254/"}])

    checked(item)
    with pytest.raises(InvalidRequest, match="data: URL"):
        check_items([item], "items", max_item_bytes=MIB, caps=Caps())


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidRequest, match="nested deeper"):
        checked({**user("x"), "x": deep})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(("type", "role", "content", "text", "output", "call_id", "name", "summary", "status", "hayate")),
        inner,
        max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(("input_text", "output_text", "refusal", "input_image", "input_audio", "output_audio", "other"))},
    optional={"text": JSON, "refusal": JSON, "image_url": JSON, "hayate": JSON, "input_audio": JSON, "transcript": JSON},
)  # fmt: skip
WORD = st.text(max_size=3) | JSON
ITEM = JSON | st.fixed_dictionaries(
    {"type": st.sampled_from((*MADE, "web_search_call", "image_generation_call"))},
    optional={
        "role": st.sampled_from(("user", "assistant", "system", "unknown", 5)),
        "content": st.lists(PART, max_size=3) | WORD,
        "output": st.lists(PART, max_size=3) | WORD,
        "summary": st.lists(PART, max_size=2) | WORD,
        "call_id": WORD,
        "name": WORD,
        "arguments": WORD,
        "input": WORD,
        "action": JSON,
        "status": st.sampled_from(("completed", "incomplete", "failed")),
        "hayate": st.fixed_dictionaries({"chat": JSON, "messages": JSON}) | JSON,
        "tool_calls": JSON,
        "reasoning": WORD,
        "audio": JSON,
    },
)
KIND = st.sampled_from(("message", "function_call", "function_call_output", "reasoning", "custom_tool_call", "x"))


@given(st.dictionaries(st.sampled_from(("role", "content", "output", "summary", "call_id", "status")), JSON), KIND)
def test_whatever_comes_is_kept_or_refused(fields: dict[str, Any], kind: str) -> None:
    try:
        item = checked_item({"type": kind, **fields}, "item")
    except InvalidRequest:
        return
    assert checked_item(json.loads(json.dumps(item)), "item", kept=True) == item
    say([item])


@given(st.lists(ITEM, max_size=4))
def test_whatever_is_kept_can_be_said(values: list[Any]) -> None:
    try:
        items = items_of_input(values)
    except InvalidRequest:
        return
    say(items)


@given(st.lists(ITEM, max_size=4), st.booleans())
def test_whatever_an_engine_says_can_be_said(output: list[Any], cut: bool) -> None:
    say(items_of_output(output, cut=cut))
    for each in (each for each in output if isinstance(each, dict)):
        for items_of in (items_of_answer, items_of_anthropic_answer):
            try:
                items = items_of(each, cut=cut)
            except UNREADABLE:
                continue
            say(items)
