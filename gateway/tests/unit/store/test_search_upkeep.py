"""The index comes to hold what was said, and nothing of what was deleted, in short steps."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from time import thread_time

import pytest

from hayate.store import search_upkeep
from hayate.store.migrate import open_file
from hayate.store.search import search
from hayate.store.search_trees import MAX_LEVELS, RECORD
from hayate.store.search_upkeep import GATHER_S, NEW_S, SOME_ITEMS, Upkeep
from hayate.store.sqlite import beside, connect
from hayate.store.traces import truncated
from tests.support.said import Clock, keep, noise, settled


@pytest.fixture
def path(tmp_path: Path) -> Path:
    open_file(tmp_path / "hayate.db")
    return tmp_path / "hayate.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path)) as connection:
        yield connection


def counts(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """What waits to be put in, what is in, what waits to be taken out or overwritten."""
    tables = ("unsearched", "searched", "forgotten")
    found = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    return (found[0], found[1], found[2])


def index_of(connection: sqlite3.Connection, word: str) -> list[int]:
    """The rows of the index that have it, whatever becomes of them."""
    connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.terms USING fts5vocab('main', 'items_fts', 'instance')")
    return [row for (row,) in connection.execute("SELECT doc FROM temp.terms WHERE substr(term, 7) = ?", (word,))]


def all_bytes(connection: sqlite3.Connection, path: Path) -> bytes:
    assert truncated(connection)
    return path.read_bytes() + b"".join(each.read_bytes() for each in beside(path))


def word(number: int) -> str:
    """One that begins like hardly any other: FTS5 writes words next to one another without their common beginning."""
    return hashlib.md5(str(number).encode()).hexdigest()[:16]


def test_what_is_new_waits_for_more_and_is_put_in(connection: sqlite3.Connection) -> None:
    clock = Clock()
    upkeep = Upkeep(clock)
    keep(connection, ["東京"] * 3)
    assert not upkeep.step(connection)
    assert counts(connection) == (3, 0, 0)
    clock.now += NEW_S
    while upkeep.step(connection):
        pass
    assert counts(connection) == (0, 3, 0)
    assert index_of(connection, "東京") == [1, 2, 3]


def test_many_do_not_wait(connection: sqlite3.Connection) -> None:
    keep(connection, ["東京"] * (SOME_ITEMS + 5))
    upkeep = Upkeep(Clock())
    while upkeep.step(connection):
        pass
    assert counts(connection) == (5, SOME_ITEMS, 0)


def test_a_step_ends_in_time(connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_upkeep, "SOME_CHARS", 1)
    keep(connection, ["東京"] * SOME_ITEMS * 2)
    seconds = count(0.0, search_upkeep.STEP_S / 4)
    assert Upkeep(lambda: next(seconds)).step(connection)
    waiting, done, _ = counts(connection)
    assert 0 < done < 10
    assert waiting + done == SOME_ITEMS * 2


def test_what_is_deleted_is_out_of_the_index_at_the_next_step(connection: sqlite3.Connection) -> None:
    clock = Clock()
    upkeep = Upkeep(clock)
    keep(connection, ["東京", "東京都"])
    settled(connection, upkeep, clock)
    connection.execute("DELETE FROM conversations WHERE number = 2")
    while upkeep.step(connection):
        pass
    assert index_of(connection, "東京") == [1]
    assert counts(connection) == (0, 1, 1)


def test_its_words_stand_nowhere_when_nothing_is_left_to_forget(connection: sqlite3.Connection, path: Path) -> None:
    clock, chance = Clock(), random.Random(2)
    upkeep = Upkeep(clock)
    for begin in range(0, 1200, 100):
        keep(connection, [f"{word(number)} {text}" for number, text in enumerate(noise(100, begin), begin + 1)])
        settled(connection, upkeep, clock)
    before = all_bytes(connection, path)
    assert all(word(number)[2:].encode() in before for number in range(1, 1201))
    gone = {*chance.sample(range(1, 1201), 400), *range(300, 500)}
    connection.executemany("DELETE FROM conversations WHERE number = ?", [(number,) for number in gone])
    settled(connection, upkeep, clock)
    assert counts(connection) == (0, 1200 - len(gone), 0)
    after = all_bytes(connection, path)
    assert [number for number in gone if word(number)[2:].encode() in after] == []
    assert all(word(number)[2:].encode() in after for number in range(1, 1201) if number not in gone)


def test_a_round_waits_for_more_and_is_gone_on_with_after_a_crash(path: Path) -> None:
    clock = Clock()
    with closing(connect(path)) as connection:
        keep(connection, list(noise(600)), together=20)
        settled(connection, Upkeep(clock), clock)
        connection.execute("DELETE FROM conversations WHERE number = 1")
        upkeep = Upkeep(clock)
        while upkeep.step(connection):
            pass
        assert not upkeep.step(connection)
        assert connection.execute("SELECT step FROM forgotten").fetchall() == [(1,)]
        clock.now += GATHER_S
        seconds = count(clock.now, search_upkeep.STEP_S)
        clock.__class__ = type("Running", (Clock,), {"__call__": lambda _: next(seconds)})
        assert upkeep.step(connection)
        assert connection.execute("SELECT step FROM forgotten").fetchall() == [(2,)]
        connection.execute("DELETE FROM conversations WHERE number = 2")
    clock = Clock()
    with closing(connect(path)) as connection:
        upkeep = Upkeep(clock)
        while upkeep.step(connection):
            pass
        assert connection.execute("SELECT step FROM forgotten").fetchall() == [(1,)]  # of what was deleted meanwhile
        settled(connection, upkeep, clock)
        assert counts(connection) == (0, 560, 0)


def test_after_any_number_of_rounds_the_index_is_whole(connection: sqlite3.Connection) -> None:
    clock = Clock()
    upkeep = Upkeep(clock)
    kept = keep(connection, ["東京 always"])
    for number in range(2, 3 * MAX_LEVELS):
        keep(connection, [f"東京 {word(number)}"] * 3, together=3)
        settled(connection, upkeep, clock)
        connection.execute("DELETE FROM conversations WHERE number > 1")
        settled(connection, upkeep, clock)
        assert connection.execute(RECORD).fetchone()[0][4] <= MAX_LEVELS + 3
    assert index_of(connection, "東京") == [1]
    assert [each.conversation for each in search(connection, "shop", "東京", limit=9)] == kept
    connection.execute("INSERT INTO items_fts (items_fts) VALUES ('integrity-check')")


def test_a_damaged_index_is_made_anew(connection: sqlite3.Connection) -> None:
    clock = Clock()
    keep(connection, ["東京", "京都"])
    settled(connection, Upkeep(clock), clock)
    connection.execute("UPDATE items_fts_data SET block = x'00000000ff' WHERE id = 10")
    keep(connection, ["東京都"])
    settled(connection, Upkeep(clock), clock)
    assert counts(connection) == (0, 3, 0)
    assert index_of(connection, "東京") == [1, 3]


def test_what_is_damaged_beside_it_is_not_its_affair(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TABLE searched")
    keep(connection, ["東京"] * SOME_ITEMS)
    with pytest.raises(sqlite3.OperationalError, match="searched"):
        Upkeep(Clock()).step(connection)
    assert not connection.in_transaction


def test_two_processes_put_nothing_in_twice(path: Path, connection: sqlite3.Connection) -> None:
    clock = Clock()
    with closing(connect(path)) as other:
        both = [(Upkeep(clock), connection), (Upkeep(clock), other)]
        for _ in range(5):
            keep(connection, ["東京"] * 100)
            for upkeep, each in both:
                upkeep.step(each)
            connection.execute("DELETE FROM conversations WHERE number % 3 = 0")
        for upkeep, each in both:
            settled(each, upkeep, clock)
    numbers = [number for (number,) in connection.execute("SELECT number FROM items ORDER BY number")]
    assert index_of(connection, "東京") == numbers


@pytest.mark.slow
def test_no_step_of_fifty_thousand_messages_is_long(connection: sqlite3.Connection) -> None:
    clock = Clock()
    upkeep = Upkeep(lambda: clock.now + thread_time())
    keep(connection, list(noise(50_000)), together=20)
    steps_s: list[float] = []

    def all_steps() -> None:
        more = True
        while more:
            began = thread_time()
            more = upkeep.step(connection)
            steps_s.append(thread_time() - began)

    all_steps()
    connection.execute("DELETE FROM conversations WHERE number % 10 = 0")
    all_steps()
    clock.now += GATHER_S
    all_steps()
    assert counts(connection)[1:] == (45_000, 0)
    assert max(steps_s) < 0.030, sorted(steps_s)[-9:]
