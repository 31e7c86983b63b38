"""What the schema allows of items is let through, and what is refused it does not allow."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.item_checks import MOST_ITEMS, check_items
from hayate.wire.item_schemas import ITEMS
from hayate.wire.item_shapes import MADE
from tests.support.tables import table

SCHEMA = jsonschema_rs.Draft202012Validator(dict(ITEMS))
WORDS: st.SearchStrategy[Any] = st.sampled_from(["x", "", None, 1, [], {}])
PART = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["input_text", "output_text", "text", "refusal", "reasoning_text", "x", 1]),
        "text": WORDS,
        "refusal": WORDS,
    },
)
CONTENT = WORDS | st.lists(PART, max_size=2)
ITEM = st.fixed_dictionaries(
    {"type": st.sampled_from([*MADE, "item_reference", "x", 1])},
    optional={
        "role": st.sampled_from(["user", "assistant", "system", "developer", "tool", 1]),
        "status": st.sampled_from(["completed", "incomplete", "in_progress", "x", None]),
        "content": CONTENT,
        "summary": CONTENT,
        "output": CONTENT,
        **dict.fromkeys(("call_id", "name", "namespace", "arguments", "input"), WORDS),
    },
)


def is_taken(items: Any) -> bool:
    try:
        check_items(items, "items", max_item_bytes=1000)
    except InvalidRequest:
        return False
    return True


@given(ITEM)
def test_what_the_schema_allows_is_let_through(item: dict[str, Any]) -> None:
    if SCHEMA.is_valid([item]):
        assert is_taken([item])


@table(
    "item",
    [
        {"type": "message", "role": "user", "content": "hi"},
        {"type": "message", "role": "assistant", "status": "in_progress", "content": [{"type": "text", "text": ""}]},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA=="}],
        },
        {"type": "function_call", "call_id": "a", "name": "b", "arguments": ""},
        {"type": "custom_tool_call", "call_id": "a", "name": "b", "input": "c"},
        {"type": "function_call_output", "call_id": "a", "output": "c"},
        {"type": "custom_tool_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "c"}]},
        {"type": "reasoning"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "c"}], "content": [], "id": "rs_1"},
    ],
)
def test_every_kind_is_allowed_and_let_through(item: dict[str, Any]) -> None:
    assert SCHEMA.is_valid([item])
    assert is_taken([item])


@table(
    "items",
    [
        {},
        "x",
        None,
        [1],
        [{}],
        [{"type": "message", "role": "user"}],
        [{"type": "message", "content": "x"}],
        [{"type": "message", "role": "tool", "content": "x"}],
        [{"type": "function_call", "call_id": "", "name": "b", "arguments": ""}],
        [{"type": "item_reference", "id": "msg_1"}],
        [{"type": "message", "role": "user", "content": "x"}] * (MOST_ITEMS + 1),
    ],
)
def test_what_is_refused_is_not_allowed(items: Any) -> None:
    assert not SCHEMA.is_valid(items)
    assert not is_taken(items)
