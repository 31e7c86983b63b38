"""Single items: added without a call, in pages, one, none."""

from __future__ import annotations

import sqlite3

import pytest

from hayate.errors import ConversationFull, UnknownConversation, UnknownItem
from hayate.settings import History
from hayate.store.conversation_changes import NewConversation, create
from hayate.store.conversations import Conversation, get
from hayate.store.kept_items import add_items, delete_item, is_answer, item, items_page
from hayate.store.turns import keep
from hayate.wire.items import Item
from tests.support.tables import table
from tests.unit.store.conftest import LIMITS, NOW, answered, bytes_of, pictured, said, texts, texts_in, turn

CALL: Item = {"type": "function_call", "name": "look_up", "call_id": "c1", "arguments": "{}"}
RESULT: Item = {"type": "function_call_output", "call_id": "c1", "output": "sunny"}


@pytest.fixture
def made(connection: sqlite3.Connection) -> Conversation:
    return create(connection, "shop", NewConversation(limits=LIMITS), NOW)


def turns_of(connection: sqlite3.Connection, of: Conversation) -> list[int]:
    return [each.turn for each in items_page(connection, "shop", of.id, limit=100, order="asc")]


def test_turns_begin_where_somebody_asks(connection: sqlite3.Connection, made: Conversation) -> None:
    items = [said("be kind", "system"), said("q"), CALL, RESULT, answered("a"), said("q2"), said("q3"), answered("b")]
    after, added = add_items(connection, "shop", made.id, items, limits=LIMITS, now=NOW + 1)
    assert [each.turn for each in added] == [0, 1, 1, 1, 1, 2, 2, 2]
    assert [each.answer for each in added] == [False, False, True, False, True, False, False, True]
    assert (after.turns, after.places, after.used_ms) == (2, 8, made.used_ms + 1000)
    assert get(connection, "shop", made.id) == after
    assert turns_of(connection, made) == [0, 1, 1, 1, 1, 2, 2, 2]
    assert bytes_of(connection) == after.bytes


def test_it_is_the_same_one_by_one(connection: sqlite3.Connection, made: Conversation) -> None:
    for each in (said("be kind", "system"), said("q"), CALL, RESULT, answered("a"), said("q2"), said("q3")):
        add_items(connection, "shop", made.id, [each], limits=LIMITS, now=NOW)
    assert turns_of(connection, made) == [0, 1, 1, 1, 1, 2, 2]


def test_a_systems_word_after_the_first_turn_stays_where_it_is(connection: sqlite3.Connection) -> None:
    made = keep(connection, turn("q", "a"), NOW).conversation
    add_items(connection, "shop", made.id, [said("be short", "system")], limits=LIMITS, now=NOW)
    assert texts_in(connection, "shop", made.id) == ["q", "a", "be short"]
    assert turns_of(connection, made) == [1, 1, 2]


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_have_each_once_and_in_order(
    connection: sqlite3.Connection, made: Conversation, limit: int, order: str
) -> None:
    items = [said("be kind", "system"), *(said(str(number)) for number in range(9))]
    add_items(connection, "shop", made.id, items, limits=LIMITS, now=NOW)
    found: list[str] = []
    after = None
    while page := items_page(connection, "shop", made.id, after=after, limit=limit, order=order):
        found += texts(page)
        after = page[-1].id
    wanted = ["be kind", *map(str, range(9))]
    assert found == (wanted if order == "asc" else wanted[::-1])


def test_pages_begin_behind_items_of_the_same_conversation_alone(
    connection: sqlite3.Connection, made: Conversation
) -> None:
    other = keep(connection, turn("q", "a"), NOW)
    for wanted in ("msg_none", other.items[0].id):
        with pytest.raises(UnknownItem) as error:
            items_page(connection, "shop", made.id, after=wanted)
        assert error.value.param == "after"


def test_one_is_found_by_its_conversation_and_its_project(connection: sqlite3.Connection, made: Conversation) -> None:
    picture = pictured("look", b"\x89PNG")
    _, (added,) = add_items(connection, "shop", made.id, [picture], limits=LIMITS, now=NOW)
    found = item(connection, "shop", made.id, added.id)
    assert found == added
    assert found.body["content"] == picture["content"]
    other = keep(connection, turn("q", "a"), NOW).conversation
    with pytest.raises(UnknownItem):
        item(connection, "shop", other.id, added.id)
    for project in ("bot", "\x02shop"):
        with pytest.raises(UnknownConversation):
            item(connection, project, made.id, added.id)


def test_one_goes_and_the_rest_stays(connection: sqlite3.Connection) -> None:
    kept = keep(connection, turn("q1", "a1", tokens=9), NOW)
    keep(connection, turn("q2", "a2", kept.conversation.id), NOW)
    after = delete_item(connection, "shop", kept.conversation.id, kept.items[1].id, limits=LIMITS)
    assert texts_in(connection, "shop", kept.conversation.id) == ["q1", "q2", "a2"]
    assert (after.tokens, after.places) == (None, 4)
    assert bytes_of(connection) == after.bytes
    with pytest.raises(UnknownItem):
        delete_item(connection, "shop", kept.conversation.id, kept.items[1].id, limits=LIMITS)


def test_nobody_elses_goes(connection: sqlite3.Connection) -> None:
    kept, other = (keep(connection, turn("q", "a", project=project), NOW) for project in ("shop", "bot"))
    with pytest.raises(UnknownConversation):
        delete_item(connection, "bot", kept.conversation.id, kept.items[0].id, limits=LIMITS)
    with pytest.raises(UnknownItem):
        delete_item(connection, "bot", other.conversation.id, kept.items[0].id, limits=LIMITS)


def test_more_than_may_be_kept_is_refused(connection: sqlite3.Connection, made: Conversation) -> None:
    limits = History(max_conversation_bytes=1024)
    with pytest.raises(ConversationFull):
        add_items(connection, "shop", made.id, [said("q" * 1000)], limits=limits, now=NOW)


@table(
    ("it", "is_one"),
    [
        (said("q"), False),
        (said("s", "developer"), False),
        (answered("a"), True),
        (CALL, True),
        (RESULT, False),
        ({"type": "reasoning", "summary": []}, True),
    ],
)
def test_what_engines_say_is_told_from_the_item(it: Item, is_one: bool) -> None:
    assert is_answer(it) == is_one
