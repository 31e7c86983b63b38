"""What a gateway of any version told, in JSON: each value as what it should be, None where it is not that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST = 1e12
"""A larger number is none that we tell."""


def text_in(value: object) -> str | None:
    """A text that says something."""
    return value if isinstance(value, str) and value else None


def texts_in(value: object) -> list[str]:
    """The texts of a list; what else is in it is passed over."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def number_in(value: object) -> float | None:
    """A number, whole or not."""
    return float(value) if isinstance(value, int | float) and type(value) is not bool and abs(value) < MOST else None


def count_in(value: object) -> int | None:
    """A whole number."""
    return value if type(value) is int and abs(value) < MOST else None


def objects_in(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; what else is in it is passed over."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
