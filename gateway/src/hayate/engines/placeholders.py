"""What stands in braces in a command and in its variables: `{port}` and `{model}`, filled in when the engine is started; `{{` and
`}}` are braces.

What comes from the environment is no template: whoever fills `${NAME}` in doubles its braces (`literal`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

PORT: Final = "port"
MODEL: Final = "model"
PLACEHOLDERS: Final = (PORT, MODEL)
_BRACES: Final = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w{0,31})\}|[{}]")


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with every placeholder's value. Raises KeyError for one without a value, ValueError for a lone brace."""

    def value(found: re.Match[str]) -> str:
        if found[1] is not None:
            return values[found[1]]
        if len(found[0]) == 1:
            raise ValueError(found[0])
        return found[0][0]

    return _BRACES.sub(value, text)


def names_in(text: str) -> tuple[str, ...]:
    """The placeholders in the text, known or not; `{` or `}` for a brace that stands alone."""
    found = (each[1] or (each[0] if len(each[0]) == 1 else None) for each in _BRACES.finditer(text))
    return tuple(each for each in found if each is not None)


def literal(text: str) -> str:
    """What is filled in as this very text."""
    return text.replace("{", "{{").replace("}", "}}")
