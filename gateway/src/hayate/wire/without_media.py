"""What a message says in words: its pictures, recordings and files are left out, and counted."""

from __future__ import annotations

from typing import Any, Final

TEXTS: Final = (
    "text",
    "input_text",
    "output_text",
    "refusal",
    "tool_use",
    "thinking",
    "reasoning_text",
    "summary_text",
)
"""The types of parts that are words, in any dialect. A caller may have written anything for a type, a list say."""
_PARTS: Final = ("content", "output")
"""Where a message, an item or a tool's result has its parts."""


def media_in(content: Any) -> int:
    """How many of a content's parts are no words; those of a tool's result count too."""
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return sum(
        media_in(part.get("content")) if part.get("type") == "tool_result" else part.get("type") not in TEXTS
        for part in parts
    )


def without_media(message: Any) -> tuple[Any, int]:
    """A message or an item with its words alone, and how many other parts it has. What has none is the same object."""
    media = 0
    if isinstance(message, dict):
        for name in _PARTS:
            found = media_in(message.get(name))
            if found:
                media += found
                message = {**message, name: _words(message[name])}
    return message, media


def _words(parts: list[Any]) -> list[Any] | str:
    """Empty contents are none to some engines, but an empty text is one."""
    words = [without_media(part)[0] for part in parts if not isinstance(part, dict) or part.get("type") in _WITH_WORDS]
    return words or ""


_WITH_WORDS: Final = (*TEXTS, "tool_result")
