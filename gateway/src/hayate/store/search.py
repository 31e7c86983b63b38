"""Search in what was said: an index of the items' grams (`grams`), beside the items and without their text.

Nobody has to tell it what is said or deleted: triggers do (`search_tables`). What was said a moment ago is found too, and what
was deleted is not. Each word of the index is one project's, so that what others say changes neither what one finds nor how soon.

The index gives candidates, the newest first, and each is looked at: what counts is what stands in its text. However many there
are, no more than the newest MAX_CANDIDATES are asked for, and MAX_TEXTS of them looked at, MAX_OF_ONE of one conversation: of what
stands in very many items, the best of the newest are found.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from hayate.store.grams import MAX_TEXT_CHARS, mark_of, normal
from hayate.store.quick import MAX_BYTES, expect
from hayate.store.search_query import Query, parse
from hayate.store.snippets import piece
from hayate.wire.history_ids import unknown_conversation
from hayate.wire.items import text_of

MAX_CANDIDATES: Final = 1000
MAX_TEXTS: Final = 200
MAX_OF_ONE: Final = 4
MAX_CHARS: Final = 300_000
"""Of the bodies that are looked at."""
MIN_LATEST: Final = 12
MAX_LATEST: Final = 50
"""Conversations that are looked into for single characters: so many before that is given up, and so many in all."""
MAX_NEW: Final = 500
"""The newest items that are not in the index yet, of all projects: when more are kept in a few seconds, as by a large import, some
of them are found only when the index has them.
"""


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


class _Hit(NamedTuple):
    score: float
    number: int
    item: str
    text: str


def search(
    connection: sqlite3.Connection, project: str, query: str, *, limit: int, after: str | None = None
) -> list[Found]:
    """The listed conversations of a project in which an item holds all words of the query, best first, each once; at most `limit`
    of those after the conversation `after`. Raises UnknownConversation when that is not among them, TakesLong on the event loop.
    """
    expect(connection, MAX_BYTES + 1)
    wanted = parse(query)
    ranked = [] if wanted is None else _Search(connection, project, wanted).ranked()
    if after is not None:
        ids = [conversation for conversation, _ in ranked]
        if after not in ids:
            raise unknown_conversation(after, param="after")
        ranked = ranked[ids.index(after) + 1 :]
    return [_found(wanted, conversation, hit) for conversation, hit in ranked[:limit] if wanted is not None]


class _Search:
    """One search, in one transaction that reads."""

    def __init__(self, connection: sqlite3.Connection, project: str, wanted: Query) -> None:
        self._connection = connection
        self._project = project
        self._wanted = wanted
        self._mark = mark_of(project)
        self._ids: dict[int, str | None] = {}
        """Of conversations, by number; None for those that are not to be seen."""
        self._best: dict[int, _Hit] = {}
        """By the conversation's number."""
        self._looked_at: set[int] = set()

    def ranked(self) -> list[tuple[str, _Hit]]:
        """The conversations by their ids, best first; of those alike the one whose item is newer."""
        self._look_at(self._connection.execute(NEW, (MAX_NEW, self._project)), most_texts=MAX_NEW, most_of_one=MAX_NEW)
        matches = self._wanted.matches(self._mark)
        for match in matches:
            if self._look_at(self._connection.execute(INDEXED, (match, MAX_CANDIDATES))):
                break
        if not matches:
            self._look_for_single()
        found = ((self._ids[number] or "", hit) for number, hit in self._best.items())
        return sorted(found, key=lambda each: each[1][:2], reverse=True)

    def _look_for_single(self) -> None:
        """Characters that may stand nearly everywhere: then they stand in what was said last. If they do not, the index has few."""
        latest = self._connection.execute(LATEST, (self._project, MAX_LATEST)).fetchall()
        for place, (number,) in enumerate(latest, 1):
            self._look_at(self._connection.execute(LAST_OF, (number, MAX_OF_ONE)))
            if place >= MIN_LATEST and len(self._best) * 4 < place:
                break
        if len(self._best) * 4 < len(latest):
            match = self._wanted.match_single(self._mark)
            self._look_at(self._connection.execute(INDEXED, (match, MAX_CANDIDATES)))

    def _look_at(
        self,
        candidates: Iterable[tuple[int, int, str, str]],
        *,
        most_texts: int = MAX_TEXTS,
        most_of_one: int = MAX_OF_ONE,
    ) -> bool:
        """Items, the newest first: number, conversation, id, body. Whether there were too many to look at all. `most_of_one`: of
        one conversation. Where no index has said that they hold the words, the fifth of it may be the one that does.
        """
        of_each: Counter[int] = Counter()
        texts = chars = 0
        for number, conversation, an_id, body in candidates:
            of_each[conversation] += 1
            if of_each[conversation] > most_of_one or number in self._looked_at or not self._is_seen(conversation):
                continue
            self._looked_at.add(number)
            text = text_of(orjson.loads(body))[:MAX_TEXT_CHARS]
            score = self._wanted.score(normal(text)[:MAX_TEXT_CHARS])
            if score is not None:
                hit = _Hit(score, number, an_id, text)
                self._best[conversation] = max(hit, self._best.get(conversation, hit))
            texts += 1
            chars += len(body)
            if texts == most_texts or chars > MAX_CHARS:
                return True
        return False

    def _is_seen(self, conversation: int) -> bool:
        if conversation not in self._ids:
            row = self._connection.execute(LISTED, (conversation, self._project)).fetchone()
            self._ids[conversation] = row and row[0]
        return self._ids[conversation] is not None


def _found(wanted: Query, conversation: str, hit: _Hit) -> Found:
    parts = piece(hit.text, wanted.spans(normal(hit.text)[:MAX_TEXT_CHARS]))
    return Found(conversation, hit.item, hit.score, parts)


NEW: Final = """
SELECT number, conversation, id, body FROM (SELECT item, project FROM unsearched ORDER BY item DESC LIMIT ?)
CROSS JOIN items ON number = item WHERE project = ?
"""
INDEXED: Final = """
SELECT number, conversation, id, body FROM items_fts CROSS JOIN items ON number = items_fts.rowid
WHERE items_fts MATCH ? ORDER BY items_fts.rowid DESC LIMIT ?
"""
LATEST: Final = "SELECT number FROM conversations WHERE project = ? AND listed = 1 ORDER BY used_ms DESC LIMIT ?"
LAST_OF: Final = """
SELECT number, conversation, id, body FROM items
WHERE conversation = ? AND turn > 0 ORDER BY turn DESC, place DESC LIMIT ?
"""
LISTED: Final = "SELECT id FROM conversations WHERE number = ? AND project = ? AND listed"
