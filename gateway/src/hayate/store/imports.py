"""Conversations that come from elsewhere, as items in their order: however many, they are kept in steps."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Final

import orjson

from hayate.store.conversation_changes import NewConversation, create
from hayate.store.conversations import Conversation
from hayate.store.kept_items import append
from hayate.store.making import TOGETHER, Making

STEP_BYTES: Final = 512 * 1024
"""Of pictures and long texts, fewer items than that are kept in one step."""


class Import(Making):
    """One that is listed, with all that is in it, at `now` in seconds since 1970. Each step raises ConversationFull."""

    def __init__(self, project: str, new: NewConversation, now: float) -> None:
        super().__init__()
        self._project, self._new, self._now = project, new, now
        self._done = 0

    def begin(self, connection: sqlite3.Connection) -> Conversation:
        """Its metadata and notes."""
        return create(connection, self._project, replace(self._new, items=()), self._now)

    def go_on(self, connection: sqlite3.Connection, made: Conversation) -> tuple[Conversation, bool]:
        """Keeps the next few items."""
        new, first, size = self._new.items, self._done, 0
        while self._done < len(new) and self._done - first < TOGETHER and size < STEP_BYTES:
            size += len(orjson.dumps(new[self._done]))
            self._done += 1
        if self._done > first:
            made, _ = append(connection, made, new[first : self._done], limits=self._new.limits, now=self._now)
        return made, self._done == len(new)
