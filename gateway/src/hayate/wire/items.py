"""What a conversation holds: OpenAI's items, one JSON object each, whatever dialect said them.

A message is `{"type": "message", "status": …, "role": …, "content": [parts]}`; beside it stand `function_call`,
`function_call_output` and `reasoning`. What a dialect said that has no place in an item stands under `EXTRA`, by the
dialect's name, so that it comes back there and nowhere else.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from hayate.errors import InvalidRequest

Item = dict[str, Any]

EXTRA: Final = "hayate"
"""The one key of ours, in an item or a part of one: dialect -> fields."""
CHAT: Final = "chat"
MESSAGES: Final = "messages"
"""The dialects under `EXTRA`."""

_PREFIXES: Final = {"message": "msg_", "function_call": "fc_", "function_call_output": "fco_", "reasoning": "rs_"}
_HEAD_ROLES: Final = frozenset({"system", "developer"})
_ANSWERS: Final = frozenset({"function_call_output", "custom_tool_call_output"})


def check_items(value: Any, field: str, *, most: int = 20, max_item_bytes: int) -> list[Item]:
    """The items that a caller wants kept, as they are kept. Raises InvalidRequest, which names what is wrong and where."""
    if not isinstance(value, list) or not value:
        raise InvalidRequest(
            f"'{field}' must be a list of items.", f"'{field}' はアイテムのリストにしてください。", param=field
        )
    return [message(each["role"], each["content"]) for each in value]


def new_id(item: Item) -> str:
    """A name for an item that has none."""
    return _PREFIXES.get(item.get("type", ""), "item_") + secrets.token_hex(16)


def message(role: str, text: str) -> Item:
    """A message of one text."""
    return {"type": "message", "status": "completed", "role": role, "content": [text_part(role, text)]}


def text_part(role: str, text: str) -> dict[str, Any]:
    """A text, as this role says it."""
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": []}
    return {"type": "input_text", "text": text}


def is_head(item: Item) -> bool:
    """Whether it may stand before all turns: a message of the system's or the developer's."""
    return item.get("type") == "message" and item.get("role") in _HEAD_ROLES


def answers_tools(item: Item) -> bool:
    """Whether it is what a tool returned, which goes on with the turn that called it."""
    return item.get("type") in _ANSWERS


def begins_turn(item: Item, before: Item | None) -> bool:
    """Whether a turn begins with `item`, which was added after `before` without a call. `before` is None for the first
    after the head.
    """
    if before is None:
        return True
    return _is_callers(item) and not _is_callers(before)


def _is_callers(item: Item) -> bool:
    return item.get("type") == "message" and item.get("role") != "assistant"


def text_of(item: Item) -> str:
    """All words in it, in their order."""
    return "\n".join(part["text"] for part in item.get("content") or () if isinstance(part.get("text"), str))
