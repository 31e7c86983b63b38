"""Responses: each is a stretch of a conversation, and goes with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy.dialects import sqlite

from hayate.store.conversations import Conversation
from hayate.store.schema import responses


@dataclass(frozen=True, slots=True)
class NewResponse:
    """A response that a turn makes: its items are those of the turn. `body` is the rest of it, without input and output;
    `previous` the one that it went on from.
    """

    id: str
    body: Mapping[str, Any]
    previous: str | None = None


def insert(
    connection: sqlite3.Connection, of: Conversation, new: NewResponse, now_ms: int, places: tuple[int, int]
) -> None:
    """Keeps one that ends where the conversation does; `places`: where its input and its output begin."""
    body = orjson.dumps(new.body).decode()
    connection.execute(INSERT, (new.id, of.project, of.number, new.previous, now_ms, *places, of.places, body))


INSERT: Final = str(responses.insert().compile(dialect=sqlite.dialect()))
