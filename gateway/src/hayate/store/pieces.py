"""Rows in as few statements as can be: for each the driver lets go of the interpreter, and whoever else wants it makes it wait.

A statement has a power of two of rows, so that those of any number are few, and each is prepared once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
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


def executed(
    connection: sqlite3.Connection, of_counts: Mapping[int, str], values: Sequence[object], width: int
) -> Iterator[tuple[int, sqlite3.Cursor]]:
    """Executes as few statements as can be for rows of `width` values each, of those that `statements` made: how many rows each
    had, and its cursor.
    """
    for first, count in pieces(len(values) // width):
        yield count, connection.execute(of_counts[count], values[first * width : (first + count) * width])


def numbers_of(count: int, inserted: sqlite3.Cursor) -> range:
    """The numbers of rows that one statement has inserted: one after the other."""
    last = inserted.lastrowid or 0
    return range(last - count + 1, last + 1)
