"""What callers do with single items: add some without a call, page through them, look at one, delete one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import bindparam, select, tuple_

from hayate.settings import History
from hayate.store import traces
from hayate.store.conversation_items import Row, Where, add, prepared, remove
from hayate.store.conversations import (
    ITEM_COLUMNS,
    MOST,
    Conversation,
    Stored,
    found_in,
    grow,
    stored_of,
    text_of,
)
from hayate.store.quick import expect
from hayate.store.schema import items
from hayate.wire.history_ids import unknown_item
from hayate.wire.items import Item, answers_tools, begins_turn, is_head


def append(
    connection: sqlite3.Connection, before: Conversation, new: Sequence[Item], *, limits: History, now: float
) -> tuple[Conversation, list[Stored]]:
    """Adds items at the end, at `now` in seconds since 1970: those of a system before all turns, as long as there are none. Raises
    ConversationFull.
    """
    turn, last = before.turns, _last(connection, before)
    placed = []
    for place, item in enumerate(new, before.places + 1):
        if turn or not is_head(item):
            turn, last = turn + begins_turn(item, last), item
        placed.append((Where(turn, place, turn > 0 and is_answer(item)), prepared(item)))
    added = add(connection, before, placed)
    after = replace(
        before,
        used_ms=int(now * 1000),
        turns=turn,
        places=before.places + len(new),
        bytes=before.bytes + sum(each.bytes for _, each in placed),
        tokens=None,
        version=before.version + 1,
    )
    grow(connection, before, after, limits)
    return after, added


def add_items(
    connection: sqlite3.Connection,
    project: str,
    conversation_id: str,
    new: Sequence[Item],
    *,
    limits: History,
    now: float,
) -> tuple[Conversation, list[Stored]]:
    """The same for a conversation by its id. Raises UnknownConversation, too."""
    return append(connection, found_in(connection, project, conversation_id), new, limits=limits, now=now)


def items_page(
    connection: sqlite3.Connection,
    project: str,
    conversation_id: str,
    *,
    after: str | None = None,
    limit: int = 20,
    order: str = "desc",
) -> list[Stored]:
    """Items from behind `after` on, the last first (`asc`: the first). Raises UnknownConversation, UnknownItem for `after`."""
    found = found_in(connection, project, conversation_id)
    expect(connection, found.bytes)
    forward = order == "asc"
    where = (-1, 0) if forward else (MOST, MOST)
    if after is not None:
        where = _place(connection, found, after, param="after")
    rows = connection.execute(UP if forward else DOWN, (found.number, *where, limit)).fetchall()
    return stored_of(connection, project, rows)


def item(connection: sqlite3.Connection, project: str, conversation_id: str, item_id: str) -> Stored:
    """One item. Raises UnknownConversation, UnknownItem."""
    found = found_in(connection, project, conversation_id)
    rows = connection.execute(ONE, (found.number, item_id)).fetchall()
    if not rows:
        raise unknown_item(item_id)
    return stored_of(connection, project, rows)[0]


def delete_item(
    connection: sqlite3.Connection, project: str, conversation_id: str, item_id: str, *, limits: History
) -> Conversation:
    """The conversation without it. Raises UnknownConversation, UnknownItem."""
    before = found_in(connection, project, conversation_id)
    row = connection.execute(ROW, (before.number, item_id)).fetchone()
    if row is None:
        raise unknown_item(item_id)
    gone_bytes = remove(connection, before, [Row(*row)])
    traces.leave(connection)
    after = replace(before, bytes=before.bytes - gone_bytes, tokens=None, version=before.version + 1)
    grow(connection, before, after, limits)
    return after


def is_answer(item: Item) -> bool:
    """Whether it is what an engine says, as far as that can be told from the item."""
    return item.get("role") == "assistant" if item["type"] == "message" else not answers_tools(item)


def _last(connection: sqlite3.Connection, of: Conversation) -> Item | None:
    """The item behind which others are added; None before the first turn."""
    rows = connection.execute(DOWN, (of.number, MOST, MOST, 1)).fetchall() if of.turns else ()
    return next((each.body for each in stored_of(connection, of.project, rows) if each.turn), None)


def _place(connection: sqlite3.Connection, of: Conversation, item_id: str, *, param: str) -> tuple[int, int]:
    place: Any = connection.execute(PLACE, (of.number, item_id)).fetchone()
    if place is None:
        raise unknown_item(item_id, param=param)
    return place[0], place[1]


_OF: Final = items.c.conversation == bindparam("of")
_NAMED: Final = items.c.id == bindparam("id")
_ORDER: Final = (items.c.turn, items.c.place)
_BEHIND: Final = tuple_(bindparam("turn"), bindparam("place"))
_ITEMS: Final = select(*ITEM_COLUMNS).where(_OF)
UP: Final = text_of(_ITEMS.where(tuple_(*_ORDER) > _BEHIND).order_by(*_ORDER)) + " LIMIT ?"
DOWN: Final = text_of(_ITEMS.where(tuple_(*_ORDER) < _BEHIND).order_by(*(each.desc() for each in _ORDER))) + " LIMIT ?"
ONE: Final = text_of(_ITEMS.where(_NAMED))
PLACE: Final = text_of(select(*_ORDER).where(_OF, _NAMED))
ROW: Final = text_of(select(*(items.c[name] for name in Row._fields)).where(_OF, _NAMED))
