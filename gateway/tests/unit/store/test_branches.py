"""Branches: what was said up to somewhere, in a conversation of its own."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from hayate.errors import ConversationFull, UnknownConversation, UnknownItem
from hayate.settings import History
from hayate.store import branches as module
from hayate.store.branches import Branch, ResponseBranch
from hayate.store.conversation_changes import NewConversation, create, delete
from hayate.store.conversations import Conversation, get, load
from hayate.store.kept_items import delete_item, items_page
from hayate.store.kept_responses import response
from hayate.store.making import Making
from hayate.store.turns import Turn, keep
from tests.unit.store.conftest import LIMITS, NOW, answered, bytes_of, count, pictured, said, texts_in
from tests.unit.store.test_kept_responses import chain


def whole(connection: sqlite3.Connection, making: Making) -> Conversation:
    """All of its steps, one after the other."""
    while (made := making(connection)) is None:
        pass
    return made


@pytest.fixture
def source(connection: sqlite3.Connection) -> Conversation:
    items = [said("be kind", "system"), said("q1"), answered("a1"), said("q2"), pictured("look", b"\x89PNG" * 50)]
    new = NewConversation(metadata={"title": "t"}, notes="pinned", items=items, limits=LIMITS)
    return create(connection, "shop", new, NOW)


def test_a_whole_one_is_the_same_under_other_names(connection: sqlite3.Connection, source: Conversation) -> None:
    made = whole(connection, Branch("shop", source.id, limits=LIMITS, now=NOW + 1))
    assert get(connection, "shop", made.id) == made
    assert (made.metadata, made.notes, made.listed, made.turns, made.places, made.bytes) == (
        source.metadata,
        source.notes,
        True,
        source.turns,
        source.places,
        source.bytes,
    )
    before, after = (load(connection, "shop", each.id) for each in (source, made))
    assert before is not None
    assert after is not None
    for one, other in zip(before.items, after.items, strict=True):
        assert (one.turn, one.place, one.answer) == (other.turn, other.place, other.answer)
        assert (one.id, one.body) == (other.id, other.body)
        assert one.number != other.number
    assert count(connection, "images") == 1
    assert bytes_of(connection) == 2 * source.bytes


def test_the_picture_stays_with_the_one_that_is_left(connection: sqlite3.Connection, source: Conversation) -> None:
    made = whole(connection, Branch("shop", source.id, limits=LIMITS, now=NOW))
    last = items_page(connection, "shop", source.id, limit=1)[0]
    delete_item(connection, "shop", source.id, last.id, limits=LIMITS)
    assert items_page(connection, "shop", made.id, limit=1)[0].body["content"] == last.body["content"]


@pytest.mark.parametrize("together", [1, 2, 3, 250])
def test_one_ends_with_the_item_that_is_named_however_many_steps_it_takes(
    connection: sqlite3.Connection, source: Conversation, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(module, "TOGETHER", together)
    third = items_page(connection, "shop", source.id, order="asc")[2]
    made = whole(connection, Branch("shop", source.id, after=third.id, limits=LIMITS, now=NOW))
    assert texts_in(connection, "shop", made.id) == ["be kind", "q1", "a1"]
    assert (made.turns, made.places) == (1, 3)
    assert bytes_of(connection) == source.bytes + made.bytes


def test_where_turns_were_left_out_they_are_unless_none_would_be_left(connection: sqlite3.Connection) -> None:
    kept = None
    for number in range(4):
        first: dict[str, Any] = {"first_turn": 3, "window": 512} if number == 3 else {}
        kept = keep(
            connection,
            Turn(project="shop", conversation=kept, items=[said(str(number))], answer=[answered("a")], **first),
            NOW,
        ).conversation.id
    assert kept is not None
    found = items_page(connection, "shop", kept, order="asc", limit=100)
    late = whole(connection, Branch("shop", kept, limits=LIMITS, now=NOW))
    early = whole(connection, Branch("shop", kept, after=found[1].id, limits=LIMITS, now=NOW))
    assert (late.first_turn, late.window) == (3, 512)
    assert (early.first_turn, texts_in(connection, "shop", early.id)) == (1, ["0", "a"])


def test_nobody_elses_is_branched(connection: sqlite3.Connection, source: Conversation) -> None:
    other = create(connection, "bot", NewConversation(items=[said("q")], limits=LIMITS), NOW)
    its_item = items_page(connection, "bot", other.id)[0].id
    for wanted, after, error in (
        (other.id, None, UnknownConversation),
        (source.id, its_item, UnknownItem),
        (source.id, "msg_none", UnknownItem),
    ):
        with pytest.raises(error):
            Branch("shop", wanted, after=after, limits=LIMITS, now=NOW)(connection)


def test_one_that_would_be_too_much_leaves_nothing(connection: sqlite3.Connection, source: Conversation) -> None:
    connection.execute("SAVEPOINT turn")
    limits = History(max_project_bytes=source.bytes + 1024)
    full = create(connection, "shop", NewConversation(items=[said("q" * 800)], limits=LIMITS), NOW)
    with pytest.raises(ConversationFull):
        Branch("shop", source.id, limits=limits, now=NOW)(connection)
    connection.execute("ROLLBACK TO turn")
    assert get(connection, "shop", full.id) is None
    assert bytes_of(connection) == source.bytes


def test_a_chain_is_gone_on_with_from_any_of_its_responses(connection: sqlite3.Connection) -> None:
    chain(connection, 3)
    for number in (1, 2, 3):
        found = response(connection, "shop", f"resp_{number}")
        assert found is not None
        made = whole(connection, ResponseBranch(found, limits=LIMITS, now=NOW))
        wanted = [f"{who}{turn}" for turn in range(1, number + 1) for who in "qa"]
        assert texts_in(connection, "shop", made.id) == wanted
        assert (made.listed, made.turns) == (False, number)


def test_a_responses_branch_of_a_listed_one_is_not_listed(connection: sqlite3.Connection) -> None:
    made = chain(connection, 2, listed=True)
    found = response(connection, "shop", "resp_1")
    assert found is not None
    branch = whole(connection, ResponseBranch(found, limits=LIMITS, now=NOW))
    assert (branch.listed, branch.metadata, branch.notes) == (False, {}, None)
    delete(connection, "shop", made)
    with pytest.raises(UnknownConversation):
        ResponseBranch(found, limits=LIMITS, now=NOW)(connection)
