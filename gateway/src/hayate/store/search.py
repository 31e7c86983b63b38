"""Search in what was said: an index of the items' grams (`grams`), beside the items and without their text.

Nobody has to tell it what is said or deleted: triggers do (`search_tables`). What was said a moment ago is found too, and what
was deleted is not.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """A conversation, and the best of what was found in it."""

    conversation: str
    item: str
    score: float
    """The more, the better; of the same query and item always the same."""
    parts: tuple[str, ...]
    """A piece of the item as it was said, cut where hits begin and end: every second part is a hit."""

    @property
    def snippet(self) -> str:
        """The piece as it was said, whole."""
        return "".join(self.parts)


def search(
    connection: sqlite3.Connection, project: str, query: str, *, limit: int, after: str | None = None
) -> list[Found]:
    """The listed conversations of a project in which something holds all words of the query, best first, each once; those after
    the conversation `after`. Raises UnknownConversation when that is not among them.
    """
    raise NotImplementedError
