"""Items as rows: what is made of them before they are kept, how they are added and how they go."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from itertools import repeat, takewhile
from typing import Final, NamedTuple

import orjson

from hayate.store.conversations import MARK, Conversation, Stored, text_of
from hayate.store.images import hold, let_go
from hayate.store.pieces import MOST, executed, numbers_of, statements
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


class New(NamedTuple):
    """One that is to be kept."""

    of: Conversation
    where: Where
    prepared: Prepared


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
    for first in range(0, len(new), MOST):
        some = [New(of, *each) for each in new[first : first + MOST]]
        ids = _ids(some)
        numbers = _together(connection, some, ids)
        if numbers is None:
            connection.execute(UNDO, (of.number, some[0].where.place, some[-1].where.place))
            added += [_alone(connection, each, an_id) for each, an_id in zip(some, ids, strict=True)]
        else:
            added += map(_held, repeat(connection), some, numbers, ids)
    return added


def add_all(connection: sqlite3.Connection, new: Sequence[New]) -> list[Stored] | None:
    """Keeps those of several conversations. None, with some of them kept, when another goes by the id of one already: what is done
    is to be undone.
    """
    ids = _ids(new)
    numbers = _together(connection, new, ids)
    return None if numbers is None else [*map(_held, repeat(connection), new, numbers, ids)]


def _ids(new: Sequence[New]) -> list[str]:
    return [
        each.prepared.item.get("id") or an_id
        for each, an_id in zip(new, new_ids([each.prepared.item for each in new]), strict=True)
    ]


def _together(connection: sqlite3.Connection, new: Sequence[New], ids: Sequence[str]) -> list[int] | None:
    """Their numbers. None when another goes by one of these ids already."""
    values: list[object] = []
    for an_id, (of, where, each) in zip(ids, new, strict=True):
        values += (an_id, of.number, *where, each.bytes, each.text)
    numbers: list[int] = []
    for count, done in executed(connection, INSERTS, values, len(COLUMNS)):
        if done.rowcount < count:
            return None
        numbers += numbers_of(count, done)
    return numbers


def _alone(connection: sqlite3.Connection, new: New, an_id: str) -> Stored:
    of, where, each = new
    while not (done := connection.execute(INSERTS[1], (an_id, of.number, *where, each.bytes, each.text))).rowcount:
        (an_id,) = new_ids([each.item])
    return _held(connection, new, done.lastrowid or 0, an_id)


def _held(connection: sqlite3.Connection, new: New, number: int, an_id: str) -> Stored:
    """One that has been kept, and now its pictures are."""
    of, where, each = new
    if each.images:
        hold(connection, of.project, number, each.images)
    body = each.item if each.item.get("id") == an_id else {**each.item, "id": an_id}
    return Stored(number, an_id, *where, body)


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
INSERT, _, VALUES = text_of(items.insert().values(dict.fromkeys(COLUMNS))).partition(" VALUES ")
INSERTS: Final = statements(INSERT, VALUES, " ON CONFLICT (conversation, id) DO NOTHING")
UNDO: Final = "DELETE FROM items WHERE conversation = ? AND place BETWEEN ? AND ?"
