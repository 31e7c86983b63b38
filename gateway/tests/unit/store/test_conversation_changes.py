"""Whole conversations: made, renamed, deleted, all at once."""

from __future__ import annotations

import sqlite3

import pytest

from hayate.errors import ConversationFull, UnknownConversation
from hayate.settings import History
from hayate.store import conversation_changes as module
from hayate.store.conversation_changes import NewConversation, create, delete, delete_some, update
from hayate.store.conversations import Conversation, get, list_, load
from hayate.store.kept_items import item, items_page
from hayate.store.kept_responses import NewResponse, response
from hayate.store.turns import keep
from tests.unit.store.conftest import LIMITS, NOW, answered, bytes_of, count, said, texts_in, turn

ITEMS = [said("be kind", "system"), said("q1"), answered("a1"), said("q2")]


@pytest.fixture
def made(connection: sqlite3.Connection) -> Conversation:
    return create(
        connection,
        "shop",
        NewConversation(metadata={"title": "old"}, notes="pinned", items=ITEMS, limits=LIMITS),
        NOW,
    )


def test_one_is_made_with_all_that_it_begins_with(connection: sqlite3.Connection, made: Conversation) -> None:
    assert get(connection, "shop", made.id) == made
    assert (made.metadata, made.notes, made.turns, made.places) == ({"title": "old"}, "pinned", 2, 4)
    assert texts_in(connection, "shop", made.id) == ["be kind", "q1", "a1", "q2"]
    assert bytes_of(connection) == made.bytes


def test_one_may_begin_with_nothing(connection: sqlite3.Connection) -> None:
    made = create(connection, "shop", NewConversation(limits=LIMITS), NOW)
    assert (made.turns, made.bytes, made.notes) == (0, 0, None)
    assert get(connection, "shop", made.id) == made


def test_metadata_and_notes_change_each_alone(connection: sqlite3.Connection, made: Conversation) -> None:
    renamed = update(connection, "shop", made.id, metadata={"title": "新しい"}, limits=LIMITS)
    assert (renamed.metadata, renamed.notes, renamed.version) == ({"title": "新しい"}, "pinned", made.version + 1)
    noted = update(connection, "shop", made.id, notes="覚えて", limits=LIMITS)
    assert (noted.metadata, noted.notes) == ({"title": "新しい"}, "覚えて")
    assert noted.bytes == made.bytes + len("覚えて".encode()) - len("pinned")
    emptied = update(connection, "shop", made.id, metadata={}, notes="", limits=LIMITS)
    assert (emptied.metadata, emptied.notes) == ({}, None)
    assert get(connection, "shop", made.id) == emptied
    assert bytes_of(connection) == emptied.bytes
    assert emptied.used_ms == made.used_ms


def test_too_long_notes_are_refused(connection: sqlite3.Connection, made: Conversation) -> None:
    with pytest.raises(ConversationFull):
        update(connection, "shop", made.id, notes="x" * 2000, limits=History(max_conversation_bytes=1024))


def test_nobody_finds_what_is_deleted(connection: sqlite3.Connection, made: Conversation) -> None:
    an_item = items_page(connection, "shop", made.id)[0]
    keep(connection, turn("q", "a", made.id, response=NewResponse("resp_1", {})), NOW)
    delete(connection, "shop", made.id)
    assert get(connection, "shop", made.id) is None
    assert load(connection, "shop", made.id) is None
    assert list_(connection, "shop") == []
    assert response(connection, "shop", "resp_1") is None
    with pytest.raises(UnknownConversation):
        items_page(connection, "shop", made.id)
    with pytest.raises(UnknownConversation):
        update(connection, "shop", made.id, limits=LIMITS)
    with pytest.raises(UnknownConversation):
        delete(connection, "shop", made.id)
    with pytest.raises(UnknownConversation):
        item(connection, "shop", made.id, an_item.id)
    assert bytes_of(connection) == 0
    assert count(connection, "items") > 0  # that comes later


def test_another_project_can_neither_change_nor_delete(connection: sqlite3.Connection, made: Conversation) -> None:
    with pytest.raises(UnknownConversation):
        update(connection, "bot", made.id, metadata={}, limits=LIMITS)
    with pytest.raises(UnknownConversation):
        delete(connection, "bot", made.id)
    assert delete_some(connection, "bot") == 0
    assert get(connection, "shop", made.id) == made


def test_all_of_a_project_go_a_few_at_a_time(connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 3)
    for number in range(7):
        keep(connection, turn("q", "a", listed=number % 2 == 0), NOW)
    other = keep(connection, turn("q", "a", project="bot"), NOW).conversation
    assert [delete_some(connection, "shop") for _ in range(4)] == [3, 3, 1, 0]
    assert list_(connection, "shop") == []
    assert bytes_of(connection) == 0
    assert get(connection, "bot", other.id) == other
    assert bytes_of(connection, "bot") == other.bytes
