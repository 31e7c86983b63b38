"""How much may be kept: what grows is counted, and refused when it is too much; what shrinks never is."""

from __future__ import annotations

import sqlite3

import pytest

from hayate.errors import ConversationFull
from hayate.settings import History
from hayate.store.sizes import grown, shrunk, size_of

FEW = History(max_conversation_bytes=1024, max_project_bytes=2048)


def test_each_project_has_its_own_sum(connection: sqlite3.Connection) -> None:
    assert size_of(connection, "shop") == 0
    grown(connection, "shop", 100, 100, FEW)
    grown(connection, "shop", 50, 50, FEW)
    grown(connection, "bot", 7, 7, FEW)
    shrunk(connection, "shop", 30)
    assert (size_of(connection, "shop"), size_of(connection, "bot")) == (120, 7)


def test_it_is_full_beyond_the_last_byte(connection: sqlite3.Connection) -> None:
    grown(connection, "shop", 1024, 1024, FEW)
    with pytest.raises(ConversationFull):
        grown(connection, "shop", 1, 1025, FEW)
    grown(connection, "shop", 1024, 1024, FEW)
    with pytest.raises(ConversationFull):
        grown(connection, "shop", 1, 1, FEW)


def test_what_shrinks_may_though_it_is_still_too_much(connection: sqlite3.Connection) -> None:
    grown(connection, "shop", 5000, 5000, History(max_conversation_bytes=5000, max_project_bytes=5000))
    grown(connection, "shop", -10, 4990, FEW)
    grown(connection, "shop", 0, 4990, FEW)
    assert size_of(connection, "shop") == 4990


def test_the_sum_is_never_below_nothing(connection: sqlite3.Connection) -> None:
    grown(connection, "shop", 10, 10, FEW)
    shrunk(connection, "shop", 20)
    assert size_of(connection, "shop") == 0
