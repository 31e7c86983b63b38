"""How long conversations are kept: those whose time is over are deleted, a few at a time. All are looked through once, and again
when the first of them may be old enough.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sqlalchemy import bindparam

from hayate.settings import History
from hayate.store.conversations import Conversation, conversation_of, text_of
from hayate.store.hidden import DELETED, UNFINISHED, discard, hide
from hayate.store.retention import DAY_S
from hayate.store.schema import conversations
from hayate.store.sqlite import in_transaction

LOOKED_AT: Final = 200
"""In one step: half a millisecond."""
UNFINISHED_S: Final = 600.0
"""How long it may take to make one."""
LOOK_S: Final = 60.0
"""How long nobody looks again at the least, and UNFINISHED_S at the most: the wall's clock may be set, and others write too."""


class Ages:
    """One per store; its steps are taken by the thread that writes, outside of any transaction."""

    def __init__(self, history: History, wall_clock: Callable[[], float] = time.time) -> None:
        self._history = history
        self._wall_clock = wall_clock
        self._behind = 0
        """The number of the last conversation that was looked at."""
        self._due = math.inf
        """When the first of those will be old enough."""
        self._next_at = 0.0

    def configure(self, history: History) -> None:
        """Other times, from now on."""
        self._history, self._behind, self._due, self._next_at = history, 0, math.inf, 0.0

    def step(self, connection: sqlite3.Connection) -> bool:
        """Looks at a few; true when there are more. Raises sqlite3.Error."""
        now = self._wall_clock()
        if now < self._next_at:
            return False
        found = [conversation_of(row) for row in connection.execute(NEXT, (self._behind, LOOKED_AT))]
        ends = [(self._ends(each), each) for each in found]
        over = [each for ends_at, each in ends if ends_at <= now]
        if over:
            _delete(connection, over)
        self._due = min([self._due, *(ends_at for ends_at, _ in ends if ends_at > now)])
        if len(found) == LOOKED_AT:
            self._behind = found[-1].number
            return True
        self._next_at = min(max(self._due, now + LOOK_S), now + UNFINISHED_S)
        self._behind, self._due = 0, math.inf
        return False

    def _ends(self, of: Conversation) -> float:
        """When its time is over, in seconds since 1970."""
        used, history = of.used_ms / 1000, self._history
        if of.project.startswith(DELETED):
            return math.inf
        if of.project.startswith(UNFINISHED):
            return used + UNFINISHED_S
        if not of.listed:
            return used + history.responses_days * DAY_S
        idle = math.inf if history.idle_days is None else used + history.idle_days * DAY_S
        aged = math.inf if history.max_age_days is None else of.created_ms / 1000 + history.max_age_days * DAY_S
        return min(idle, aged)


def _delete(connection: sqlite3.Connection, found: list[Conversation]) -> None:
    with in_transaction(connection):
        for each in found:
            if each.project.startswith(UNFINISHED):
                discard(connection, replace(each, project=each.project.removeprefix(UNFINISHED)))
            else:
                hide(connection, each)


_BEHIND: Final = conversations.select().where(conversations.c.number > bindparam("behind"))
NEXT: Final = text_of(_BEHIND.order_by(conversations.c.number)) + " LIMIT ?"
