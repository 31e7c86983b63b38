"""Prompts and answers of keys of which they are kept, each until its time is over: then nobody reads it any more, and it is
overwritten in the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects import sqlite

from hayate.store.schema import contents
from hayate.telemetry.content import Content
from hayate.telemetry.record import CallRecord

MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
"""Of all content that waits to be written; of calls beyond it only the figures are kept."""
STEP_ROWS: Final = 20
"""Deleted in one transaction."""
INSERT: Final = str(contents.insert().compile(dialect=sqlite.dialect()))
DELETE: Final = (
    "DELETE FROM contents WHERE call_id IN (SELECT call_id FROM contents WHERE until_ms <= ? OR call_id < ? LIMIT ?)"
)


class Waiting:
    """How much content waits: `admit` is the loop's, `written` the writing thread's, and neither changes what is the other's."""

    def __init__(self, max_bytes: int = MAX_WAITING_BYTES) -> None:
        self.max_bytes = max_bytes
        self.dropped = 0
        """Calls whose content found no room."""
        self._came = 0
        self._went = 0

    def admit(self, records: Sequence[CallRecord]) -> None:
        """Takes the content off those records for which there is no room."""
        for record in records:
            if record.content is None:
                continue
            if self._came - self._went + record.content.size > self.max_bytes:
                record.content = None
                self.dropped += 1
            else:
                self._came += record.content.size

    def written(self, records: Sequence[CallRecord]) -> None:
        """They are in the file."""
        self._went += sum(record.content.size for record in records if record.content is not None)


def insert(connection: sqlite3.Connection, kept: Sequence[tuple[int, float, Content]]) -> None:
    """Of each: its call, when that ended (in seconds since 1970), and what was said; within the transaction that is open."""
    connection.executemany(
        INSERT,
        [
            (
                call_id,
                int((ended_at + content.kept_s) * 1000),
                content.prompt,
                content.answer,
                content.prompt_cut,
                content.answer_cut,
            )
            for call_id, ended_at, content in kept
        ],
    )


def step(connection: sqlite3.Connection, now: float, oldest: int) -> int:
    """Deletes a few whose time is over, or whose call is older than `oldest`; how many, at most STEP_ROWS. What was theirs
    in the file becomes zeros.
    """
    return connection.execute(DELETE, (int(now * 1000), oldest, STEP_ROWS)).rowcount


@dataclass(frozen=True, slots=True)
class Said:
    """What is kept of one call."""

    until: float
    """In seconds since 1970."""
    prompt: bytes
    answer: bytes
    prompt_cut: bool
    answer_cut: bool


def said_in(connection: Connection, call_id: int, now: float) -> Said | None:
    """What was said in a call, if it is kept and its time is not over."""
    row = connection.execute(
        select(contents).where(contents.c.call_id == call_id, contents.c.until_ms > int(now * 1000))
    ).one_or_none()
    if row is None:
        return None
    return Said(row.until_ms / 1000, row.prompt, row.answer, row.prompt_cut, row.answer_cut)


def with_content(connection: Connection, call_ids: Sequence[int], now: float) -> set[int]:
    """Those of the calls of which content is kept."""
    query = select(contents.c.call_id).where(contents.c.call_id.in_(call_ids), contents.c.until_ms > int(now * 1000))
    return set(connection.execute(query).scalars())
