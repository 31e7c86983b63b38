"""Conversations that no project has."""

from __future__ import annotations

import sqlite3

import pytest

from hayate.access.key_admin import check_name
from hayate.errors import InvalidRequest
from hayate.store import traces
from hayate.store.conversations import begin, get
from hayate.store.hidden import DELETED, UNFINISHED, discard, hide, hide_unfinished, show
from hayate.store.turns import keep
from tests.unit.store.conftest import NOW, bytes_of, turn


@pytest.mark.parametrize("mark", [DELETED, UNFINISHED])
def test_no_project_can_be_called_so(mark: str) -> None:
    with pytest.raises(InvalidRequest):
        check_name("project", f"{mark}shop")


def test_what_is_hidden_counts_no_more_and_leaves_traces(connection: sqlite3.Connection) -> None:
    stays, goes = (keep(connection, turn("q", "a"), NOW).conversation for _ in range(2))
    assert traces.left(connection) == 0
    hide(connection, goes)
    assert get(connection, "shop", goes.id) is None
    assert bytes_of(connection) == stays.bytes
    assert traces.left(connection) == 1
    hide(connection, goes)  # a second time is none
    assert bytes_of(connection) == stays.bytes
    assert traces.left(connection) == 1


def test_what_is_not_whole_is_shown_and_hidden_again(connection: sqlite3.Connection) -> None:
    made = begin(connection, "shop", NOW)
    hide_unfinished(connection, made)
    assert get(connection, "shop", made.id) is None
    show(connection, made)
    assert get(connection, "shop", made.id) == made
    with pytest.raises(LookupError):
        show(connection, made)


def test_what_is_whole_or_gone_is_not_discarded(connection: sqlite3.Connection) -> None:
    made = keep(connection, turn("q", "a"), NOW).conversation
    discard(connection, made)
    assert get(connection, "shop", made.id) == made
    hide(connection, made)
    discard(connection, made)
    assert bytes_of(connection) == 0
