"""What is deleted goes, a few rows at a time, and leaves nothing in the file or its log."""

from __future__ import annotations

import random
import secrets
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store import erasing as module
from hayate.store import traces
from hayate.store.conversation_changes import NewConversation, create, delete
from hayate.store.conversations import get
from hayate.store.erasing import Erasing
from hayate.store.kept_responses import NewResponse
from hayate.store.sqlite import beside, connect
from hayate.store.turns import Turn, keep
from tests.unit.store.conftest import LIMITS, NOW, Clock, count, everything, no_trace, pictured, said, turn

TABLES = ("conversations", "items", "item_images", "images", "responses", "unsearched")


def test_nothing_of_it_is_left_in_any_table(connection: sqlite3.Connection, erasing: Erasing, clock: Clock) -> None:
    made = None
    for number in range(60):
        new = NewResponse(f"resp_{number}", {})
        items = [pictured("look", bytes([number]) * 100)]
        made = keep(connection, Turn(project="shop", conversation=made, items=items, response=new), NOW).conversation.id
    assert made is not None
    stays = keep(connection, turn("q", "a"), NOW).conversation
    delete(connection, "shop", made)
    assert everything(connection, erasing, clock) > 1
    no_trace(connection, erasing, clock)
    assert [count(connection, table) for table in TABLES] == [1, 2, 0, 0, 0, 2]
    assert get(connection, "shop", stays.id) == stays
    assert (traces.left(connection), erasing.since) == (0, None)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_step_ends_when_its_time_is_over(connection: sqlite3.Connection, erasing: Erasing) -> None:
    made = create(connection, "shop", NewConversation(items=[said("q")] * 500, limits=LIMITS), NOW)
    delete(connection, "shop", made.id)
    assert erasing.step(connection)
    left = count(connection, "items")
    assert 500 - left <= 5 * module.TOGETHER  # a look at the clock costs a millisecond here
    assert erasing.step(connection)
    assert count(connection, "items") < left


def test_words_and_pictures_are_in_neither_file(
    path: Path, connection: sqlite3.Connection, erasing: Erasing, clock: Clock
) -> None:
    gone, stays = (f"word{secrets.token_hex(8)}" for _ in range(2))
    picture = secrets.token_bytes(30_000)
    ids = {}
    for word in (gone, stays):
        for length in (1, 40, 4000):
            text = f"{word} " * length
            items = [said(text), pictured(text, picture)]
            new = NewConversation(metadata={"title": word}, notes=word, items=items, limits=LIMITS)
            ids[word, length] = create(connection, "shop" if word == gone else "bot", new, NOW).id
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    both = (path, beside(path)[0])
    assert any(gone.encode() in each.read_bytes() for each in both)
    for length in (1, 40, 4000):
        delete(connection, "shop", ids[gone, length])
    no_trace(connection, erasing, clock)
    for each in both:
        raw = each.read_bytes()
        assert gone.encode() not in raw
        assert raw.count(picture[:40]) == (1 if each == path else 0)  # the other project's
    assert stays.encode() in path.read_bytes()


@pytest.mark.parametrize("seed", range(3))
def test_of_many_that_come_and_go_nothing_is_left(
    path: Path, connection: sqlite3.Connection, erasing: Erasing, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    stays: dict[str, str] = {}
    gone: list[str] = []
    for _ in range(120):
        if stays and chance.random() < 0.4:
            word = chance.choice([*stays])
            delete(connection, "shop", stays.pop(word))
            gone.append(word)
            while erasing.step(connection):
                pass
        else:
            word = f"word{chance.getrandbits(64):016x}"
            texts = [f"{word} {'x' * chance.choice((3, 80, 700))}" for _ in range(chance.randrange(1, 6))]
            new = NewConversation(notes=word, items=[*map(said, texts)], limits=LIMITS)
            stays[word] = create(connection, "shop", new, NOW).id
    no_trace(connection, erasing, clock)
    raw = path.read_bytes()
    assert [word for word in gone if word.encode() in raw] == []
    assert [word for word in stays if word.encode() not in raw] == []


def test_a_reader_is_not_waited_for(path: Path, connection: sqlite3.Connection, erasing: Erasing, clock: Clock) -> None:
    made = keep(connection, turn("q", "a"), NOW).conversation
    with closing(connect(path, readonly=True)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM items").fetchone()
        delete(connection, "shop", made.id)
        everything(connection, erasing, clock)
        assert keep(connection, turn("q", "a"), NOW)
        assert traces.left(connection) == 1
        reader.execute("COMMIT")
    no_trace(connection, erasing, clock)


def test_the_log_waits_for_search_to_forget(connection: sqlite3.Connection, erasing: Erasing, clock: Clock) -> None:
    made = keep(connection, turn("q", "a"), NOW).conversation
    connection.execute("DELETE FROM unsearched")
    connection.execute("INSERT INTO searched SELECT number, 'shop' FROM items")
    delete(connection, "shop", made.id)
    everything(connection, erasing, clock)
    assert traces.left(connection) == 1
    connection.execute("DELETE FROM forgotten")
    no_trace(connection, erasing, clock)


def test_what_is_still_being_made_stays(connection: sqlite3.Connection, erasing: Erasing, clock: Clock) -> None:
    keep(connection, turn("q", "a", project="\x02shop"), NOW)
    traces.leave(connection)
    everything(connection, erasing, clock)
    assert count(connection, "conversations") == 1


def test_after_a_kill_it_goes_on(path: Path, connection: sqlite3.Connection, clock: Clock) -> None:
    made = create(connection, "shop", NewConversation(items=[said("q")] * 200, limits=LIMITS), NOW)
    delete(connection, "shop", made.id)
    assert Erasing(clock).step(connection)
    with closing(connect(path)) as another:
        no_trace(another, Erasing(clock), clock)
        assert count(another, "items") == 0


def test_what_is_deleted_while_a_file_is_overwritten_is_not_taken_for_gone(
    connection: sqlite3.Connection, erasing: Erasing, clock: Clock
) -> None:
    ids = [keep(connection, turn("q", "a"), NOW).conversation.id for _ in range(2)]
    delete(connection, "shop", ids[0])
    everything(connection, erasing, clock)
    delete(connection, "shop", ids[1])
    assert traces.left(connection) == 2
    no_trace(connection, erasing, clock)
    assert count(connection, "items") == 0


def test_where_no_process_can_be_started_it_is_told_and_tried_again(
    connection: sqlite3.Connection, erasing: Erasing, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(module, "log_event", lambda name, **_: told.append(name))
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    made = keep(connection, turn("q", "a"), NOW).conversation
    delete(connection, "shop", made.id)
    for _ in range(3):
        everything(connection, erasing, clock)
    assert told == ["traces_not_overwritten"]
    assert traces.left(connection) == 1
    monkeypatch.undo()
    clock.now += module.NO_PROCESS_S
    no_trace(connection, erasing, clock)
