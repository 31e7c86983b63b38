"""Conversations of a running gateway, as they stand in its store; and what an engine was sent of one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from hayate.store.conversations import Loaded, load
from hayate.wire.items import text_of
from tests.support.engine_script import Request
from tests.support.http import Reply
from tests.support.scene import Stage
from tests.support.waiting import LAST_RESORT_S, eventually

TELLS = "x-hayate-conversation"
OMITTED = "x-hayate-turns-omitted"
Line = tuple[int, str, str]
"""Turn, who says it (or what it is), the words; what is incomplete ends in an ellipsis."""


@contextmanager
def opened(data: Path) -> Iterator[sqlite3.Connection]:
    """The store of a data folder, to be read."""
    uri = f"{(data / 'hayate.db').absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        yield connection


def loaded(stage: Stage, conversation: str, project: str = "default") -> Loaded | None:
    with opened(stage.gateway.data) as connection:
        return load(connection, project, conversation, whole=True)


def lines(stage: Stage, conversation: str, project: str = "default") -> list[Line]:
    """A conversation as it is kept."""
    found = loaded(stage, conversation, project)
    return [] if found is None else [line_of(each.turn, each.body) for each in found.items]


def line_of(turn: int, item: dict[str, Any]) -> Line:
    who = item["role"] if item["type"] == "message" else item["type"]
    return turn, who, text_of(item) + ("…" if item.get("status") == "incomplete" else "")


async def until_kept(stage: Stage, conversation: str, count: int, within_s: float = LAST_RESORT_S) -> list[Line]:
    """The conversation, once it has so many items: what is cut is kept when nobody waits for it any more."""
    await eventually(lambda: len(lines(stage, conversation)) >= count, within_s)
    return lines(stage, conversation)


def counted(stage: Stage, table: str) -> int:
    with opened(stage.gateway.data) as connection:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return found


def named_by(reply: Reply) -> str:
    """The conversation that an answer names."""
    return reply.headers[TELLS]


def said_to(request: Request) -> list[tuple[str, str]]:
    """The messages that the engine was sent: roles and words."""
    return [(each["role"], each["content"]) for each in request.json["messages"]]
