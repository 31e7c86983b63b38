"""Rows in as few statements as can be: for each the driver lets go of the interpreter, and whoever else wants it makes it wait.

A statement has a power of two of rows, so that those of any number are few, and each is prepared once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

MOST: Final = 32
"""Rows in one statement: those of a call have 640 values, and any SQLite takes 999."""
COUNTS: Final = tuple(2**n for n in range(MOST.bit_length() - 1, -1, -1))
"""How many rows a statement may have, the most first."""


def pieces(count: int) -> Iterator[tuple[int, int]]:
    """Where the rows of each statement begin, and how many it has, for `count` rows."""
    first = 0
    while first < count:
        many = min(MOST, 1 << ((count - first).bit_length() - 1))
        yield first, many
        first += many


def statements(before: str, values: str, behind: str = "") -> dict[int, str]:
    """One for each of COUNTS: `values` so often, between the two."""
    return {count: f"{before} VALUES {', '.join([values] * count)}{behind}" for count in COUNTS}
