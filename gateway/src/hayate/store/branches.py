"""Branches: conversations that begin as another does, up to somewhere, with the same items by the same ids. Rows are copied by the
database itself."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Final

from hayate.settings import History
from hayate.store.conversations import Conversation, begin, found_in, grow
from hayate.store.kept_responses import KeptResponse
from hayate.store.making import TOGETHER, Making
from hayate.wire.history_ids import unknown_item


class Branch(Making):
    """One that begins with what a conversation holds up to the item `after`, or with all of it, at `now` in seconds since 1970. It
    is listed if that is, with its metadata and notes. The first step raises UnknownConversation, UnknownItem; any,
    ConversationFull.
    """

    def __init__(
        self, project: str, conversation_id: str, *, after: str | None = None, limits: History, now: float
    ) -> None:
        super().__init__()
        self._project, self._id, self._after = project, conversation_id, after
        self._limits, self._now = limits, now
        self._last = (0, 0)
        self._number = 0

    def begin(self, connection: sqlite3.Connection) -> Conversation:
        """Finds out what there is to copy."""
        source = self.source(connection)
        self._number = source.number
        made = begin(connection, self._project, self._now, listed=source.listed, metadata=source.metadata)
        first_turn = source.first_turn if source.first_turn <= self._last[0] else 1
        said = replace(made, notes=source.notes, first_turn=first_turn, window=source.window)
        said = replace(said, bytes=len((source.notes or "").encode()))
        grow(connection, made, said, self._limits)
        connection.execute(NOTE, (said.notes, said.number, said.project))
        return said

    def source(self, connection: sqlite3.Connection) -> Conversation:
        """What is branched; sets what the last item is that goes along."""
        source = found_in(connection, self._project, self._id)
        self._last = (source.turns, source.places)
        if self._after is not None:
            found = connection.execute(PLACE, (source.number, self._after)).fetchone()
            if found is None:
                raise unknown_item(self._after, param="after")
            self._last = found
        return source

    def go_on(self, connection: sqlite3.Connection, made: Conversation) -> tuple[Conversation, bool]:
        """Copies the next few items and who holds which pictures."""
        where = connection.execute(LAST, (made.number,)).fetchone() or (-1, 0)
        (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM items").fetchone()
        copied = connection.execute(COPY, (made.number, self._number, *where, *self._last, TOGETHER)).rowcount
        connection.execute(HOLD, (number, made.number, self._number))
        turns, places, grown = connection.execute(SUMS, (number, made.number)).fetchone()
        after = replace(made, turns=max(made.turns, turns), places=max(made.places, places), bytes=made.bytes + grown)
        grow(connection, made, after, self._limits)
        return after, copied < TOGETHER


class ResponseBranch(Branch):
    """One that is not listed, and begins with what a response was told and said, and all that was before it."""

    def __init__(self, found: KeptResponse, *, limits: History, now: float) -> None:
        super().__init__(found.conversation.project, found.conversation.id, limits=limits, now=now)
        self._found = found

    def source(self, connection: sqlite3.Connection) -> Conversation:
        """The response's conversation, up to where it ends."""
        source = found_in(connection, self._project, self._id)
        found = connection.execute(ENDS, (source.number, self._found.end_place)).fetchone()
        self._last = found or (0, 0)
        return replace(source, listed=False, metadata={}, notes=None)


LAST: Final = "SELECT turn, place FROM items WHERE conversation = ? ORDER BY turn DESC, place DESC LIMIT 1"
PLACE: Final = "SELECT turn, place FROM items WHERE conversation = ? AND id = ?"
ENDS: Final = (
    "SELECT turn, place FROM items WHERE conversation = ? AND place <= ? ORDER BY turn DESC, place DESC LIMIT 1"
)
COPY: Final = """
INSERT INTO items (id, conversation, turn, place, answer, bytes, body)
SELECT id, ?, turn, place, answer, bytes, body
FROM items WHERE conversation = ? AND (turn, place) > (?, ?) AND (turn, place) <= (?, ?) ORDER BY turn, place LIMIT ?
"""
HOLD: Final = """
INSERT INTO item_images (item, digest, project)
SELECT made.number, held.digest, held.project FROM items AS made
JOIN items AS source ON source.turn = made.turn AND source.place = made.place
JOIN item_images AS held ON held.item = source.number
WHERE made.number > ? AND made.conversation = ? AND source.conversation = ?
"""
SUMS: Final = (
    "SELECT coalesce(max(turn), 0), coalesce(max(place), 0), coalesce(sum(bytes), 0) FROM items "
    "WHERE number > ? AND conversation = ?"
)
NOTE: Final = "UPDATE conversations SET notes = ? WHERE number = ? AND project = ?"
