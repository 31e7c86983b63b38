"""Anthropic's messages (/v1/messages) and items, both ways.

What is said comes back as it was, but for this: messages of one role that follow one another are one, what tools
returned first; a list that holds one text alone is that text; what was thought is not said again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from hayate.wire.engine_json import Unreadable, read, write
from hayate.wire.exchanges import ANSWERS, sendable
from hayate.wire.item_shapes import (
    CALLS,
    MESSAGES,
    Item,
    Part,
    add_extra,
    extra_of,
    mended,
    message_of,
    reasoning_of,
    rest_of,
)
from hayate.wire.message_blocks import block_of, part_of
from hayate.wire.refusals import missing, no_message, wrong, wrong_value
from hayate.wire.tool_names import flat_name

_ROLES: Final = ("user", "assistant", "system")
_REDACTED: Final = "redacted_thinking"


def items_of_anthropic(fields: dict[str, Any]) -> tuple[list[Item], list[Item]]:
    """A request's `system` and `messages`, as items. Raises InvalidRequest, which names what is wrong and where."""
    head: list[Item] = []
    if system := fields.get("system"):
        head.append(message_of("system", [part_of(block, "system") for block in _blocks(system, "system")]))
    messages = fields.get("messages")
    if not isinstance(messages, list):
        raise missing("messages") if messages is None else wrong("messages", "a list", "リスト")
    items: list[Item] = []
    for n, each in enumerate(messages):
        where = f"messages.{n}"
        if not isinstance(each, dict):
            raise no_message(where)
        for name in ("role", "content"):
            if each.get(name) is None:
                raise missing(f"{where}.{name}")
        if each["role"] not in _ROLES:
            raise wrong_value(f"{where}.role", "'user' or 'assistant'", "'user' か 'assistant'", each["role"])
        items += _items_of(each["role"], _blocks(each["content"], f"{where}.content"), f"{where}.content")
    return head, items


def anthropic_of(items: Iterable[Item]) -> tuple[str | list[dict[str, Any]] | None, list[dict[str, Any]]]:
    """Items as a request's `system`, None for none, and `messages`, whose roles alternate.

    A system's message that stands after a turn goes into what the user says: elsewhere it would change what was before.
    """
    system: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    for item in sendable(items):
        kind = item["type"]
        role = "user"
        if kind == "message":
            blocks = _said(item["content"])
            if item["role"] in ("system", "developer") and not messages:
                system += blocks
                continue
            role = "assistant" if item["role"] == "assistant" else "user"
        elif kind in CALLS:
            role, blocks = "assistant", [_use(item)]
        elif kind in ANSWERS:
            blocks = [_result(item)]
        else:
            continue
        if not blocks:
            continue
        if not messages or messages[-1]["role"] != role:
            messages.append({"role": role, "content": []})
        messages[-1]["content"] += blocks
    for each in messages:
        each["content"] = _content(each["content"])
    return (_content(system) if system else None), messages


def items_of_anthropic_answer(answer: dict[str, Any], *, cut: bool) -> list[Item]:
    """An engine's message, whole as `MessageAssembler` gives it; `cut` if it ended before its end: what was cut says so.

    Nothing for a cut answer that had not begun. Raises one of `faults.UNREADABLE` for what is no message.
    """
    blocks = [block for block in answer.get("content") or () if _is_sound(block)]
    if cut and not blocks:
        return []
    items = _items_of("assistant", blocks, "content")
    if cut and items[-1].get("arguments", "{}") == "{}":  # a cut input is none
        items[-1]["status"] = "incomplete"
    return [mended(item) for item in items]


def _is_sound(block: Any) -> bool:
    """Whether a block of an engine's has what its kind needs."""
    if type(block) is not dict or type(block.get("type")) is not str:
        return False
    return all(type(block.get(name)) is str for name in _NEEDED.get(block["type"], ()))


_NEEDED: Final = {"text": ("text",), "thinking": ("thinking",), _REDACTED: ("data",), "tool_use": ("id", "name")}
"""Texts that must be there."""


def _blocks(content: Any, where: str) -> list[dict[str, Any]]:
    """A content as its blocks, each with what its kind needs. Raises InvalidRequest."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise wrong(where, "a string or a list of blocks", "文字列またはブロックのリスト")
    for n, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise wrong(f"{where}.{n}", "an object with 'type'", "'type' を持つオブジェクト")
        for name in _NEEDED.get(block["type"], ()):
            if not isinstance(block.get(name), str):
                raise wrong(f"{where}.{n}.{name}", "a string", "文字列")
    return content


def _items_of(role: str, blocks: list[dict[str, Any]], where: str) -> list[Item]:
    """A message's blocks as items: those that stand together are one message."""
    if not blocks:
        return [message_of(role, [])]
    items: list[Item] = []
    parts: list[Part] | None = None
    for n, block in enumerate(blocks):
        item = _item_of(block, f"{where}.{n}")
        if item is not None:
            items.append(item)
            parts = None
            continue
        if parts is None:
            parts = []
            items.append(message_of(role, parts))
        parts.append(part_of(block, role))
    return items


def _item_of(block: dict[str, Any], where: str) -> Item | None:
    """A block that is an item of its own; None for what is part of a message."""
    kind = block["type"]
    if kind == "tool_use":
        item: Item = {"type": "function_call", "status": "completed", "call_id": block["id"], "name": block["name"]}
        item["arguments"] = write(block.get("input") or {}).decode()
        add_extra(item, MESSAGES, rest_of(block, "type", "id", "name", "input"))
    elif kind == "tool_result":
        if not isinstance(block.get("tool_use_id"), str):
            raise wrong(f"{where}.tool_use_id", "a string", "文字列")
        item = {"type": "function_call_output", "status": "completed", "call_id": block["tool_use_id"]}
        said = block.get("content") or ""
        item["output"] = said
        if not isinstance(said, str):
            item["output"] = [part_of(each, "tool") for each in _blocks(said, f"{where}.content")]
        add_extra(item, MESSAGES, rest_of(block, "type", "tool_use_id", "content"))
    elif kind == "thinking":
        item = reasoning_of(block["thinking"])
        if isinstance(signature := block.get("signature"), str) and signature:
            item["encrypted_content"] = signature
    elif kind == _REDACTED:
        item = {"type": "reasoning", "summary": [], "encrypted_content": block["data"]}
    else:
        return None
    return item


def _use(item: Item) -> dict[str, Any]:
    """A call, as a block."""
    text = item[CALLS[item["type"]]]
    said: Any = {"input": text}
    if item["type"] == "function_call":
        try:
            said = read((text or "{}").encode())
        except Unreadable:
            said = None
        if not isinstance(said, dict):
            said = {"arguments": text}
    left = extra_of(item, MESSAGES)
    name = flat_name(item["name"], item.get("namespace"))
    return {**left, "type": "tool_use", "id": item["call_id"], "name": name, "input": said}


def _result(item: Item) -> dict[str, Any]:
    """What a tool returned, as a block."""
    output = item["output"]
    content = output if type(output) is str else _content(_said(output))
    return {**extra_of(item, MESSAGES), "type": "tool_result", "tool_use_id": item["call_id"], "content": content}


def _said(parts: list[Part]) -> list[dict[str, Any]]:
    return [block for part in parts if (block := block_of(part)) is not None]


def _content(blocks: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Blocks as a content: a text alone needs no list."""
    if not blocks:
        return ""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        text: str = blocks[0]["text"]
        return text
    return blocks
