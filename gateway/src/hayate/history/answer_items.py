"""What an engine said, as it is kept: whether it is anything at all, and no more of it than one item may have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from hayate.wire.items import Item

_TEXTS: Final = ("text", "refusal", "arguments", "input", "transcript", "encrypted_content")
_PARTS: Final = ("content", "summary")
_MOST_UTF8_BYTES: Final = 4


def says_something(items: Sequence[Item]) -> bool:
    """Whether there is a word in it, or a call."""
    return any(item["type"] not in ("message", "reasoning") or has_words(item) for item in items)


def has_words(item: Item, word: str = "") -> bool:
    """Whether any of its texts has a letter, and this in it. (`text_of` makes one text of all first.)"""
    for name in _PARTS:
        for part in item.get(name) or ():
            text = part.get("text") or part.get("refusal")
            if text and word in text:
                return True
    return False


def within(items: Sequence[Item], max_item_bytes: int) -> list[Item]:
    """The items, of none of which more text is kept than that: what was cut says that it is incomplete."""
    return [_within(item, max_item_bytes) for item in items]


def _within(item: Item, most: int) -> Item:
    texts = [text for part in _said_in(item) for name in _TEXTS if isinstance(text := part.get(name), str)]
    if _MOST_UTF8_BYTES * sum(map(len, texts)) <= most or sum(len(text.encode()) for text in texts) <= most:
        return item
    cut = {name: [*map(dict, value)] if name in _PARTS and value else value for name, value in item.items()}
    for part in _said_in(cut):
        for name in _TEXTS:
            if isinstance(text := part.get(name), str):
                raw = text.encode()[:most]
                part[name] = raw.decode(errors="ignore")
                most -= len(raw)
    return {**cut, "status": "incomplete"}


def _said_in(item: Item) -> Iterator[dict[str, Any]]:
    """The item itself, and its parts."""
    yield item
    for name in _PARTS:
        yield from item.get(name) or ()
