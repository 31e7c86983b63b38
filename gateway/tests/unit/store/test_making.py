"""What takes several steps is seen by nobody before the last, and leaves nothing when one fails."""

from __future__ import annotations

import sqlite3

import pytest

from hayate.errors import ConversationFull
from hayate.settings import History
from hayate.store import imports as module
from hayate.store.conversation_changes import NewConversation
from hayate.store.conversations import list_
from hayate.store.imports import Import
from tests.unit.store.conftest import LIMITS, NOW, bytes_of, count, said

NEW = NewConversation(items=[said(str(number)) for number in range(5)], limits=LIMITS)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 2)


def test_it_is_there_with_its_last_step(connection: sqlite3.Connection) -> None:
    making = Import("shop", NEW, NOW)
    for _ in range(2):
        assert making(connection) is None
        assert list_(connection, "shop") == []
        assert bytes_of(connection) > 0
    made = making(connection)
    assert [made] == list_(connection, "shop")
    assert connection.execute("SELECT DISTINCT project FROM unsearched").fetchall() == [("shop",)]


def test_what_fails_later_is_undone(connection: sqlite3.Connection) -> None:
    making = Import("shop", NewConversation(items=NEW.items, limits=History(max_conversation_bytes=1024)), NOW)
    big = [said("x" * 400) for _ in range(5)]
    making = Import("shop", NewConversation(items=big, limits=History(max_conversation_bytes=1200)), NOW)
    assert making(connection) is None
    connection.execute("SAVEPOINT turn")
    with pytest.raises(ConversationFull):
        making(connection)
    connection.execute("ROLLBACK TO turn")
    making.undo(connection)
    assert bytes_of(connection) == 0
    assert connection.execute("SELECT project FROM conversations").fetchall() == [("\x01shop",)]
    assert count(connection, "items") == 2  # they go in small steps


def test_one_that_was_given_up_meanwhile_says_so(connection: sqlite3.Connection) -> None:
    making = Import("shop", NEW, NOW)
    making(connection)
    making.undo(connection)
    with pytest.raises(LookupError):
        making(connection)


def test_what_is_whole_is_not_undone(connection: sqlite3.Connection) -> None:
    making = Import("shop", NEW, NOW)
    making.undo(connection)  # nothing yet
    while (made := making(connection)) is None:
        pass
    making.undo(connection)
    assert list_(connection, "shop") == [made]
