"""What a conversation holds: OpenAI's items, one JSON object each, whatever dialect said them. Their shapes are in
`item_shapes`, and what callers may send of them in `item_checks`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hayate.wire.item_checks import check_items
from hayate.wire.item_shapes import Item, message

__all__ = ["Item", "answers_tools", "begins_turn", "check_items", "is_head", "message", "new_ids", "text_of"]

_PREFIXES: Final = {"message": "msg_", "function_call": "fc_", "function_call_output": "fco_", "reasoning": "rs_"}
_ID_DIGITS: Final = 32
_HEAD_ROLES: Final = frozenset({"system", "developer"})
_ANSWERS: Final = frozenset(
    {
        "apply_patch_call_output",
        "computer_call_output",
        "custom_tool_call_output",
        "function_call_output",
        "local_shell_call_output",
        "mcp_approval_response",
        "shell_call_output",
        "tool_search_output",
    }
)
_WORDS: Final = ("name", "server_label", "arguments", "input", "code", "query", "queries", "revised_prompt", "reason")
"""Fields of calls that hold words, in the order in which they are read."""


def new_ids(items: Sequence[Item]) -> list[str]:
    """Names for items that have none: 128 random bits behind what tells the kind of each."""
    digits = secrets.token_hex(_ID_DIGITS // 2 * len(items))
    return [
        _PREFIXES.get(item["type"], "item_") + digits[_ID_DIGITS * n : _ID_DIGITS * (n + 1)]
        for n, item in enumerate(items)
    ]


def is_head(item: Item) -> bool:
    """Whether it may stand before all turns: a message of the system's or the developer's."""
    return bool(item["type"] == "message" and item["role"] in _HEAD_ROLES)


def answers_tools(item: Item) -> bool:
    """Whether it is what a tool of the caller's returned, which goes on with the turn that called it."""
    return item["type"] in _ANSWERS


def begins_turn(item: Item, before: Item | None) -> bool:
    """Whether a turn begins with `item`, which was added after `before` without a call. `before` is None for the first
    after the head.
    """
    return before is None or (_is_callers(item) and not _is_callers(before))


def _is_callers(item: Item) -> bool:
    return bool(item["type"] == "message" and item["role"] != "assistant")


def text_of(item: Item) -> str:
    """All words in it, in their order, a line for each part; nothing of pictures and other files but their names."""
    return "\n".join(filter(None, _texts(item)))


def _texts(item: Item) -> Iterator[str]:
    for name in _WORDS:
        if name in item:
            yield from _strings(item[name])
    if type(action := item.get("action")) is dict:  # of a search, a shell, a computer
        for name in ("query", "queries", "pattern", "url", "command", "commands", "text"):
            yield from _strings(action.get(name))
    for name in ("summary", "content", "output"):
        value = item.get(name)
        if type(value) is str:
            yield value
        elif type(value) is list:
            for part in value:
                if type(part) is dict:
                    yield from _texts_of_part(part)


def _texts_of_part(part: dict[str, Any]) -> Iterator[str]:
    for name in ("text", "refusal", "transcript", "filename", "stdout", "stderr"):
        if type(value := part.get(name)) is str:
            yield value


def _strings(value: Any) -> Iterator[str]:
    if type(value) is str:
        yield value
    elif type(value) is list:
        yield from (each for each in value if type(each) is str)
