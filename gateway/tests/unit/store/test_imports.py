"""Conversations from elsewhere, however long they are."""

from __future__ import annotations

import sqlite3

import pytest

from hayate.store import imports as module
from hayate.store.conversation_changes import NewConversation
from hayate.store.conversations import load
from hayate.store.imports import Import
from tests.unit.store.conftest import LIMITS, NOW, answered, bytes_of, said, texts_in

ITEMS = [said("be kind", "system"), *(said(str(n)) if n % 2 else answered(str(n)) for n in range(1, 8))]


@pytest.mark.parametrize("together", [1, 2, 3, 250])
def test_the_turns_are_the_same_in_however_many_steps(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(module, "TOGETHER", together)
    making, steps = Import("shop", NewConversation(metadata={"title": "t"}, items=ITEMS, limits=LIMITS), NOW), 1
    while (made := making(connection)) is None:
        steps += 1
    assert steps == -(-len(ITEMS) // together)
    loaded = load(connection, "shop", made.id)
    assert loaded is not None
    assert loaded.conversation == made
    assert [(each.turn, each.answer) for each in loaded.items] == [
        (0, False),
        *((turn, answer) for turn in range(1, 5) for answer in (False, True)),
    ][: len(ITEMS)]
    assert made.metadata == {"title": "t"}
    assert bytes_of(connection) == made.bytes


def test_long_items_are_fewer_to_a_step(connection: sqlite3.Connection) -> None:
    items = [said("x" * (module.STEP_BYTES // 2 + 1)) for _ in range(5)]
    making, steps = Import("shop", NewConversation(items=items, limits=LIMITS), NOW), 1
    while making(connection) is None:
        steps += 1
    assert steps == 3


def test_one_without_items_is_made_too(connection: sqlite3.Connection) -> None:
    made = Import("shop", NewConversation(notes="pinned", limits=LIMITS), NOW)(connection)
    assert made is not None
    assert texts_in(connection, "shop", made.id) == []
    assert made.notes == "pinned"
