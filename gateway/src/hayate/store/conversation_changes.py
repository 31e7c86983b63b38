"""What callers do with whole conversations: make one, change what is said about it, delete it, delete all."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import bindparam

from hayate.settings import History
from hayate.store import traces
from hayate.store.conversations import Conversation, begin, conversation_of, dumped, found_in, grow, text_of
from hayate.store.hidden import hide
from hayate.store.kept_items import append
from hayate.store.schema import conversations
from hayate.wire.items import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConversation:
    """What a conversation begins with."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: str | None = None
    items: Sequence[Item] = ()
    limits: History


TOGETHER: Final = 200
"""How many are deleted in one transaction: more would hold up those who wait for another."""


def create(connection: sqlite3.Connection, project: str, new: NewConversation, now: float) -> Conversation:
    """A new one that is listed, at `now` in seconds since 1970. Raises ConversationFull."""
    made = begin(connection, project, now, metadata=new.metadata)
    if new.items:
        made, _ = append(connection, made, new.items, limits=new.limits, now=now)
    if new.notes:
        made = _said(connection, made, made.metadata, new.notes, limits=new.limits)
    return made


def update(
    connection: sqlite3.Connection,
    project: str,
    conversation_id: str,
    *,
    metadata: Mapping[str, str] | None = None,
    notes: str | None = None,
    limits: History,
) -> Conversation:
    """Other metadata, in which the title is, and other notes; None leaves what there is, empty ones take it away. Raises
    UnknownConversation, ConversationFull.
    """
    found = found_in(connection, project, conversation_id)
    pairs = found.metadata if metadata is None else metadata
    return _said(connection, found, pairs, found.notes if notes is None else notes or None, limits=limits)


def delete(connection: sqlite3.Connection, project: str, conversation_id: str) -> None:
    """Nobody finds it any more, nor anything of it, and soon it is nowhere. Raises UnknownConversation."""
    hide(connection, found_in(connection, project, conversation_id))


def delete_some(connection: sqlite3.Connection, project: str) -> int:
    """Deletes up to TOGETHER conversations of a project, listed or not; how many. It has none left when it is 0."""
    found = [conversation_of(row) for row in connection.execute(SOME, (project, TOGETHER))]
    for each in found:
        hide(connection, each)
    return len(found)


def _said(
    connection: sqlite3.Connection,
    before: Conversation,
    metadata: Mapping[str, str],
    notes: str | None,
    *,
    limits: History,
) -> Conversation:
    grown = len((notes or "").encode()) - len((before.notes or "").encode())
    after = replace(
        before, metadata=dict(metadata), notes=notes, bytes=before.bytes + grown, version=before.version + 1
    )
    grow(connection, before, after, limits)
    if before.notes or before.metadata:
        traces.leave(connection)
    connection.execute(SAY, (dumped(metadata), notes, before.number, before.project))
    return after


SOME: Final = text_of(conversations.select().where(conversations.c.project == bindparam("project"))) + " LIMIT ?"
SAY: Final = "UPDATE conversations SET metadata = ?, notes = ? WHERE number = ? AND project = ?"
