"""Responses: each is a stretch of a conversation, and goes with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from sqlalchemy import bindparam, select, tuple_

from hayate.settings import History
from hayate.store import traces
from hayate.store.conversation_items import Row, remove
from hayate.store.conversations import (
    ITEM_COLUMNS,
    MOST,
    Conversation,
    Stored,
    conversation_of,
    grow,
    stored_of,
    text_of,
)
from hayate.store.hidden import hide
from hayate.store.quick import expect
from hayate.store.schema import conversations, items, responses
from hayate.wire.history_ids import unknown_item, unknown_response


@dataclass(frozen=True, slots=True)
class NewResponse:
    """A response that a turn makes: its items are those of the turn. `body` is the rest of it, without input and output;
    `previous` the one that it went on from.
    """

    id: str
    body: Mapping[str, Any]
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """A response as it is kept: the conversation that it is a stretch of, and where in that its input and its output begin and the
    output ends (all by `Stored.place`).
    """

    id: str
    conversation: Conversation
    previous: str | None
    created_ms: int
    first_place: int
    answer_place: int
    end_place: int
    body: dict[str, Any]

    @property
    def is_last(self) -> bool:
        """Whether nothing has been said since: who goes on from another branches the conversation."""
        return self.end_place == self.conversation.places


def response(connection: sqlite3.Connection, project: str, response_id: str) -> KeptResponse | None:
    """None when the project has none of this id."""
    row = connection.execute(FIND, (response_id, project)).fetchone()
    return None if row is None else _response_of(row, conversation_of(row[OWN:]))


def responses_from(
    connection: sqlite3.Connection, of: Conversation, behind: tuple[int, str], limit: int
) -> list[KeptResponse]:
    """Those of a conversation in their order, from behind one that ends at that place and has that id."""
    return [_response_of(row, of) for row in connection.execute(ALL, (of.number, *behind, limit))]


def output_items(connection: sqlite3.Connection, of: KeptResponse) -> list[Stored]:
    """What the engine said, in its order."""
    expect(connection, of.conversation.bytes)
    rows = connection.execute(UP, (of.conversation.number, of.answer_place - 1, of.end_place + 1, MOST))
    return stored_of(connection, of.conversation.project, rows.fetchall())


def input_items(
    connection: sqlite3.Connection,
    project: str,
    response_id: str,
    *,
    after: str | None = None,
    limit: int = 20,
    order: str = "desc",
) -> list[Stored]:
    """What was said to it, from behind `after` on, the last first (`asc`: the first). Raises UnknownResponse, UnknownItem."""
    of = _found(connection, project, response_id)
    expect(connection, of.conversation.bytes)
    low, high = of.first_place - 1, of.answer_place
    if after is not None:
        row = connection.execute(PLACE, (of.conversation.number, after)).fetchone()
        if row is None or not low < row[0] < high:
            raise unknown_item(after, param="after")
        low, high = (row[0], high) if order == "asc" else (low, row[0])
    rows = connection.execute(UP if order == "asc" else DOWN, (of.conversation.number, low, high, limit)).fetchall()
    return stored_of(connection, project, rows)


def delete_response(connection: sqlite3.Connection, project: str, response_id: str, *, limits: History) -> None:
    """It is gone; of a chain, also what no other response has that is left: a later one still stands on all before it. What
    belongs to a conversation that is listed stays there. Raises UnknownResponse.
    """
    of = _found(connection, project, response_id)
    connection.execute(DELETE, (response_id, project))
    if of.conversation.listed:
        return
    (end,) = connection.execute(END, (of.conversation.number,)).fetchone()
    if end is None:
        hide(connection, of.conversation)
    elif end < of.conversation.places:
        rows = [Row(*row) for row in connection.execute(BEHIND, (of.conversation.number, end))]
        gone_bytes = remove(connection, of.conversation, rows)
        traces.leave(connection)
        _cut(connection, of.conversation, end, gone_bytes, limits)


def insert(
    connection: sqlite3.Connection, of: Conversation, new: NewResponse, now_ms: int, places: tuple[int, int]
) -> None:
    """Keeps one that ends where the conversation does; `places`: where its input and its output begin."""
    body = orjson.dumps(new.body).decode()
    connection.execute(INSERT, (new.id, of.project, of.number, new.previous, now_ms, *places, of.places, body))


def without(connection: sqlite3.Connection, of: Conversation, place: int) -> None:
    """What is at this place of a conversation, or behind it, is no answer any more: those whose it was go."""
    connection.execute(REPLACED, (of.number, place))


def _response_of(row: Sequence[Any], of: Conversation) -> KeptResponse:
    an_id, previous, created_ms, first, answer, end, body = row[:OWN]
    return KeptResponse(an_id, of, previous, created_ms, first, answer, end, orjson.loads(body))


def _found(connection: sqlite3.Connection, project: str, response_id: str) -> KeptResponse:
    found = response(connection, project, response_id)
    if found is None:
        raise unknown_response(response_id)
    return found


def _cut(connection: sqlite3.Connection, before: Conversation, end: int, gone_bytes: int, limits: History) -> None:
    (turns,) = connection.execute(TURNS, (before.number,)).fetchone()
    after = replace(
        before, turns=turns, places=end, bytes=before.bytes - gone_bytes, tokens=None, version=before.version + 1
    )
    grow(connection, before, after, limits)


_OWN: Final = tuple(
    responses.c[name] for name in ("id", "previous", "created_ms", "first_place", "answer_place", "end_place", "body")
)
OWN: Final = len(_OWN)
FIND: Final = text_of(
    select(*_OWN, *conversations.c)
    .join(conversations, responses.c.conversation == conversations.c.number)
    .where(responses.c.id == bindparam("id"), conversations.c.project == bindparam("project"))
)
_ENDS: Final = (responses.c.end_place, responses.c.id)
ALL: Final = (
    text_of(
        select(*_OWN)
        .where(responses.c.conversation == bindparam("of"), tuple_(*_ENDS) > tuple_(bindparam("end"), bindparam("id")))
        .order_by(*_ENDS)
    )
    + " LIMIT ?"
)
_OF: Final = items.c.conversation == bindparam("of")
_ORDER: Final = (items.c.turn, items.c.place)
_BETWEEN: Final = select(*ITEM_COLUMNS).where(_OF, items.c.place > bindparam("low"), items.c.place < bindparam("high"))
UP: Final = text_of(_BETWEEN.order_by(*_ORDER)) + " LIMIT ?"
DOWN: Final = text_of(_BETWEEN.order_by(*(each.desc() for each in _ORDER))) + " LIMIT ?"
PLACE: Final = text_of(select(items.c.place).where(_OF, items.c.id == bindparam("id")))
BEHIND: Final = text_of(select(*(items.c[name] for name in Row._fields)).where(_OF, items.c.place > bindparam("place")))
INSERT: Final = text_of(responses.insert())
DELETE: Final = "DELETE FROM responses WHERE id = ? AND project = ?"
REPLACED: Final = "DELETE FROM responses WHERE conversation = ? AND end_place >= ?"
END: Final = "SELECT max(end_place) FROM responses WHERE conversation = ?"
TURNS: Final = "SELECT coalesce(max(turn), 0) FROM items WHERE conversation = ?"
