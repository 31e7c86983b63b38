"""Items as rows: what they weigh, and that the same is known again."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from hayate.store.conversation_items import Where, add, last_answer, of_turn, prepared, remove, same
from hayate.store.conversations import begin
from hayate.store.pieces import MOST
from tests.unit.store.conftest import NOW, answered, count, pictured, said, texts


def test_the_id_is_no_part_of_what_is_kept() -> None:
    item = said("q")
    assert prepared({**item, "id": "msg_1"})[1:] == prepared(item)[1:]


def test_pictures_weigh_what_they_are_and_stand_elsewhere() -> None:
    plain, picture = prepared(pictured("look", b"")), prepared(pictured("look", b"\x89PNG" * 1000))
    assert len(picture.text) < 500
    assert [len(each[2]) for each in picture.images] == [4000]
    assert picture.bytes - len(picture.text) == 4000
    assert plain.bytes < 500


@pytest.mark.parametrize("many", [1, MOST, MOST + 1, 3 * MOST + 2])
def test_however_many_each_has_a_number_of_its_own(connection: sqlite3.Connection, many: int) -> None:
    of = begin(connection, "shop", NOW)
    new = [(Where(1, place, False), prepared(said(str(place)))) for place in range(1, many + 1)]
    added = add(connection, of, new)
    rows = connection.execute("SELECT number, id, place FROM items ORDER BY place").fetchall()
    assert rows == [(each.number, each.id, each.place) for each in added]
    assert texts(added) == [str(place) for place in range(1, many + 1)]


def test_where_an_id_is_taken_the_others_keep_theirs(connection: sqlite3.Connection) -> None:
    of = begin(connection, "shop", NOW)
    add(connection, of, [(Where(1, 0, False), prepared({**said("q"), "id": "msg_1"}))])
    new = [
        (Where(2, place, False), prepared({**said(str(place)), "id": f"msg_{place}"})) for place in range(1, MOST + 1)
    ]
    added = add(connection, of, new)
    assert [each.id for each in added[1:]] == [f"msg_{place}" for place in range(2, MOST + 1)]
    assert added[0].id != "msg_1"
    assert texts(added) == [str(place) for place in range(1, MOST + 1)]
    assert count(connection, "items") == 1 + MOST
    noted = connection.execute("SELECT item FROM unsearched ORDER BY item").fetchall()
    assert noted == connection.execute("SELECT number FROM items ORDER BY number").fetchall()


def test_the_last_answer_is_what_follows_the_last_question(connection: sqlite3.Connection) -> None:
    of = begin(connection, "shop", NOW)
    new = [
        (Where(turn, place, answer), prepared(answered("a") if answer else said("q")))
        for place, (turn, answer) in enumerate([(0, False), (1, False), (1, True), (2, False), (2, True), (2, True)])
    ]
    add(connection, of, new)
    for turns, places in ((0, []), (1, [2]), (2, [4, 5])):
        assert [row.place for row in last_answer(connection, replace(of, turns=turns))] == places


def test_what_is_removed_is_gone_with_its_pictures(connection: sqlite3.Connection) -> None:
    of = begin(connection, "shop", NOW)
    new = [(Where(1, 1, False), prepared(pictured("look", b"\x89PNG"))), (Where(2, 2, False), prepared(said("q")))]
    add(connection, of, new)
    rows = of_turn(connection, of, 1)
    assert same(rows, [new[0][1]])
    assert not same(rows, [new[1][1]])
    assert not same(rows, [])
    assert remove(connection, of, rows) == new[0][1].bytes
    assert (count(connection, "items"), count(connection, "images"), count(connection, "item_images")) == (1, 0, 0)
