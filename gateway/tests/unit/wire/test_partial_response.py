"""A response whose end has not come is what its events have said."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.wire.faults import UNREADABLE
from hayate.wire.partial_response import PartialResponse
from tests.support.tables import table

BEGUN = {"id": "resp_1", "object": "response", "status": "in_progress", "model": "m", "output": []}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}


def kind(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{name}", **fields}


def answer_of(*events: dict[str, Any]) -> dict[str, Any]:
    response = PartialResponse()
    for each in events:
        response.add(each)
    return response.answer()


def test_its_last_event_has_all_of_it() -> None:
    whole = {**BEGUN, "status": "completed", "output": [MESSAGE]}
    events = [kind("created", response=BEGUN), kind("output_text.delta", item_id="msg_1", delta="Hi")]
    assert answer_of(*events, kind("completed", response=whole)) == whole


def test_cut_in_a_text() -> None:
    events = [
        kind("created", response=BEGUN),
        kind("output_item.added", item=MESSAGE, output_index=0),
        kind("content_part.added", item_id="msg_1", part={"type": "output_text", "text": ""}),
        kind("output_text.delta", item_id="msg_1", content_index=0, delta="He"),
        kind("output_text.delta", item_id="msg_1", content_index=0, delta="llo"),
        kind("refusal.delta", item_id="msg_1", content_index=1, delta="No"),
    ]
    content = [{"type": "output_text", "text": "Hello"}, {"type": "refusal", "refusal": "No"}]
    item = {**MESSAGE, "status": "incomplete", "content": content}
    assert answer_of(*events) == {**BEGUN, "status": "incomplete", "output": [item]}


def test_cut_in_a_call_behind_what_was_thought() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    call = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "c",
        "name": "f",
        "arguments": "",
        "status": "in_progress",
    }
    output = answer_of(
        kind("in_progress", response=BEGUN),
        kind("output_item.added", item={**thought, "content": []}, output_index=0),
        kind("reasoning_text.delta", item_id="rs_1", delta="h"),
        kind("output_item.done", item={**thought, "status": "completed"}, output_index=0),
        kind("output_item.added", item=call, output_index=1),
        kind("function_call_arguments.delta", item_id="fc_1", delta='{"a'),
        kind("function_call_arguments.delta", item_id="fc_1", delta='":1'),
    )["output"]
    assert output == [{**thought, "status": "completed"}, {**call, "status": "incomplete", "arguments": '{"a":1'}]


def test_an_item_that_was_never_begun() -> None:
    (item,) = answer_of(kind("created", response=BEGUN), kind("output_text.delta", output_index=0, delta="Hi"))[
        "output"
    ]
    assert (item["type"], item["role"], item["status"]) == ("message", "assistant", "incomplete")
    assert item["content"] == [{"type": "output_text", "text": "Hi"}]
    (thought,) = answer_of(kind("reasoning_summary_text.delta", item_id="r", summary_index=0, delta="s"))["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "s"}]


@table(
    "event",
    [kind("completed"), kind("output_item.added", item=7), kind("output_text.delta", item_id="m"), {"type": "error"},
     kind("output_text.delta", item_id="m", delta=7), kind("output_text.delta", content_index="x", delta="a"),
     kind("unheard_of"), {}],
)  # fmt: skip
def test_what_is_no_such_event_says_nothing(event: dict[str, Any]) -> None:
    response = PartialResponse()
    try:
        response.add(event)
    except UNREADABLE:
        pass
    response.add(kind("created", response=BEGUN))
    assert not any(each.get("content") for each in response.answer()["output"])


def test_no_response_at_all() -> None:
    with pytest.raises(ValueError, match="without"):
        PartialResponse().answer()
