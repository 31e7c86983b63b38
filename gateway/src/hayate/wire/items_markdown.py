"""Items as a person reads them: a title, a document."""

from __future__ import annotations

from collections.abc import Iterable

from hayate.language import Language
from hayate.wire.items import Item, text_of

MAX_TITLE_CHARS = 60


def title_of(items: Iterable[Item]) -> str:
    """The first words that a user said, at most `MAX_TITLE_CHARS` of them; empty when none did."""
    for item in items:
        if item.get("type") == "message" and item.get("role") == "user" and (said := text_of(item).strip()):
            return said[:MAX_TITLE_CHARS]
    return ""


def markdown_of(items: Iterable[Item], language: Language = "en") -> str:
    """The conversation as a document, a heading for each who speaks."""
    return "\n\n".join(f"## {item.get('role', '')}\n\n{text_of(item)}" for item in items) + "\n"
