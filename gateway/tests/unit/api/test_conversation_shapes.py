"""The shapes are OpenAI's, with fields more; notes are short enough to go along and to be listed."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.conversations import Conversation as OpenAIs

from hayate.api.conversation_shapes import MAX_NOTES_BYTES, answer_of, check_notes
from hayate.errors import InvalidRequest
from hayate.store.conversations import Conversation
from tests.support.tables import table

FOUND = Conversation(
    7, "conv_1", "game", True, 1_999, 2_001, {"title": "t"}, "n", 3, 9, 400, 2, 4096, 1000, 12
)  # fmt: skip


def test_a_conversation_is_told_in_seconds_and_without_whose_it_is() -> None:
    told = answer_of(FOUND).model_dump()
    OpenAIs.model_validate(told, strict=True)
    assert told == {
        "id": "conv_1",
        "object": "conversation",
        "created_at": 1,
        "metadata": {"title": "t"},
        "notes": "n",
        "used_at": 2,
        "turns": 3,
        "bytes": 400,
    }


@pytest.mark.parametrize(
    ("value", "found"),
    [(None, None), ("", None), ("x", "x"), ("あ" * (MAX_NOTES_BYTES // 3), "あ" * (MAX_NOTES_BYTES // 3))],
)
def test_notes_are_kept_as_they_are_and_empty_ones_are_none(value: Any, found: str | None) -> None:
    assert check_notes(value) == found


@table("value", [1, ["x"], {}, False, "x" * (MAX_NOTES_BYTES + 1), "あ" * (MAX_NOTES_BYTES // 3 + 1)])
def test_others_are_named(value: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_notes(value)
    assert refused.value.param == "notes"
    assert "notes" in refused.value.japanese
