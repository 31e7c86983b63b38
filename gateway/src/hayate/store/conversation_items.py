"""Items as rows: what is made of them before they are kept, how they are added and how they go."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from itertools import takewhile
from typing import Final, NamedTuple

import orjson

from hayate.store.conversations import MARK, Conversation, Stored, text_of
from hayate.store.images import hold, let_go
from hayate.store.schema import items
from hayate.wire.images_in_items import Image, taken_out
from hayate.wire.items import Item, new_ids


class Where(NamedTuple):
    """Where an item stands, and whether an engine said it."""

    turn: int
    place: int
    answer: bool


class Row(NamedTuple):
    """An item as it stands in the table."""

    number: int
    place: int
    answer: int
    bytes: int
    body: str


class Prepared(NamedTuple):
    """An item that is about to be kept."""

    item: Item
    text: str
    """JSON of it, without its id and its pictures."""
    images: list[Image]
    bytes: int
    """With its pictures, each as often as an item has it."""


def prepared(item: Item) -> Prepared:
    """Looks at nothing in the store. Raises InvalidRequest for a picture that is none."""
    body, images = taken_out(item)
    if "id" in body:
        body = {name: value for name, value in body.items() if name != "id"}
    raw = _dumped(body)
    return Prepared(item, raw.decode(), images, len(raw) + sum(len(image[2]) for image in images))


def add(connection: sqlite3.Connection, of: Conversation, new: Sequence[tuple[Where, Prepared]]) -> list[Stored]:
    """Keeps some. Each goes by the id that it has; where it has none, or another of the conversation goes by that, by a new one."""
    added: list[Stored] = []
    for first in range(0, len(new), TOGETHER):
        some = new[first : first + TOGETHER]
        ids = [
            each.item.get("id") or an_id
            for (_, each), an_id in zip(some, new_ids([each.item for _, each in some]), strict=True)
        ]
        named = _together(connection, of, some, ids) or [
            _alone(connection, of, each, an_id) for each, an_id in zip(some, ids, strict=True)
        ]
        for (number, an_id), (where, each) in zip(named, some, strict=True):
            if each.images:
                hold(connection, of.project, number, each.images)
            body = each.item if each.item.get("id") == an_id else {**each.item, "id": an_id}
            added.append(Stored(number, an_id, *where, body))
    return added


def _together(
    connection: sqlite3.Connection, of: Conversation, new: Sequence[tuple[Where, Prepared]], ids: Sequence[str]
) -> list[tuple[int, str]]:
    """Numbers and ids; nothing, and nothing done, when another goes by one of these already."""
    values: list[object] = []
    for an_id, (where, each) in zip(ids, new, strict=True):
        values += (an_id, of.number, *where, each.bytes, each.text)
    done = connection.execute(INSERTS[len(new)], values)
    if done.rowcount < len(new):
        connection.execute(UNDO, (of.number, new[0][0].place, new[-1][0].place))
        return []
    first = (done.lastrowid or 0) - len(new) + 1  # what one statement inserts is numbered one after the other
    return [*zip(range(first, first + len(new)), ids, strict=True)]


def _alone(
    connection: sqlite3.Connection, of: Conversation, new: tuple[Where, Prepared], an_id: str
) -> tuple[int, str]:
    where, each = new
    while not (done := connection.execute(INSERTS[1], (an_id, of.number, *where, each.bytes, each.text))).rowcount:
        (an_id,) = new_ids([each.item])
    return done.lastrowid or 0, an_id


def of_turn(connection: sqlite3.Connection, of: Conversation, turn: int) -> list[Row]:
    """The items of one turn, in their order."""
    return [Row(*row) for row in connection.execute(OF_TURN, (of.number, turn))]


def last_answer(connection: sqlite3.Connection, of: Conversation) -> list[Row]:
    """What an engine said last in the last turn, behind all that was said to it."""
    found = of_turn(connection, of, of.turns)
    said = sum(1 for _ in takewhile(lambda row: row.answer, reversed(found)))
    return found[len(found) - said :]


def remove(connection: sqlite3.Connection, of: Conversation, rows: Sequence[Row]) -> int:
    """Deletes them; how many bytes that were."""
    for row in rows:
        if MARK in row.body:
            let_go(connection, of.project, row.number)
        connection.execute(DELETE, (row.number, of.number))
    return sum(row.bytes for row in rows)


def same(rows: Sequence[Row], items: Sequence[Prepared]) -> bool:
    """Whether those that are kept say what these do."""
    return [row.body for row in rows] == [each.text for each in items]


def _dumped(body: Item) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # half a character (a surrogate), which no file can hold
        whole = json.dumps(body, ensure_ascii=False).encode(errors="replace")
        return orjson.dumps(orjson.loads(whole))


OF_TURN: Final = (
    "SELECT number, place, answer, bytes, body FROM items WHERE conversation = ? AND turn = ? ORDER BY place"
)
DELETE: Final = "DELETE FROM items WHERE number = ? AND conversation = ?"
COLUMNS: Final = ("id", "conversation", "turn", "place", "answer", "bytes", "body")
TOGETHER: Final = 8
"""Items in one statement."""
INSERT, _, VALUES = text_of(items.insert().values(dict.fromkeys(COLUMNS))).partition(" VALUES ")
INSERTS: Final = {
    count: f"{INSERT} VALUES {', '.join([VALUES] * count)} ON CONFLICT (conversation, id) DO NOTHING"
    for count in range(1, TOGETHER + 1)
}
UNDO: Final = "DELETE FROM items WHERE conversation = ? AND place BETWEEN ? AND ?"
