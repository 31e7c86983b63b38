"""The row of a call, and the words in it as small integers.

Rows go through the driver itself, many at a time: what stands above it holds the interpreter two to three times as
long for the same row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy.dialects import sqlite

from hayate.store import contents
from hayate.store.ids import Ids
from hayate.store.schema import calls
from hayate.telemetry.record import CallRecord

INSERT: Final = str(calls.insert().compile(dialect=sqlite.dialect()))
FINISHES: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call", "abort"})
NONE: Final = ""
OTHER: Final = "other"
UNKNOWN_MODEL: Final = "(unknown)"
"""In place of a model that nobody has: a caller could send a million names."""
MAX_MS: Final = 2**31 - 1


class Names:
    """Words that calls share. Belongs to the thread that writes; what it learns is kept only once it is committed."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._fresh: dict[str, int] = {}

    def load(self, connection: sqlite3.Connection) -> None:
        """Forgets all and reads them again: of a file that has just been opened."""
        self._known = dict(connection.execute("SELECT name, id FROM names"))
        self._fresh = {}

    def learn(self, connection: sqlite3.Connection, words: Iterable[str]) -> None:
        """Gives every word a number, within the transaction that is open."""
        for word in set(words).difference(self._known, self._fresh):
            connection.execute("INSERT INTO names (name) VALUES (?) ON CONFLICT DO NOTHING", (word,))
            (self._fresh[word],) = connection.execute("SELECT id FROM names WHERE name = ?", (word,)).fetchone()

    def committed(self) -> None:
        """The transaction is through: what it learned holds."""
        self._known |= self._fresh
        self._fresh = {}

    def rolled_back(self) -> None:
        """It is not: what it learned is forgotten."""
        self._fresh = {}

    def __getitem__(self, word: str) -> int:
        found = self._known.get(word)
        return self._fresh[word] if found is None else found


def words_of(record: CallRecord) -> tuple[str, str, str, str, str, str, str, str]:
    """Key, project, path, model, deployment, replica, error and finish of a call."""
    model = UNKNOWN_MODEL if record.error == "model_not_found" and not record.deployment else record.model
    finish = record.finish_reason
    return (
        record.key,
        record.project,
        record.endpoint,
        model[:200],
        record.deployment,
        record.replica[:200],
        record.error or NONE,
        NONE if finish is None else finish if finish in FINISHES else OTHER,
    )


def insert(connection: sqlite3.Connection, names: Names, ids: Ids, records: Sequence[CallRecord]) -> None:
    """One row for each, and what was said where that is kept, within the transaction that is open."""
    words = [words_of(record) for record in records]
    names.learn(connection, (word for each in words for word in each))
    rows = [_row(names, ids, *pair) for pair in zip(records, words, strict=True)]
    connection.executemany(INSERT, rows)
    kept = [
        (row[0], record.ended_at, record.content)
        for row, record in zip(rows, records, strict=True)
        if record.content is not None
    ]
    if kept:
        contents.insert(connection, kept)


def _row(names: Names, ids: Ids, record: CallRecord, words: Sequence[str]) -> tuple[int, *tuple[object, ...]]:
    key, project, path, model, deployment, replica, error, finish = words
    usage, ttft_s = record.usage, record.ttft_s
    return (
        ids.make(record.ended_at),
        record.request_id.encode(),
        names[key],
        names[project],
        names[path],
        names[model],
        names[deployment],
        names[replica],
        record.attempts,
        record.status,
        names[error],
        names[finish],
        record.stream,
        _ms(record.queued_s),
        None if ttft_s is None else _ms(ttft_s),
        _ms(record.ended - record.started),
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.completion_tokens,
        usage.exact,
    )


def _ms(seconds: float) -> int:
    return min(MAX_MS, int(seconds * 1000 + 0.5))
