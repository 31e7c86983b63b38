"""Anthropic's messages become items and messages again."""

from __future__ import annotations

from hayate.wire.message_items import anthropic_of, items_of_anthropic


def test_texts_come_back() -> None:
    messages = [{"role": "user", "content": "Hello"}]

    head, items = items_of_anthropic({"system": "Be brief.", "messages": messages})

    assert anthropic_of([*head, *items]) == ("Be brief.", messages)
