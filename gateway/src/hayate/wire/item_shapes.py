"""What an item looks like, and what there are.

A message is `{"type": "message", "status": …, "role": …, "content": [parts]}`; beside it stand `function_call`,
`function_call_output`, `reasoning` and a few more. What a dialect said that has no place in an item, or in a part of
one, stands there under `EXTRA` by the dialect's name: it comes back in that dialect and nowhere else.
"""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

Item = dict[str, Any]
Part = dict[str, Any]

EXTRA: Final = "hayate"
"""The one key of ours, in an item or a part: dialect -> what is left."""
CHAT: Final = "chat"
MESSAGES: Final = "messages"
"""The dialects under `EXTRA`."""
OTHER: Final = "other"
"""A part of a kind that only its dialect knows; all of it is under `EXTRA`."""

ROLES: Final = ("user", "assistant", "system", "developer")
NO_ROLE: Final = "unknown"
"""The role of a message whose own, under `EXTRA`, is none of OpenAI's."""
CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}
"""What the model asks of a tool of the caller's, and the field that holds it."""
OUTPUTS: Final = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
"""What answers each."""
MADE: Final = (
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "reasoning",
)
"""The kinds that a caller may add, too."""
KEPT: Final = frozenset(
    {
        "additional_tools",
        "apply_patch_call",
        "apply_patch_call_output",
        "code_interpreter_call",
        "compaction",
        "computer_call",
        "computer_call_output",
        "configuration_update",
        "file_search_call",
        "image_generation_call",
        "local_shell_call",
        "local_shell_call_output",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "mcp_list_tools",
        "program",
        "program_output",
        "shell_call",
        "shell_call_output",
        "tool_search_call",
        "tool_search_output",
        "web_search_call",
    }
)
"""OpenAI's other kinds: kept where an engine's own /v1/responses said them, and said to none that has no such thing."""


def text_part(role: str, text: str) -> Part:
    """A text, as this role says it."""
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": []}
    return {"type": "input_text", "text": text}


def message(role: str, text: str) -> Item:
    """A message of one text."""
    return message_of(role, [text_part(role, text)])


def message_of(role: str, parts: list[Part]) -> Item:
    """A message of these parts."""
    return {"type": "message", "status": "completed", "role": role, "content": parts}


def reasoning_of(text: str) -> Item:
    """What the model thought, in its own words."""
    return {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": text}]}


def add_extra(holder: dict[str, Any], dialect: str, left: dict[str, Any]) -> None:
    """Keeps what has no place in an item or part; nothing when nothing is left."""
    if left:
        holder[EXTRA] = {dialect: left}


def extra_of(holder: dict[str, Any], dialect: str) -> dict[str, Any]:
    """What was left of an item or part in this dialect."""
    extra = holder.get(EXTRA)
    left = extra.get(dialect) if type(extra) is dict else None
    return left if type(left) is dict else {}


def sound(parts: Any) -> list[Part]:
    """The parts that an engine said, without those that lack what their kind needs, and without what is "not set"."""
    if not isinstance(parts, list):
        return []
    said = [
        {name: value for name, value in part.items() if value is not None and name != EXTRA}
        for part in parts
        if isinstance(part, dict)
    ]
    return [
        part
        for part in said
        if isinstance(kind := part.get("type"), str) and isinstance(part.get(_NEEDED.get(kind, "type")), str)
    ]


_NEEDED: Final = {
    **dict.fromkeys(("input_text", "output_text", "text", "summary_text", "reasoning_text"), "text"),
    "refusal": "refusal",
    "input_image": "image_url",
    "input_audio": "",
}
"""The text that a part of each kind must have; engines say no input audio."""


def rest_of(fields: dict[str, Any], *taken: str) -> dict[str, Any]:
    """The fields but `taken`."""
    return {name: value for name, value in fields.items() if name not in taken}


def is_whole(arguments: Any) -> bool:
    """Whether a call's arguments are JSON, or none."""
    if not isinstance(arguments, str):
        return False
    try:
        orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return False
    return True


def mended(item: Item) -> Item:
    """An item of an engine's that can be written: halves of characters, which some send one after the other, are joined,
    and what can't be is replaced.
    """
    try:
        orjson.dumps(item)
    except orjson.JSONEncodeError:
        text = json.dumps(item, ensure_ascii=False).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        mended: Item = json.loads(text)
        return mended
    return item
