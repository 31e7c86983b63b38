"""The record of the index's trees keeps few levels."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from hayate.store.search_tables import MAKE, SETTINGS
from hayate.store.search_trees import LATER_FORM, MAX_LEVELS, RECORD, flatten, without_empty_levels
from tests.support.tables import table

COOKIE = b"\x00\x00\x00\x04"
MERGE = "INSERT INTO items_fts (items_fts, rank) VALUES ('merge', ?)"


def record(levels: list[list[tuple[int, int, int]]], merging: int = 0, trees: int | None = None) -> bytes:
    """One as FTS5 writes it, of numbers below 128 but the last, which takes two bytes."""
    count = sum(map(len, levels)) if trees is None else trees
    made = bytes([len(levels), count, 0x81, 0x00])
    for level in levels:
        made += bytes([merging if level else 0, len(level)])
        for tree in level:
            made += bytes([*tree[:2], 0x83, tree[2]])
    return COOKIE + made


def test_levels_without_a_tree_go() -> None:
    many = [[(1, 1, 5)], [], [], [(2, 1, 6), (3, 1, 7)], *([[]] * MAX_LEVELS), [(4, 1, 8)]]
    assert without_empty_levels(record(many)) == record([level for level in many if level])


def test_they_may_all_go() -> None:
    assert without_empty_levels(record([[]] * 100)) == record([])


@table(
    "left",
    [
        record([[(1, 1, 5)]] * MAX_LEVELS),
        record([[]] * 100 + [[(1, 1, 5)]], merging=1),
        record([[]] * 100 + [[(1, 1, 5)]], trees=2),
        record([[]] * 100 + [[(1, 1, 5)]])[:-2],
        record([[]] * 100) + b"\x00\x00",
        COOKIE + LATER_FORM + record([[]] * 100)[4:],
    ],
)
def test_what_has_few_or_is_not_as_it_is_known_stays(left: bytes) -> None:
    assert without_empty_levels(left) is None


def test_an_index_stays_whole_without_them() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in (MAKE, *SETTINGS):
            connection.execute(statement)
        for number in range(1, 3 * MAX_LEVELS):
            connection.execute("INSERT INTO items_fts (rowid, grams) VALUES (?, ?)", (number, f"all w{number}"))
            for pages in (-16, 16, 16):
                connection.execute(MERGE, (pages,))
            connection.execute("BEGIN")
            connection.execute(MERGE, (16,))
            flatten(connection)
            connection.execute("COMMIT")
            assert connection.execute(RECORD).fetchone()[0][4] <= MAX_LEVELS + 3
        matching = "SELECT count(*) FROM items_fts WHERE items_fts MATCH ?"
        assert connection.execute(matching, ("all",)).fetchone() == (3 * MAX_LEVELS - 1,)
        connection.execute("INSERT INTO items_fts (items_fts) VALUES ('integrity-check')")
