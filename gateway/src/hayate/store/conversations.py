"""Conversations and what was said in them, as they stand in the store. Every statement names the project: what belongs to another
is not there. Texts go through the driver itself (`rows` says why), and are prepared once.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Any, Final

import orjson
from sqlalchemy import ClauseElement, bindparam, select, tuple_
from sqlalchemy.dialects import sqlite

from hayate.settings import History
from hayate.store.images import finder
from hayate.store.pieces import executed, numbers_of, statements
from hayate.store.quick import expect
from hayate.store.schema import conversations, items
from hayate.store.sizes import grown
from hayate.wire.history_ids import unknown_conversation
from hayate.wire.images_in_items import DIGEST, put_back
from hayate.wire.items import Item


@dataclass(frozen=True, slots=True)
class Conversation:
    """One row of the table (`schema` says what each column is); times in milliseconds since 1970."""

    number: int
    id: str
    project: str
    listed: bool
    created_ms: int
    used_ms: int
    metadata: Mapping[str, str]
    notes: str | None
    turns: int
    places: int
    bytes: int
    first_turn: int
    window: int | None
    tokens: int | None
    version: int


Columns = tuple[Any, ...]
"""All of a conversation but its number, in their order."""
_METADATA: Final = 5
_ID_DIGITS: Final = 32
_TIME_DIGITS: Final = 11
"""Of milliseconds since 1970, until the year 2527."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An item as it is kept: where it stands, whether an engine said it, and the item itself with its id."""

    number: int
    id: str
    turn: int
    place: int
    answer: bool
    body: Item


@dataclass(frozen=True, slots=True)
class Loaded:
    """A conversation with what goes along, its head and its turns from `conversation.first_turn` on, or with all of it; pictures
    put back.
    """

    conversation: Conversation
    items: tuple[Stored, ...]


def load(connection: sqlite3.Connection, project: str, conversation_id: str, *, whole: bool = False) -> Loaded | None:
    """What goes along, or all; None when the project has no such conversation."""
    found = get(connection, project, conversation_id)
    if found is None:
        return None
    expect(connection, found.bytes)
    if whole or found.first_turn <= 1:
        rows = connection.execute(ALL, (found.number,)).fetchall()
    else:
        rows = connection.execute(OF_TURN, (found.number, 0)).fetchall()
        rows += connection.execute(FROM_TURN, (found.number, found.first_turn))
    return Loaded(found, tuple(stored_of(connection, project, rows)))


def get(connection: sqlite3.Connection, project: str, conversation_id: str) -> Conversation | None:
    """The conversation alone; None when the project has none of this id."""
    row = connection.execute(FIND, (conversation_id, project)).fetchone()
    return None if row is None else conversation_of(row)


def version(connection: sqlite3.Connection, known: Conversation) -> int | None:
    """Of a conversation that is known, as it is now; None when its project has it no more. By its number: its id stands elsewhere,
    and for whoever else has written something in between each page is another read.
    """
    row = connection.execute(VERSION, (known.number, known.id, known.project)).fetchone()
    return None if row is None else int(row[0])


def found_in(
    connection: sqlite3.Connection, project: str, conversation_id: str, *, param: str | None = None
) -> Conversation:
    """The same for who needs it. Raises UnknownConversation; `param`: the field that named it, where it was a field."""
    found = get(connection, project, conversation_id)
    if found is None:
        raise unknown_conversation(conversation_id, param=param)
    return found


def list_(
    connection: sqlite3.Connection, project: str, *, after: str | None = None, limit: int = 20, order: str = "desc"
) -> list[Conversation]:
    """A project's conversations that are listed, from behind `after` on, those used last first (`asc`: last). Raises
    UnknownConversation when the project has no such one to begin behind.
    """
    forward = order == "asc"
    statement, where = (LIST_UP if forward else LIST_DOWN), (0, 0) if forward else (MOST, MOST)
    if after is not None:
        last = found_in(connection, project, after, param="after")
        where = (last.used_ms, last.number)
    return [conversation_of(row) for row in connection.execute(statement, (project, *where, limit))]


def begin(
    connection: sqlite3.Connection,
    project: str,
    now: float,
    *,
    an_id: str | None = None,
    listed: bool = True,
    metadata: Mapping[str, str] | None = None,
) -> Conversation:
    """A new one, empty, at `now` in seconds since 1970. `an_id` is its id; without, it gets one."""
    row = new_row(project, now, an_id=an_id, listed=listed, metadata=metadata)
    return Conversation(inserted(connection, [row])[0], *row)


def new_row(
    project: str,
    now: float,
    *,
    an_id: str | None = None,
    listed: bool = True,
    metadata: Mapping[str, str] | None = None,
) -> Columns:
    """The same before it is in the store, which gives it its number."""
    now_ms, pairs = int(now * 1000), dict(metadata or {})
    return (an_id or new_id(), project, listed, now_ms, now_ms, pairs, None, 0, 0, 0, 1, None, None, 1)


def inserted(connection: sqlite3.Connection, rows: Sequence[Columns]) -> list[int]:
    """Puts new conversations into the store, as they are from the beginning; the numbers that they get."""
    values: list[object] = []
    for row in rows:
        values += row[:_METADATA]
        values.append(dumped(row[_METADATA]))
        values += row[_METADATA + 1 :]
    numbers: list[int] = []
    for count, done in executed(connection, INSERTS, values, _COLUMNS):
        numbers += numbers_of(count, done)
    return numbers


def new_id() -> str:
    """A name for a conversation, which nobody can guess."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[str]:
    """Names for that many conversations, drawn in one system call: 128 random bits behind the time, so that they come to stand one
    beside the other in their index, and a commit writes few of its pages.
    """
    began, digits = f"conv_{int(time() * 1000):0{_TIME_DIGITS}x}", secrets.token_hex(_ID_DIGITS // 2 * count)
    return [began + digits[first : first + _ID_DIGITS] for first in range(0, len(digits), _ID_DIGITS)]


def grow(connection: sqlite3.Connection, before: Conversation, after: Conversation, limits: History) -> None:
    """What has become of a conversation within the transaction that is open. Raises ConversationFull."""
    grown(connection, before.project, after.bytes - before.bytes, after.bytes, limits)
    gone_on(connection, [(before, after)])


def gone_on(connection: sqlite3.Connection, changes: Sequence[tuple[Conversation, Conversation]]) -> int:
    """Several, each as it was and as it is; how many of them there are in the store as they were."""
    values: list[object] = []
    for before, now in changes:
        values += (now.number, now.id, now.project, before.version, now.used_ms, now.turns, now.places, now.bytes)
        values += (now.first_turn, now.window, now.tokens, now.version)
    return sum(done.rowcount for _, done in executed(connection, GROW, values, _GROWS))


def conversation_of(row: Sequence[Any]) -> Conversation:
    """A row of the table, in the order of its columns."""
    number, an_id, project, listed, created_ms, used_ms, metadata, *rest = row
    pairs = {} if metadata == NO_PAIRS else orjson.loads(metadata)
    return Conversation(number, an_id, project, bool(listed), created_ms, used_ms, pairs, *rest)


def dumped(pairs: Mapping[str, str]) -> str:
    """Metadata as it is kept."""
    return orjson.dumps(pairs).decode() if pairs else NO_PAIRS


def stored_of(connection: sqlite3.Connection, project: str, rows: Sequence[tuple[Any, ...]]) -> list[Stored]:
    """Rows of a project's items, in the order of `ITEM_COLUMNS`, with their pictures."""
    find, found = finder(connection, project), []
    bodies = orjson.loads(f"[{','.join([row[5] for row in rows])}]")
    for (number, an_id, turn, place, answer, text), kept in zip(rows, bodies, strict=True):
        body = put_back(kept, find) if MARK in text else kept
        body["id"] = an_id
        found.append(Stored(number, an_id, turn, place, answer == 1, body))
    return found


NO_PAIRS: Final = "{}"
MARK: Final = f'"{DIGEST}"'
"""What stands in an item that holds a picture."""
MOST: Final = 2**63 - 1
ITEM_COLUMNS: Final = tuple(items.c[name] for name in ("number", "id", "turn", "place", "answer", "body"))
_ITEMS: Final = (
    select(*ITEM_COLUMNS).where(items.c.conversation == bindparam("of")).order_by(items.c.turn, items.c.place)
)
_LISTED: Final = select(conversations).where(conversations.c.project == bindparam("project"), conversations.c.listed)
_USED: Final = (conversations.c.used_ms, conversations.c.number)
_BEHIND: Final = tuple_(bindparam("used_ms"), bindparam("number"))


def text_of(statement: ClauseElement) -> str:
    """What the driver is given."""
    return str(statement.compile(dialect=sqlite.dialect()))


FIND: Final = text_of(
    select(conversations).where(conversations.c.id == bindparam("id"), conversations.c.project == bindparam("project"))
)
VERSION: Final = "SELECT version FROM conversations WHERE number = ? AND id = ? AND project = ?"
LIST_UP: Final = text_of(_LISTED.where(tuple_(*_USED) > _BEHIND).order_by(*_USED)) + " LIMIT ?"
LIST_DOWN: Final = (
    text_of(_LISTED.where(tuple_(*_USED) < _BEHIND).order_by(*(each.desc() for each in _USED))) + " LIMIT ?"
)


def quoted(column: str) -> str:
    """A column's name as SQL has it."""
    return f'"{column}"'


_NEW: Final = [each.name for each in conversations.c if each.name != "number"]  # the database gives it the next
_COLUMNS: Final = len(_NEW)
INSERTS: Final = statements(
    f"INSERT INTO conversations ({', '.join(map(quoted, _NEW))})", f"({', '.join('?' * _COLUMNS)})"
)
_GROWS: Final = 12
_GROW: Final = (
    "UPDATE conversations SET used_ms = ?5, turns = ?6, places = ?7, bytes = ?8, first_turn = ?9, "
    '"window" = ?10, tokens = ?11, version = ?12 WHERE number = ?1 AND id = ?2 AND project = ?3 AND version = ?4'
)
_FROM: Final = _GROW.replace("?", "now.column").replace(" WHERE number", " FROM ({rows}) AS now WHERE number")
GROW: Final = {
    count: _FROM.format(rows=rows) for count, rows in statements("", f"({', '.join('?' * _GROWS)})").items()
} | {1: _GROW}
"""By itself it needs no table of one row, which would take twice as long as the change."""
ALL: Final = text_of(_ITEMS)
OF_TURN: Final = text_of(_ITEMS.where(items.c.turn == bindparam("turn")))
FROM_TURN: Final = text_of(_ITEMS.where(items.c.turn >= bindparam("turn")))
