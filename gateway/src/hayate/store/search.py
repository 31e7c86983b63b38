"""Search in what was said: an FTS5 index of the items' grams (`grams`), beside the items and without their text."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """A conversation, and the best of what was found in it."""

    conversation: str
    item: str
    score: float
    """The more, the better; of one search, and of the same item always the same."""
    parts: tuple[str, ...]
    """A piece of the item as it was said, cut where hits begin and end: every second part is a hit."""

    @property
    def snippet(self) -> str:
        """The piece as it was said, whole."""
        return "".join(self.parts)


def index(connection: sqlite3.Connection, number: int, text: str) -> None:
    """Makes an item findable, whose row and whose conversation's are there; those of conversations that are not listed aren't put
    in. `text`: `wire.items.text_of` its body. Within the transaction that is open.
    """
    raise NotImplementedError


def unindex(connection: sqlite3.Connection, number: int, text: str) -> None:
    """Takes an item out, before its row or its conversation's goes, with the text that it was put in with. Within the transaction
    that is open.
    """
    raise NotImplementedError


def search(
    connection: sqlite3.Connection, project: str, query: str, *, limit: int, after: str | None = None
) -> list[Found]:
    """The listed conversations of a project in which something holds all words of the query, best first, each once; those after
    the conversation `after`. Raises UnknownConversation when that is not among them.
    """
    raise NotImplementedError


def tidy(connection: sqlite3.Connection) -> bool:
    """A small step that makes what was taken out vanish from the file; true when there is more to do. In a transaction of its own;
    what it overwrites becomes zeros, and the log of the file has to be truncated after the last one.
    """
    raise NotImplementedError
