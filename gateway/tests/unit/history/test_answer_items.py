"""What an engine said, as it is kept."""

from __future__ import annotations

from typing import Any

from hayate.history.answer_items import says_something, within
from hayate.wire.items import message
from tests.support.tables import table


def reasoning(text: str) -> dict[str, Any]:
    return {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": text}]}


@table(
    ("items", "says"),
    [
        ([], False),
        ([message("assistant", "")], False),
        ([message("assistant", "a")], True),
        ([reasoning("")], False),
        ([reasoning("hm"), message("assistant", "")], True),
        ([{"type": "function_call", "name": "f", "arguments": "", "call_id": "c"}], True),
    ],
)
def test_whether_there_is_anything(items: list[Any], says: bool) -> None:
    assert says_something(items) is says


def test_no_more_of_a_text_is_kept_than_one_item_may_have() -> None:
    short, long = message("assistant", "短い"), message("assistant", "日" * 100)
    assert within([short], 10) == [short]
    kept, same = within([long, short], 100)
    assert same is short
    assert kept["status"] == "incomplete"
    assert kept["content"][0]["text"] == "日" * 33
    assert long["content"][0]["text"] == "日" * 100, "what the caller was told stays whole"


def test_texts_of_one_item_count_together() -> None:
    call = {"type": "function_call", "name": "f", "arguments": "x" * 20, "call_id": "c", "status": "completed"}
    thought = reasoning("y" * 8)
    thought["content"].append({"type": "reasoning_text", "text": "z" * 8})
    kept_call, kept = within([call, thought], 12)
    assert (kept_call["arguments"], kept_call["status"]) == ("x" * 12, "incomplete")
    assert [part["text"] for part in kept["content"]] == ["y" * 8, "z" * 4]
