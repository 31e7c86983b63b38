"""Conversations as they are found: by their project alone, in order, and as little as goes along."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hayate.errors import UnknownConversation
from hayate.store import conversations as module
from hayate.store.conversation_changes import NewConversation, create
from hayate.store.conversations import begin, found_in, get, grow, list_, load, new_ids
from hayate.store.quick import MAX_BYTES, Quick, TakesLong
from hayate.store.sqlite import connect
from hayate.store.turns import keep
from hayate.wire.history_ids import is_conversation_id
from tests.unit.store.conftest import LIMITS, NOW, answered, said, texts, turn


def test_one_is_found_as_it_was_begun(connection: sqlite3.Connection) -> None:
    made = begin(connection, "shop", NOW, metadata={"title": "東京"})
    assert made.id.startswith("conv_")
    assert get(connection, "shop", made.id) == made
    assert (made.created_ms, made.used_ms) == (int(NOW * 1000),) * 2
    assert (made.metadata, made.listed, made.turns, made.first_turn) == ({"title": "東京"}, True, 0, 1)


def test_names_stand_in_the_order_of_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    for at in (1.0, NOW, NOW + 0.001, 17_000_000_000.0):
        monkeypatch.setattr(module, "time", lambda at=at: at)
        drawn += sorted(new_ids(3))
    assert drawn == sorted({*drawn})
    assert all(is_conversation_id(each) and len(each[16:]) * 4 == 128 for each in drawn)
    assert len({each[16:] for each in drawn}) == len(drawn)


def test_another_project_finds_nothing(connection: sqlite3.Connection) -> None:
    made = begin(connection, "shop", NOW)
    for wanted in ("bot", "", "\x01shop", "SHOP", "shop "):
        assert get(connection, wanted, made.id) is None
        assert load(connection, wanted, made.id) is None
        assert list_(connection, wanted) == []
        with pytest.raises(UnknownConversation):
            found_in(connection, wanted, made.id)


def test_what_goes_along_is_the_head_and_the_turns_from_the_first_on(connection: sqlite3.Connection) -> None:
    items = [said("be kind", "system")]
    for number in range(1, 6):
        items += [said(f"q{number}"), answered(f"a{number}")]
    made = create(connection, "shop", NewConversation(items=items, limits=LIMITS), NOW)
    loaded = load(connection, "shop", made.id)
    assert loaded is not None
    assert texts(loaded.items)[:3] == ["be kind", "q1", "a1"]
    assert [(each.turn, each.answer) for each in loaded.items[:3]] == [(0, False), (1, False), (1, True)]
    assert [each.place for each in loaded.items] == [*range(1, 12)]
    assert all(each.body["id"] == each.id for each in loaded.items)
    grow(connection, made, replace(made, first_turn=4), LIMITS)
    loaded = load(connection, "shop", made.id)
    assert loaded is not None
    assert texts(loaded.items) == ["be kind", "q4", "a4", "q5", "a5"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_a_list_in_pages_has_each_once_in_the_order_of_use(connection: sqlite3.Connection, limit: int) -> None:
    made = [keep(connection, turn("q", "a"), NOW + (number % 3)).conversation for number in range(7)]
    keep(connection, turn("q", "a", listed=False), NOW)
    keep(connection, turn("q", "a", project="bot"), NOW)
    wanted = [each.id for each in sorted(made, key=lambda each: (each.used_ms, each.number))]
    for order, ids in (("asc", wanted), ("desc", wanted[::-1])):
        found: list[str] = []
        while page := list_(connection, "shop", after=found[-1] if found else None, limit=limit, order=order):
            found += [each.id for each in page]
        assert found == ids


def test_a_list_does_not_begin_behind_what_is_not_there(connection: sqlite3.Connection) -> None:
    other = begin(connection, "bot", NOW)
    with pytest.raises(UnknownConversation) as error:
        list_(connection, "shop", after=other.id)
    assert error.value.param == "after"


def test_a_long_one_is_not_read_on_the_loop(path: Path, connection: sqlite3.Connection) -> None:
    short = keep(connection, turn("q", "a"), NOW).conversation
    long = keep(connection, turn("q" * MAX_BYTES, "a"), NOW).conversation
    with closing(connect(path, readonly=True, factory=Quick)) as quick:
        assert load(quick, "shop", short.id) is not None
        with pytest.raises(TakesLong):
            load(quick, "shop", long.id)
    assert load(connection, "shop", long.id) is not None
