"""Everything that a project has, or one conversation, read in parts: each is of one moment, and between two of them nobody is held
up and nothing is held in memory but the last.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from sqlalchemy import bindparam, select, tuple_

from hayate.store.conversations import ITEM_COLUMNS, Conversation, Stored, conversation_of, found_in, stored_of, text_of
from hayate.store.kept_responses import KeptResponse, responses_from
from hayate.store.schema import conversations, items
from hayate.store.store import Store

PART_BYTES: Final = 1024 * 1024
"""Of what is read at once, pictures included; one item alone may be more."""
TOGETHER: Final = 200
"""Rows that are looked at at once."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a conversation: first come its items, in their order, then its responses, over as many parts as it takes."""

    conversation: Conversation
    items: tuple[Stored, ...] = ()
    responses: tuple[KeptResponse, ...] = ()
    begins: bool = False
    ends: bool = False


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Behind what has been read."""

    conversation: Conversation
    item: tuple[int, int] | None = (-1, 0)
    """Turn and place; None: all have been read."""
    response: tuple[int, str] = (-1, "")
    """Its last place and its id."""
    begins: bool = True


async def all_of(store: Store, project: str) -> AsyncIterator[Part]:
    """Every conversation of a project, the oldest first, those that only hold responses too. One that is deleted meanwhile ends
    where it was. Raises HistoryUnavailable.
    """
    number = -1
    cursor: _Cursor | None = None
    while True:
        parts, number, cursor = await store.recall(
            partial(_parts, project=project, number=number, cursor=cursor), long=True
        )
        for part in parts:
            yield part
        if not parts:
            return


async def one_of(store: Store, project: str, conversation_id: str) -> AsyncIterator[Part]:
    """One conversation. Raises UnknownConversation before anything is given, HistoryUnavailable."""
    found = await store.recall(lambda c: found_in(c, project, conversation_id))
    cursor: _Cursor | None = _Cursor(found)
    while cursor is not None:
        part, cursor, _ = await store.recall(partial(_part, at=cursor, room=PART_BYTES), long=True)
        yield part


def _parts(
    connection: sqlite3.Connection, project: str, number: int, cursor: _Cursor | None
) -> tuple[list[Part], int, _Cursor | None]:
    """The next ones, behind the conversation `number` or going on in one; and where those after them begin. None: at the end."""
    parts: list[Part] = []
    room = PART_BYTES
    while room > 0 and len(parts) < TOGETHER:
        if cursor is None:
            row = connection.execute(NEXT, (project, number)).fetchone()
            if row is None:
                break
            cursor = _Cursor(conversation_of(row))
        part, after, size = _part(connection, cursor, room)
        parts.append(part)
        room, number, cursor = room - size, cursor.conversation.number, after
    return parts, number, cursor


def _part(connection: sqlite3.Connection, at: _Cursor, room: int) -> tuple[Part, _Cursor | None, int]:
    """The next one, where the one after it begins, and how many bytes it has; None: it was the conversation's last."""
    of = at.conversation
    if not connection.execute(IS_THERE, (of.number, of.project)).fetchone():
        return Part(of, begins=at.begins, ends=True), None, 0
    begun = replace(at, begins=False)
    if at.item is not None:
        sizes = connection.execute(SIZES, (of.number, *at.item, TOGETHER)).fetchall()
        count, size = _fitting(sizes, room)
        found = stored_of(connection, of.project, connection.execute(ITEMS, (of.number, *at.item, count)).fetchall())
        if count < len(sizes) or len(sizes) == TOGETHER:
            return (
                Part(of, tuple(found), begins=at.begins),
                replace(begun, item=(found[-1].turn, found[-1].place)),
                size,
            )
        begun = replace(begun, item=None)
    else:
        found, size = [], 0
    said = responses_from(connection, of, at.response, TOGETHER)
    part = Part(of, tuple(found), tuple(said), begins=at.begins, ends=len(said) < TOGETHER)
    if part.ends:
        return part, None, size
    return part, replace(begun, response=(said[-1].end_place, said[-1].id)), size


def _fitting(sizes: list[tuple[int]], room: int) -> tuple[int, int]:
    """How many items fit, at least one, and how many bytes those are."""
    total = 0
    for count, (size,) in enumerate(sizes):
        if count and total + size > room:
            return count, total
        total += size
    return len(sizes), total


_OF: Final = items.c.conversation == bindparam("of")
_ORDER: Final = (items.c.turn, items.c.place)
_BEHIND: Final = tuple_(*_ORDER) > tuple_(bindparam("turn"), bindparam("place"))
SIZES: Final = text_of(select(items.c.bytes).where(_OF, _BEHIND).order_by(*_ORDER)) + " LIMIT ?"
ITEMS: Final = text_of(select(*ITEM_COLUMNS).where(_OF, _BEHIND).order_by(*_ORDER)) + " LIMIT ?"
IS_THERE: Final = "SELECT 1 FROM conversations WHERE number = ? AND project = ?"
# The plus keeps SQLite from the index of projects, of which it would have to sort all there is, every time anew.
NEXT: Final = text_of(select(conversations)) + " WHERE +project = ? AND number > ? ORDER BY number LIMIT 1"
