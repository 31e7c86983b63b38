"""Anthropic's messages and items, both ways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hayate.wire.items import Item, is_head, message


def items_of_anthropic(fields: dict[str, Any]) -> tuple[list[Item], list[Item]]:
    """A request's `system` and `messages`, as items."""
    system = fields.get("system")
    head = [message("system", system)] if system else []
    return head, [message(each["role"], each["content"]) for each in fields["messages"]]


def anthropic_of(items: Iterable[Item]) -> tuple[str | list[dict[str, Any]] | None, list[dict[str, Any]]]:
    """Items as a request's `system`, None for none, and `messages`, whose roles alternate."""
    system = None
    messages = []
    for item in items:
        if is_head(item):
            system = item["content"][0]["text"]
        else:
            messages.append({"role": item["role"], "content": item["content"][0]["text"]})
    return system, messages


def items_of_anthropic_answer(answer: dict[str, Any], *, cut: bool) -> list[Item]:
    """An engine's message, whole as `MessageAssembler` gives it. `cut`: it ended before its end."""
    item = message("assistant", "".join(block.get("text", "") for block in answer.get("content") or ()))
    if cut:
        item["status"] = "incomplete"
    return [item]
