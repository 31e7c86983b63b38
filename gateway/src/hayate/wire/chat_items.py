"""Chat messages and items, both ways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hayate.wire.items import Item, message


def items_of_messages(messages: list[dict[str, Any]]) -> list[Item]:
    """The messages of a chat request that has been checked, as items."""
    return [message(each["role"], each["content"]) for each in messages]


def messages_of(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Items as the messages of a chat request."""
    return [
        {"role": item["role"], "content": item["content"][0]["text"]} for item in items if item["type"] == "message"
    ]


def items_of_answer(answer: dict[str, Any], *, cut: bool) -> list[Item]:
    """An engine's message, whole as `Assembler` gives it. `cut`: it ended before its end."""
    item = message("assistant", answer.get("content") or "")
    if cut:
        item["status"] = "incomplete"
    return [item]
