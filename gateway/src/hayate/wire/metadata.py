"""What a caller attaches to a conversation: pairs of short texts, within OpenAI's limits."""

from __future__ import annotations

from typing import Any, Final

from hayate.errors import InvalidRequest
from hayate.wire.refusals import shown, wrong, wrong_value

MAX_PAIRS: Final = 16
MAX_KEY_CHARS: Final = 64
MAX_VALUE_CHARS: Final = 512
TITLE: Final = "title"
"""The key of what a conversation is called."""


def check_metadata(value: Any, field: str = "metadata") -> dict[str, str]:
    """The pairs; none for null. Raises InvalidRequest naming the field, or the pair, and what is allowed."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong_value(field, "an object of texts", "文字列を値とするオブジェクト", value)
    if len(value) > MAX_PAIRS:
        raise InvalidRequest(
            f"'{field}' may have at most {MAX_PAIRS} pairs, not {len(value)}.",
            f"'{field}' に指定できるのは{MAX_PAIRS}組までです（指定数: {len(value)}）。",
            param=field,
        )
    for key, text in value.items():
        if len(key) > MAX_KEY_CHARS:
            raise InvalidRequest(
                f"A key of '{field}' may have at most {MAX_KEY_CHARS} characters; {shown(key)} has {len(key)}.",
                f"'{field}' のキーは{MAX_KEY_CHARS}文字までです（{shown(key)} は{len(key)}文字）。",
                param=field,
            )
        if not isinstance(text, str):
            raise wrong_value(f"{field}.{key}", "text", "文字列", text)
        if len(text) > MAX_VALUE_CHARS:
            raise wrong(
                f"{field}.{key}",
                f"at most {MAX_VALUE_CHARS} characters long, not {len(text)}",
                f"{MAX_VALUE_CHARS}文字以内（指定: {len(text)}文字）",
            )
    return dict(value)
