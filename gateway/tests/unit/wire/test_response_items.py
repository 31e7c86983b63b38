"""What goes into a response and comes out of it becomes items and goes to an engine that keeps nothing."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.errors import InvalidRequest
from hayate.wire.item_shapes import Item, message, reasoning_of
from hayate.wire.response_items import input_of, items_of_input, items_of_output
from tests.support.tables import table

CALL: Item = {"type": "function_call", "status": "completed", "call_id": "a", "name": "f", "arguments": "{}"}
OUTPUT: Item = {"type": "function_call_output", "status": "completed", "call_id": "a", "output": "1"}


def test_a_text_is_a_users() -> None:
    assert items_of_input("こんにちは") == [message("user", "こんにちは")]


def test_messages_may_be_written_short() -> None:
    said = [{"role": "developer", "content": "Be brief."}, {"type": "message", "role": "assistant", "content": "Hi"}]

    assert items_of_input(said) == [message("developer", "Be brief."), message("assistant", "Hi")]


def test_what_an_engine_said_before_may_come_back() -> None:
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "x"},
    }

    items = items_of_input([{**CALL, "id": "fc_1"}, OUTPUT, search, {**reasoning_of("Hm"), "id": "rs_1"}])

    assert items == [CALL, OUTPUT, {name: each for name, each in search.items() if name != "id"}, reasoning_of("Hm")]


@table(
    ("said", "place"),
    [
        (5, "input"),
        ([5], "input[0]"),
        ([{"role": "user", "content": "x"}, {"type": "letter"}], "input[1].type"),
        ([{"type": "item_reference", "id": "msg_1"}], "input[0]"),
        ([{"id": "msg_1"}], "input[0].type"),
        ([{"role": "user", "content": [{"type": "input_text"}]}], "input[0].content[0].text"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(said: Any, place: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        items_of_input(said)
    assert raised.value.param == place


def test_an_over_long_text_is_named() -> None:
    with pytest.raises(InvalidRequest) as raised:
        items_of_input([{"role": "user", "content": "x" * 2000}], max_item_bytes=1024)
    assert raised.value.param == "input[0].content[0].text"


def test_a_reference_is_resolved_where_it_can_be() -> None:
    kept = {"msg_1": message("assistant", "Hi")}

    assert items_of_input([{"type": "item_reference", "id": "msg_1"}, {"id": "msg_1"}], resolve=kept.get) == [
        message("assistant", "Hi"),
        message("assistant", "Hi"),
    ]
    with pytest.raises(InvalidRequest, match=r"'input\[0\]' refers to an item that is not kept"):
        items_of_input([{"type": "item_reference", "id": "msg_2"}], resolve=kept.get)


def test_to_an_engine_nothing_goes_that_is_ours() -> None:
    items = [
        {**message("user", "?"), "id": "msg_1", "hayate": {"chat": {"name": "Aoi"}}},
        {**reasoning_of("Hm"), "id": "rs_1"},
        {**CALL, "id": "fc_1"},
        {**OUTPUT, "id": "fco_1", "output": [{"type": "input_text", "text": "1", "hayate": {"messages": {}}}]},
        {**message("assistant", "!"), "status": "incomplete"},
    ]

    assert input_of(items) == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "?"}]},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "1"}]},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "!", "annotations": []}],
        },
    ]


def test_what_other_dialects_said_is_said_as_far_as_there_are_words() -> None:
    parts = [
        {"type": "other", "hayate": {"chat": {"type": "video_url"}}},
        {"type": "output_audio", "data": "AAAA", "transcript": "やあ"},
        {"type": "refusal", "refusal": "No."},
    ]
    critic = {**message("unknown", "x"), "hayate": {"chat": {"role": "critic"}}}

    assert input_of([{**message("assistant", ""), "content": parts}])[0]["content"] == [
        {"type": "output_text", "text": "やあNo.", "annotations": []}
    ]
    assert input_of([critic])[0]["role"] == "user"


def test_what_an_assistant_said_is_one_text() -> None:
    """vLLM reads the first part alone, and fails where there is none; llama.cpp knows no refusals."""
    text, image = message("assistant", "x")["content"][0], {"type": "input_image", "image_url": "data:,"}

    assert input_of([{**message("assistant", ""), "content": []}])[0]["content"] == message("assistant", "")["content"]
    assert input_of([{**message("assistant", ""), "content": [image, text, text]}])[0]["content"] == [
        {**text, "text": "xx"},
        image,
    ]
    assert input_of([message("user", "x")])[0]["content"] == message("user", "x")["content"]


def test_half_an_exchange_does_not_go_along() -> None:
    assert input_of([CALL, message("user", "x"), OUTPUT, OUTPUT])[-1]["role"] == "user"
    assert len(input_of([CALL, message("user", "x")])) == 1


def test_an_output_is_kept_as_it_was_with_the_engines_ids() -> None:
    output: list[Any] = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": "AAAA"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": []},
        {**CALL, "id": "fc_1", "arguments": "{", "namespace": None},
        {"type": "web_search_call", "id": "ws_1", "status": "failed"},
        {**CALL, "id": "fc_2", "arguments": "{}", "namespace": "agents"},
        {**CALL, "id": "fc_3", "arguments": "{}", "namespace": 5},
        {**message("assistant", "x"), "content": [{"type": "output_text", "text": "x", "logprobs": None}, 5]},
        {"type": "message"},
        None,
        {"type": 5},
    ]

    assert items_of_output(output, cut=False) == [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "AAAA"},
        output[1],
        {**CALL, "id": "fc_1", "arguments": "{", "status": "incomplete"},
        output[3],
        {**output[4], "status": "completed"},
        {**CALL, "id": "fc_3", "arguments": "{}", "status": "completed"},
        {**message("assistant", "x"), "content": [{"type": "output_text", "text": "x"}]},
        {**message("assistant", "x"), "content": []},
    ]


def test_a_cut_output_says_so() -> None:
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}

    assert [item["status"] for item in items_of_output([said, said], cut=True)] == ["completed", "incomplete"]
    assert [item["status"] for item in items_of_output([said, CALL], cut=True)] == ["completed", "completed"]
    assert [item["status"] for item in items_of_output([said, {**CALL, "arguments": ""}], cut=False)] == [
        "completed"
    ] * 2
    assert items_of_output([], cut=True) == []
