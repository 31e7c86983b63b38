"""What goes into a response and comes out of it, and items."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hayate.wire.items import Item, message


def items_of_input(
    said: str | list[Any], *, field: str = "input", resolve: Callable[[str], Item | None] | None = None
) -> list[Item]:
    """A request's `input` as items. `resolve` finds what an `item_reference` names. Raises InvalidRequest."""
    if isinstance(said, str):
        return [message("user", said)]
    return [message(each["role"], each["content"]) for each in said]


def input_of(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Items as the `input` of an engine that keeps nothing."""
    return [{"type": "message", "role": item["role"], "content": item["content"]} for item in items]


def items_of_output(output: list[Any], *, cut: bool) -> list[Item]:
    """An engine's `output` as items, with its ids. `cut`: it ended before its end."""
    return list(output)
