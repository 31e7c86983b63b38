"""The row of a call, and the words in it as small integers.

Rows go through the driver itself, many to a statement: what stands above it holds the interpreter two to three times as
long for the same row, and each statement lets go of it and takes it again, which costs the event loop more than the row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

from sqlalchemy import bindparam, func, literal_column
from sqlalchemy.dialects import sqlite

from hayate.errors import CLIENT_CLOSED
from hayate.store import contents
from hayate.store.ids import Ids
from hayate.store.pieces import executed, statements
from hayate.store.schema import calls
from hayate.telemetry.record import CallRecord

COLUMNS: Final = len(calls.columns)
UNTOLD: Final = -1
"""In place of a time that there is none of: NULL (`_row`)."""
WRITTEN: Final = calls.insert().values(
    {each.name: bindparam(each.name) for each in calls.columns}
    | {"ttft_ms": func.nullif(bindparam("ttft_ms"), literal_column(str(UNTOLD)))}
)
INSERT, _, VALUES = str(WRITTEN.compile(dialect=sqlite.dialect())).partition(" VALUES ")
STATEMENTS: Final = statements(INSERT, VALUES)
FINISHES: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call", "abort"})
NONE: Final = ""
OTHER: Final = "other"
UNKNOWN_MODEL: Final = "(unknown)"
"""In place of a model that nobody has: a caller could send a million names."""
MAX_MS: Final = 2**31 - 1
MAX_S: Final = MAX_MS / 1000


class Names:
    """Words that calls share. Belongs to the thread that writes; what it learns is kept only once it is committed."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._fresh: list[str] = []
        """Of the transaction that is open."""

    def load(self, connection: sqlite3.Connection) -> None:
        """Forgets all and reads them again: of a file that has just been opened."""
        self._numbers = dict(connection.execute("SELECT name, id FROM names"))
        self._fresh = []

    def learn(self, connection: sqlite3.Connection, words: Iterable[str]) -> Mapping[str, int]:
        """The numbers of these words and others, within the transaction that is open."""
        for word in set(words).difference(self._numbers):
            connection.execute("INSERT INTO names (name) VALUES (?) ON CONFLICT DO NOTHING", (word,))
            (self._numbers[word],) = connection.execute("SELECT id FROM names WHERE name = ?", (word,)).fetchone()
            self._fresh.append(word)
        return self._numbers

    def committed(self) -> None:
        """The transaction is through: what it learned holds."""
        self._fresh = []

    def rolled_back(self) -> None:
        """It is not: what it learned is forgotten."""
        for word in self._fresh:
            del self._numbers[word]
        self._fresh = []


def words_of(record: CallRecord) -> tuple[str, str, str, str, str, str, str, str]:
    """Key, project, path, model, deployment, replica, error and finish of a call."""
    # Who leaves before the model was looked for has named what may not be there either.
    is_unknown = not record.deployment and (record.error == "model_not_found" or record.status == CLIENT_CLOSED)
    model = UNKNOWN_MODEL if is_unknown else record.model
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
    different = {*words}  # few, of however many calls
    number_of = names.learn(connection, chain.from_iterable(different)).__getitem__
    numbers = {each: tuple(map(number_of, each)) for each in different}
    made = [ids.make(record.ended_at) for record in records]
    values: list[object] = []
    for an_id, record, each in zip(made, records, words, strict=True):
        values += _row(an_id, record, numbers[each])
    for _ in executed(connection, STATEMENTS, values, COLUMNS):
        pass
    kept = [
        (an_id, record.ended_at, record.content)
        for an_id, record in zip(made, records, strict=True)
        if record.content is not None
    ]
    if kept:
        contents.insert(connection, kept)


def _row(made: int, record: CallRecord, words: tuple[int, ...]) -> tuple[object, ...]:
    """In types that the driver takes as they are: of bytes, a bool or None it would ask how they are to be adapted, which
    took it a quarter of the whole row.
    """
    usage, ttft_s, queued_s = record.usage, record.ttft_s, record.queued_s
    key, project, path, model, deployment, replica, error, finish = words
    return (
        made,
        bytearray(record.request_id, "utf-8"),
        key,
        project,
        path,
        model,
        deployment,
        replica,
        record.attempts,
        record.status,
        error,
        finish,
        1 if record.stream else 0,
        _ms(queued_s) if queued_s else 0,
        UNTOLD if ttft_s is None else _ms(ttft_s),
        _ms(record.ended - record.started),
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.completion_tokens,
        1 if usage.exact else 0,
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000 + 0.5) if seconds < MAX_S else MAX_MS
