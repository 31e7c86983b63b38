"""Responses: stretches of conversations, found by their project, and gone with what is theirs alone."""

from __future__ import annotations

import sqlite3

import pytest

from hayate.errors import UnknownItem, UnknownResponse
from hayate.store.conversations import get
from hayate.store.kept_responses import (
    KeptResponse,
    NewResponse,
    delete_response,
    input_items,
    output_items,
    response,
    responses_from,
)
from hayate.store.turns import Turn, keep
from tests.unit.store.conftest import LIMITS, NOW, answered, bytes_of, count, said, texts, texts_in, turn


def chain(connection: sqlite3.Connection, length: int, *, listed: bool = False) -> str:
    """Responses resp_1, resp_2, …, each of which goes on from the one before; their conversation."""
    made = None
    for number in range(1, length + 1):
        new = NewResponse(f"resp_{number}", {"model": "m"}, f"resp_{number - 1}" if number > 1 else None)
        made = keep(
            connection, turn(f"q{number}", f"a{number}", made, listed=listed, response=new), NOW + number
        ).conversation.id
    assert made is not None
    return made


def found(connection: sqlite3.Connection, response_id: str) -> KeptResponse:
    it = response(connection, "shop", response_id)
    assert it is not None
    return it


def test_each_has_its_own_stretch(connection: sqlite3.Connection) -> None:
    made = chain(connection, 3)
    for number in (1, 2, 3):
        it = found(connection, f"resp_{number}")
        assert texts(output_items(connection, it)) == [f"a{number}"]
        assert texts(input_items(connection, "shop", it.id)) == [f"q{number}"]
        assert (it.is_last, it.created_ms, it.conversation.id) == (number == 3, int((NOW + number) * 1000), made)


def test_what_a_system_says_with_it_is_part_of_its_input(connection: sqlite3.Connection) -> None:
    new = turn("q", "a", head=[said("be kind", "system")], response=NewResponse("resp_1", {}))
    keep(connection, new, NOW)
    assert texts(input_items(connection, "shop", "resp_1", order="asc")) == ["be kind", "q"]


def test_one_without_output_has_none(connection: sqlite3.Connection) -> None:
    new = Turn(project="shop", conversation=None, items=[said("q")], response=NewResponse("resp_1", {}))
    keep(connection, new, NOW)
    assert output_items(connection, found(connection, "resp_1")) == []
    assert texts(input_items(connection, "shop", "resp_1")) == ["q"]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_input_in_pages_has_each_once(connection: sqlite3.Connection, order: str, limit: int) -> None:
    chain(connection, 1)
    items = [said(str(number)) for number in range(7)]
    new = Turn(
        project="shop", conversation=None, items=items, answer=[answered("a")], response=NewResponse("resp_9", {})
    )
    keep(connection, new, NOW)
    got: list[str] = []
    after = None
    while page := input_items(connection, "shop", "resp_9", after=after, limit=limit, order=order):
        got += texts(page)
        after = page[-1].id
    wanted = [*map(str, range(7))]
    assert got == (wanted if order == "asc" else wanted[::-1])


def test_pages_begin_behind_its_own_input_alone(connection: sqlite3.Connection) -> None:
    chain(connection, 2)
    others = [*input_items(connection, "shop", "resp_1"), *output_items(connection, found(connection, "resp_2"))]
    for each in others:
        with pytest.raises(UnknownItem):
            input_items(connection, "shop", "resp_2", after=each.id)


def test_another_project_finds_nothing_and_deletes_nothing(connection: sqlite3.Connection) -> None:
    chain(connection, 1)
    assert response(connection, "bot", "resp_1") is None
    with pytest.raises(UnknownResponse):
        input_items(connection, "bot", "resp_1")
    with pytest.raises(UnknownResponse):
        delete_response(connection, "bot", "resp_1", limits=LIMITS)
    found(connection, "resp_1")


def test_the_last_of_a_chain_goes_with_what_was_said(connection: sqlite3.Connection) -> None:
    made = chain(connection, 3)
    delete_response(connection, "shop", "resp_3", limits=LIMITS)
    assert texts_in(connection, "shop", made) == ["q1", "a1", "q2", "a2"]
    assert found(connection, "resp_2").is_last
    of = get(connection, "shop", made)
    assert of is not None
    assert (of.turns, of.places) == (2, 4)
    assert bytes_of(connection) == of.bytes


def test_one_in_the_middle_goes_and_the_later_still_stand_on_all_before(connection: sqlite3.Connection) -> None:
    made = chain(connection, 3)
    delete_response(connection, "shop", "resp_2", limits=LIMITS)
    assert response(connection, "shop", "resp_2") is None
    assert texts_in(connection, "shop", made) == ["q1", "a1", "q2", "a2", "q3", "a3"]
    delete_response(connection, "shop", "resp_3", limits=LIMITS)
    assert texts_in(connection, "shop", made) == ["q1", "a1"]


def test_with_the_only_one_the_conversation_goes(connection: sqlite3.Connection) -> None:
    made = chain(connection, 2)
    for number in (1, 2):
        delete_response(connection, "shop", f"resp_{number}", limits=LIMITS)
    assert get(connection, "shop", made) is None
    assert bytes_of(connection) == 0
    with pytest.raises(UnknownResponse):
        delete_response(connection, "shop", "resp_1", limits=LIMITS)


def test_in_a_conversation_of_a_callers_what_was_said_stays(connection: sqlite3.Connection) -> None:
    made = chain(connection, 2, listed=True)
    delete_response(connection, "shop", "resp_2", limits=LIMITS)
    assert texts_in(connection, "shop", made) == ["q1", "a1", "q2", "a2"]
    assert count(connection, "responses") == 1


def test_all_of_a_conversation_are_read_a_few_at_a_time(connection: sqlite3.Connection) -> None:
    chain(connection, 5)
    of = found(connection, "resp_1").conversation
    got: list[str] = []
    behind = (-1, "")
    while some := responses_from(connection, of, behind, 2):
        got += [each.id for each in some]
        behind = (some[-1].end_place, some[-1].id)
    assert got == [f"resp_{number}" for number in range(1, 6)]
