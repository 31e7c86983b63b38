"""On which levels the index has its trees: FTS5's own record of them, in the one respect in which FTS5 does not look after it.

Whenever all trees are to become one, it adds levels and takes none away, and at 2,000 it calls its own index damaged (seen with
SQLite 3.40; later ones stop at 64). A level without a tree means nothing: here they go.
"""

from __future__ import annotations

import sqlite3
from itertools import chain, islice
from typing import Final

MAX_LEVELS: Final = 64
"""If there are more, those without a tree go."""
LATER_FORM: Final = b"\xff\x00\x00\x01"
"""Begins the records, after four bytes, of tables that delete by themselves: this one does not."""
RECORD: Final = "SELECT block FROM items_fts_data WHERE id = 10"
WRITE: Final = "UPDATE items_fts_data SET block = ? WHERE id = 10"


def flatten(connection: sqlite3.Connection) -> None:
    """In a transaction that has asked the index for nothing but a merge, whereupon FTS5 reads its record anew."""
    (record,) = connection.execute(RECORD).fetchone()
    fewer = without_empty_levels(record)
    if fewer is not None:
        connection.execute(WRITE, (fewer,))


def without_empty_levels(record: bytes) -> bytes | None:
    """The record with fewer levels; None when it has not many, or a merge is under way, or it is not as it is known here."""
    if record[4:8] == LATER_FORM:
        return None
    levels, trees, written, *rest = _numbers(record[4:])
    if levels <= MAX_LEVELS:
        return None
    left, kept = iter(rest), []
    for merging, count in zip(left, left, strict=False):
        level = [merging, count, *islice(left, 3 * count)]
        if merging or len(level) != 2 + 3 * count:
            return None
        levels -= 1
        trees -= count
        if count:
            kept.append(level)
    if levels or trees:
        return None
    head = (len(kept), sum(count for _, count, *_ in kept), written)
    return record[:4] + b"".join(map(_varint, chain(head, *kept)))


def _numbers(raw: bytes) -> list[int]:
    """SQLite's varints: seven bits in a byte, the highest first. Numbers of more than eight bytes are none of this record's."""
    numbers, value = [], 0
    for byte in raw:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(value)
            value = 0
    return numbers


def _varint(number: int) -> bytes:
    low = bytes([number & 0x7F])
    while number := number >> 7:
        low = bytes([number & 0x7F | 0x80]) + low
    return low
