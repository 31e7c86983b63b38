"""What is left of rows where nothing is any more goes, and nothing else."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.store.gaps import BUSY_S, HEAD_BYTES, POINTERS_AT, cleared, opened, unallocated
from hayate.store.sqlite import beside, connect
from tests.support.waiting import LAST_RESORT_S

PAGE_BYTES = 4096
LEAVES_SOMETHING = (4, 18, 28, 45)
"""Seeds with which SQLite 3.40 leaves something of deleted rows."""


def page(kind: int, cells: int, content_at: int, at: int = 0) -> bytes:
    """A page's head and list of cells, and nothing but ones behind it."""
    head = bytes([kind, 0, 0]) + cells.to_bytes(2) + content_at.to_bytes(2) + b"\0"
    return (b"\xff" * at + head).ljust(PAGE_BYTES, b"\xff")


@pytest.mark.parametrize(("kind", "head_bytes"), POINTERS_AT.items())
@pytest.mark.parametrize("at", [0, HEAD_BYTES])
def test_between_the_list_of_cells_and_their_content_is_nothing(kind: int, head_bytes: int, at: int) -> None:
    assert unallocated(page(kind, 7, 3000, at), at, PAGE_BYTES) == slice(at + head_bytes + 14, 3000)
    assert unallocated(page(kind, 0, PAGE_BYTES, at), at, PAGE_BYTES) == slice(at + head_bytes, PAGE_BYTES)


@pytest.mark.parametrize(
    ("kind", "cells", "content_at"),
    [(0, 1, 100), (1, 1, 100), (13, 1, PAGE_BYTES + 1), (13, 3000, 4000), (13, 1, 0)],
    ids=["no cells at all", "no such kind", "beyond its end", "more cells than room", "beyond this page"],
)
def test_of_any_other_page_nothing_is_written(kind: int, cells: int, content_at: int) -> None:
    assert unallocated(page(kind, cells, content_at), 0, PAGE_BYTES) is None


def test_in_the_largest_pages_the_end_is_written_as_zero() -> None:
    size = 1 << 16
    assert unallocated(page(13, 0, 0).ljust(size, b"\0"), 0, size) == slice(8, size)


@given(st.binary(min_size=HEAD_BYTES + 12, max_size=400), st.sampled_from([0, HEAD_BYTES]))
def test_whatever_a_page_says_it_is_within_it(raw: bytes, at: int) -> None:
    gap = unallocated(raw, at, len(raw))
    assert gap is None or at + 8 <= gap.start <= gap.stop <= len(raw)


def file_of(path: Path, seed: int, *, shrinks: bool = False) -> list[str]:
    """A file of which rows were added, changed and deleted at random; the words that are in none of its rows any more."""
    chance = random.Random(seed)
    live: dict[int, str] = {}
    gone: list[str] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA auto_vacuum = {int(shrinks)}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("CREATE TABLE items (number INTEGER PRIMARY KEY, conversation INT, body TEXT)")
        connection.execute("CREATE INDEX by_conversation ON items (conversation)")
        connection.execute("CREATE TABLE names (number INTEGER PRIMARY KEY, id TEXT UNIQUE, project TEXT, notes TEXT)")
        number = 0
        for _ in range(400):
            step, word = chance.random(), ""
            if step < 0.6 or not live:
                number += 1
                word = f"tok{chance.getrandbits(64):016x}"
                body = f"{word} {'x' * chance.choice((10, 50, 200, 900, 3000))}"
                connection.execute("INSERT INTO items VALUES (?, ?, ?)", (number, number // 3, body))
                live[number] = word
            elif step < 0.75:
                key = chance.choice(list(live))
                word = f"tok{chance.getrandbits(64):016x}"
                gone.append(live[key])
                body = word + "y" * chance.choice((5, 300, 1200))
                connection.execute("UPDATE items SET body = ? WHERE number = ?", (body, key))
                live[key] = word
            else:
                key = chance.choice(list(live))
                gone.append(live.pop(key))
                connection.execute("DELETE FROM items WHERE number = ?", (key,))
    return gone


def left_of(gone: list[str], path: Path) -> list[str]:
    raw = b"".join(each.read_bytes() for each in (path, beside(path)[0]) if each.exists())
    return [word for word in gone if word.encode() in raw]


def is_cleared(path: Path, limit_s: float = LAST_RESORT_S) -> bool:
    with closing(opened(path)) as connection:
        return cleared(connection, path, limit_s)


def rows_of(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT * FROM items").fetchall()


@pytest.mark.parametrize("seed", LEAVES_SOMETHING)
def test_what_was_left_is_gone_and_the_rows_are_as_they_were(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "any.db"
    gone = file_of(path, seed)
    before = rows_of(path)
    assert left_of(gone, path) or sqlite3.sqlite_version_info[:2] != (3, 40)
    assert is_cleared(path)
    assert left_of(gone, path) == []
    assert rows_of(path) == before


def test_of_a_file_with_other_kinds_of_pages_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "any.db"
    file_of(path, LEAVES_SOMETHING[0], shrinks=True)
    before = path.read_bytes()
    assert is_cleared(path)
    assert path.read_bytes() == before


def test_nobody_brings_back_what_he_has_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "any.db"
    gone = file_of(path, LEAVES_SOMETHING[0])
    with closing(connect(path)) as writer:
        before = writer.execute("SELECT * FROM items").fetchall()
        assert is_cleared(path)
        writer.execute("UPDATE items SET conversation = conversation + 1")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert left_of(gone, path) == []
    assert [row[2] for row in rows_of(path)] == [row[2] for row in before]


def test_who_writes_all_the_time_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "any.db"
    gone = file_of(path, LEAVES_SOMETHING[1])
    before, ended = len(rows_of(path)), threading.Event()
    wrote: list[str] = []

    def write() -> None:
        with closing(connect(path)) as connection:
            while not ended.is_set():
                connection.execute("INSERT INTO items (body) VALUES (?)", (f"w{len(wrote)} {'z' * 500}",))
                wrote.append(f"w{len(wrote)}")
                time.sleep(0.002)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert is_cleared(path)
    finally:
        ended.set()
        thread.join()
    assert left_of(gone, path) == []
    found = rows_of(path)
    assert len(found) == before + len(wrote)
    assert [row[2].split()[0] for row in found[before:]] == wrote


def test_while_somebody_reads_nobody_who_writes_is_held_up(tmp_path: Path) -> None:
    path = tmp_path / "any.db"
    file_of(path, LEAVES_SOMETHING[2])
    with closing(connect(path, busy_s=BUSY_S / 2)) as writer, closing(connect(path, readonly=True)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM items").fetchall()
        tries = threading.Thread(target=is_cleared, args=(path, BUSY_S))
        tries.start()
        while tries.is_alive():
            writer.execute("INSERT INTO items (body) VALUES ('x')")
            time.sleep(0.01)


def test_where_somebody_reads_what_was_before_it_gives_up(tmp_path: Path) -> None:
    path = tmp_path / "any.db"
    file_of(path, LEAVES_SOMETHING[2])
    with closing(connect(path)) as writer, closing(connect(path, readonly=True)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM items").fetchall()
        writer.execute("DELETE FROM items WHERE number > 5")
        assert not is_cleared(path, 0.3)
        assert reader.execute("SELECT count(*) FROM items").fetchall() == before
