"""Turns as they are kept: a question and its answer, both or neither."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from hayate.errors import ConversationFull, ConversationLocked, UnknownConversation
from hayate.settings import History
from hayate.store.conversation_changes import delete
from hayate.store.conversations import get, load
from hayate.store.kept_responses import NewResponse, response
from hayate.store.turns import Turn, keep
from tests.unit.store.conftest import NOW, answered, bytes_of, count, pictured, said, texts_in, turn

CALL = {"type": "function_call", "name": "look_up", "call_id": "c1", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "sunny"}


def test_the_first_turn_makes_the_conversation(connection: sqlite3.Connection) -> None:
    kept = keep(connection, turn("how are you?", "fine", head=[said("be kind", "system")], tokens=12), NOW)
    loaded = load(connection, "shop", kept.conversation.id)
    assert loaded is not None
    assert (loaded.conversation, loaded.items) == (kept.conversation, kept.items)
    assert texts_in(connection, "shop", kept.conversation.id) == ["be kind", "how are you?", "fine"]
    assert (kept.conversation.turns, kept.conversation.tokens, kept.conversation.listed) == (1, 12, True)
    assert bytes_of(connection) == kept.conversation.bytes > 0


def test_it_has_the_id_that_was_told_before(connection: sqlite3.Connection) -> None:
    kept = keep(connection, turn("q", "a", new_id="conv_told", listed=False, metadata={"a": "b"}), NOW)
    assert get(connection, "shop", "conv_told") == kept.conversation
    assert (kept.conversation.listed, kept.conversation.metadata) == (False, {"a": "b"})


def test_the_next_ones_follow(connection: sqlite3.Connection) -> None:
    first = keep(connection, turn("q1", "a1"), NOW).conversation
    second = keep(connection, turn("q2", "a2", first.id, first_turn=2, window=4096), NOW + 1).conversation
    assert (second.turns, second.places, second.version, second.used_ms) == (
        2,
        4,
        first.version + 1,
        first.used_ms + 1000,
    )
    assert (second.first_turn, second.window) == (2, 4096)
    assert texts_in(connection, "shop", first.id) == ["q2", "a2"]
    third = keep(connection, turn("q3", "a3", first.id), NOW + 2).conversation
    assert (third.first_turn, third.window, third.tokens) == (2, 4096, None)


def test_what_tools_return_goes_on_with_the_turn(connection: sqlite3.Connection) -> None:
    first = keep(connection, Turn(project="shop", conversation=None, items=[said("q")], answer=[CALL]), NOW)
    kept = keep(
        connection,
        Turn(
            project="shop",
            conversation=first.conversation.id,
            items=[RESULT],
            answer=[answered("sunny")],
            goes_on=True,
        ),
        NOW,
    )
    assert [(each.turn, each.place, each.answer) for each in kept.items] == [(1, 3, False), (1, 4, True)]
    assert kept.conversation.turns == 1


def test_what_makes_sense_behind_one_turn_alone_is_put_behind_no_other(connection: sqlite3.Connection) -> None:
    first = keep(connection, turn("q", "a"), NOW).conversation
    keep(connection, turn("q2", "a2", first.id, behind=first.places), NOW)
    late = turn("q3", "a3", first.id, behind=first.places)
    for each in (late, replace(late, items=[], replaces_answer=True)):
        with pytest.raises(ConversationLocked):
            keep(connection, each, NOW)
    assert texts_in(connection, "shop", first.id) == ["q", "a", "q2", "a2"]


def test_an_answer_is_replaced_by_another(connection: sqlite3.Connection) -> None:
    kept = keep(connection, turn("q1", "a1"), NOW)
    keep(connection, turn("q2", "a2", kept.conversation.id, response=NewResponse("resp_1", {})), NOW)
    again = keep(
        connection,
        Turn(
            project="shop",
            conversation=kept.conversation.id,
            answer=[answered("better")],
            replaces_answer=True,
        ),
        NOW,
    )
    assert texts_in(connection, "shop", kept.conversation.id) == ["q1", "a1", "q2", "better"]
    assert (again.conversation.turns, again.conversation.places) == (2, 5)
    assert bytes_of(connection) == again.conversation.bytes
    assert response(connection, "shop", "resp_1") is None  # what it said is not there any more


def test_of_an_exchange_with_tools_the_last_answer_is_replaced(connection: sqlite3.Connection) -> None:
    first = keep(connection, Turn(project="shop", conversation=None, items=[said("q")], answer=[CALL]), NOW)
    going_on = Turn(
        project="shop", conversation=first.conversation.id, items=[RESULT], answer=[answered("a")], goes_on=True
    )
    keep(connection, going_on, NOW)
    again = Turn(project="shop", conversation=first.conversation.id, answer=[answered("better")], replaces_answer=True)
    keep(connection, again, NOW)
    loaded = load(connection, "shop", first.conversation.id)
    assert loaded is not None
    assert [each.body["type"] for each in loaded.items] == [
        "message",
        "function_call",
        "function_call_output",
        "message",
    ]
    assert loaded.items[-1].body["content"][0]["text"] == "better"


def test_a_head_is_replaced_only_when_it_says_something_else(connection: sqlite3.Connection) -> None:
    kept = keep(connection, turn("q", "a", head=[said("be kind", "system")]), NOW)
    head = kept.items[0]
    same = keep(connection, turn("q2", "a2", kept.conversation.id, head=[said("be kind", "system")]), NOW)
    assert [each.turn for each in same.items] == [2, 2]
    other = keep(connection, turn("q3", "a3", kept.conversation.id, head=[said("be short", "system")]), NOW)
    assert [each.turn for each in other.items] == [0, 3, 3]
    assert texts_in(connection, "shop", kept.conversation.id)[:2] == ["be short", "q"]
    assert connection.execute("SELECT count(*) FROM items WHERE number = ?", (head.number,)).fetchone() == (0,)
    none = keep(connection, turn("q4", "a4", kept.conversation.id, head=[]), NOW)
    assert texts_in(connection, "shop", kept.conversation.id)[0] == "q"
    assert bytes_of(connection) == none.conversation.bytes


def test_nothing_is_kept_in_what_was_deleted_or_is_another_projects(connection: sqlite3.Connection) -> None:
    made = keep(connection, turn("q", "a"), NOW).conversation
    with pytest.raises(UnknownConversation):
        keep(connection, turn("q", "a", made.id, project="bot"), NOW)
    delete(connection, "shop", made.id)
    with pytest.raises(UnknownConversation):
        keep(connection, turn("q", "a", made.id), NOW)


@pytest.mark.parametrize("what", ["conversation", "project"])
def test_more_than_may_be_kept_is_refused_with_what_to_do(connection: sqlite3.Connection, what: str) -> None:
    few = 2000
    limits = History(max_conversation_bytes=few) if what == "conversation" else History(max_project_bytes=few)
    made = keep(connection, turn("q", "a", limits=limits), NOW).conversation
    connection.execute("SAVEPOINT turn")
    where = made.id if what == "conversation" else None
    with pytest.raises(ConversationFull) as error:
        keep(connection, turn("q" * 2000, "a", where, limits=limits), NOW)
    connection.execute("ROLLBACK TO turn")
    for language in ("en", "ja"):
        assert f"history.max_{what}_bytes" in error.value.text(language)
        assert "2,000" in error.value.text(language)
    assert bytes_of(connection) == made.bytes
    keep(connection, turn("q", "a", made.id, limits=limits), NOW)


def test_a_smaller_head_is_taken_even_where_it_is_full(connection: sqlite3.Connection) -> None:
    made = keep(connection, turn("q", "a", head=[said("be kind" * 1000, "system")]), NOW).conversation
    full = History(max_conversation_bytes=1024, max_project_bytes=1024)
    less = Turn(project="shop", conversation=made.id, head=[said("be kind", "system")], limits=full)
    assert keep(connection, less, NOW).conversation.bytes < made.bytes


def test_a_response_is_the_stretch_that_a_turn_adds(connection: sqlite3.Connection) -> None:
    first = keep(connection, turn("q1", "a1", listed=False, response=NewResponse("resp_1", {"model": "m"})), NOW)
    keep(
        connection,
        turn("q2", "a2", first.conversation.id, response=NewResponse("resp_2", {}, previous="resp_1")),
        NOW,
    )
    found = [response(connection, "shop", f"resp_{number}") for number in (1, 2)]
    assert [(each.first_place, each.answer_place, each.end_place, each.is_last) for each in found if each] == [
        (1, 2, 2, False),
        (3, 4, 4, True),
    ]
    assert found[0] is not None
    assert (found[0].body, found[0].previous) == ({"model": "m"}, None)
    assert found[1] is not None
    assert found[1].previous == "resp_1"


def test_ids_that_callers_or_engines_gave_stay_in_each_conversation(connection: sqlite3.Connection) -> None:
    named = [{**said(f"q{number}"), "id": f"msg_{number}"} for number in range(3)]
    for project in ("shop", "bot", "bot"):
        kept = keep(connection, Turn(project=project, conversation=None, items=named), NOW)
        assert [each.id for each in kept.items] == ["msg_0", "msg_1", "msg_2"]


def test_one_that_another_of_the_conversation_goes_by_is_replaced(connection: sqlite3.Connection) -> None:
    named = {**said("q"), "id": "msg_1"}
    kept = keep(connection, Turn(project="shop", conversation=None, items=[named]), NOW)
    again = keep(
        connection,
        Turn(project="shop", conversation=kept.conversation.id, items=[said("x"), named, {**said("y"), "id": "msg_2"}]),
        NOW,
    )
    assert len({each.id for each in again.items} - {"msg_1"}) == 3
    assert again.items[2].id == "msg_2"
    assert texts_in(connection, "shop", kept.conversation.id) == ["q", "x", "q", "y"]
    assert named["id"] == "msg_1"  # the caller's own is left alone
    twice = keep(connection, Turn(project="bot", conversation=None, items=[named] * 2), NOW)
    assert len({each.id for each in twice.items}) == 2


def test_numbers_are_never_given_twice(connection: sqlite3.Connection) -> None:
    last = keep(connection, turn("q", "a"), NOW).items[-1].number
    connection.execute("DELETE FROM items")
    assert keep(connection, turn("q", "a"), NOW).items[0].number == last + 1


def test_a_picture_is_kept_once_and_comes_back_as_it_was(connection: sqlite3.Connection) -> None:
    item = pictured("look", b"\x89PNG" * 500)
    made = None
    for _ in range(3):
        made = keep(connection, Turn(project="shop", conversation=made, items=[item]), NOW).conversation.id
    assert made is not None
    loaded = load(connection, "shop", made)
    assert loaded is not None
    assert [each.body["content"] for each in loaded.items] == [item["content"]] * 3
    assert count(connection, "images") == 1
    assert loaded.conversation.bytes > 3 * 2000  # it counts wherever it is shown


def test_half_a_character_is_kept_as_a_sign_that_it_is_none(connection: sqlite3.Connection) -> None:
    kept = keep(connection, turn("half \ud83d", "a"), NOW)
    assert texts_in(connection, "shop", kept.conversation.id) == ["half ?", "a"]


def test_a_turn_of_nothing_makes_an_empty_conversation(connection: sqlite3.Connection) -> None:
    kept = keep(connection, Turn(project="shop", conversation=None), NOW)
    assert (kept.items, kept.conversation.turns, kept.conversation.bytes) == ((), 0, 0)
