"""Conversations that are made of so much that it takes several steps: others' turns are kept between two of them, and nobody sees
any of it before it is whole. One that is never finished goes (`erasing`).
"""

from __future__ import annotations

import sqlite3
from typing import Final

from hayate.store import hidden
from hayate.store.conversations import Conversation

TOGETHER: Final = 250
"""Items in one step: a few milliseconds."""


class Making:
    """One conversation. Each call is a step, in a transaction of its own (`Store.keep_in_steps`), and the last one gives the
    conversation.
    """

    def __init__(self) -> None:
        self._made: Conversation | None = None

    def __call__(self, connection: sqlite3.Connection) -> Conversation | None:
        """The next step. Raises what is wrong with it; then there is none after it but `undo`."""
        made = self._made
        if made is None:
            made = self.begin(connection)
        else:
            hidden.show(connection, made)
        self._made, is_whole = self.go_on(connection, made)
        if not is_whole:
            hidden.hide_unfinished(connection, self._made)
        return self._made if is_whole else None

    def undo(self, connection: sqlite3.Connection) -> None:
        """What has been made of it goes."""
        if self._made is not None:
            hidden.discard(connection, self._made)

    def begin(self, connection: sqlite3.Connection) -> Conversation:
        """The conversation without anything in it."""
        raise NotImplementedError

    def go_on(self, connection: sqlite3.Connection, made: Conversation) -> tuple[Conversation, bool]:
        """The conversation with up to TOGETHER items more, and whether that was the last of them."""
        raise NotImplementedError
