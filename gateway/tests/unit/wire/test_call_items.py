"""Calls of tools in a response, from their first event to their last."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.wire.call_items import CallItem
from hayate.wire.output_items import Events
from hayate.wire.tool_names import Called, ToolNames
from tests.unit.wire.test_output_items import read

PATCH = Called("apply_patch", custom=True)
SPAWN = Called("spawn", "agents")


def item(*, quiet: bool = False) -> CallItem:
    names = ToolNames()
    names.add(PATCH)
    names.add(SPAWN)
    return CallItem(Events(quiet=quiet), "fc_1", 2, call_id="call_1", names=names)


def told(call: CallItem, *pieces: tuple[str, str], status: str = "completed") -> list[dict[str, Any]]:
    return read(b"".join(call.add(*piece) for piece in pieces) + call.close(status))


def test_a_function_has_its_arguments() -> None:
    call = item()
    events = told(call, ("f", ""), ("", '{"a":'), ("", "1}"))
    assert [each["type"].removeprefix("response.") for each in events] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert (events[-2]["arguments"], events[-2]["name"]) == ('{"a":1}', "f")
    assert events[-1] == {
        "type": "response.output_item.done",
        "sequence_number": 4,
        "output_index": 2,
        "item": {
            "id": "fc_1",
            "type": "function_call",
            "call_id": "call_1",
            "name": "f",
            "arguments": '{"a":1}',
            "status": "completed",
        },
    }


def test_one_of_a_namespace_says_both_names_from_the_first_event_on() -> None:
    events = told(item(), ("agents__spawn", "{}"))
    for event in (events[0], events[-1]):
        assert (event["item"]["name"], event["item"]["namespace"]) == ("spawn", "agents")
    assert events[-2]["name"] == "spawn"


def test_a_custom_tool_is_told_its_text_while_it_comes() -> None:
    call = item()
    events = told(call, ("apply_patch", '{"inp'), ("", 'ut": "*** Be'), ("", "gin\\n"), ("", '+あ"}'))
    assert [each["delta"] for each in events if "delta" in each] == ["*** Be", "gin\n", "+あ"]
    assert events[-2]["type"] == "response.custom_tool_call_input.done"
    assert events[-2]["input"] == events[-1]["item"]["input"] == "*** Begin\n+あ"
    assert events[0]["item"]["type"] == events[-1]["item"]["type"] == "custom_tool_call"
    assert "arguments" not in events[-1]["item"]
    assert call.is_whole


def test_a_text_that_is_no_argument_is_one_piece_at_the_end() -> None:
    events = told(item(), ("apply_patch", "*** Begin"), ("", " Patch"))
    assert [each["delta"] for each in events if "delta" in each] == ["*** Begin Patch"]


def test_a_cut_text_is_as_far_as_it_came() -> None:
    events = told(item(), ("apply_patch", '{"input": "abc\\'), status="incomplete")
    assert (events[-1]["item"]["input"], events[-1]["item"]["status"]) == ("abc", "incomplete")


@pytest.mark.parametrize(
    ("name", "kind", "said"), [("f", "function_call", '{"input":"x"}'), (PATCH.name, "custom_tool_call", "x")]
)
def test_a_name_that_comes_late_is_waited_for(name: str, kind: str, said: str) -> None:
    call = item()
    assert call.add("", '{"input":') == b""
    events = told(call, (name, '"x"}'))
    assert {events[0]["item"]["type"], events[-1]["item"]["type"]} == {kind}
    assert "".join(each["delta"] for each in events if "delta" in each) == said


def test_a_name_may_come_again_and_change_and_still_be_a_function() -> None:
    events = told(item(), ("f", ""), ("f", "{"), ("g", "}"), (PATCH.name, ""))
    assert (events[-1]["item"]["name"], events[-1]["item"]["type"]) == ("g", "function_call")


def test_a_call_that_never_has_a_name_is_told_of_at_its_end() -> None:
    events = told(item(), ("", "{}"))
    assert [each["type"].removeprefix("response.") for each in events] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert events[-1]["item"]["name"] == ""


@pytest.mark.parametrize(("name", "field", "said"), [("f", "arguments", '{"input":"x"}'), (PATCH.name, "input", "x")])
def test_a_quiet_one_is_built_without_a_word(name: str, field: str, said: str) -> None:
    call = item(quiet=True)
    assert call.add(name, '{"input":"x"}') + call.close("completed") == b""
    assert call.whole()[field] == said
