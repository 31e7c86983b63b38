"""Records to put into a store, and what is said in conversations."""

from __future__ import annotations

import itertools
import sqlite3
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hayate.settings import History
from hayate.store import traces
from hayate.store.conversations import Stored, load
from hayate.store.erasing import SETTLE_S, Erasing
from hayate.store.sizes import size_of
from hayate.store.sqlite import connect
from hayate.store.turns import Turn
from hayate.telemetry.record import CallRecord
from hayate.wire.items import Item, message
from hayate.wire.usage import Usage
from tests.support.stores import new_file
from tests.support.waiting import LAST_RESORT_S

Make = Callable[..., CallRecord]


@pytest.fixture
def make() -> Make:
    """Makes records of calls that have ended, each with a request id of its own."""
    numbers = itertools.count()

    def record(
        *, ended_at: float | None = None, tokens: tuple[int, int, int] = (10, 4, 5), **facts: object
    ) -> CallRecord:
        made = CallRecord(f"req-{next(numbers)}", "chat", 1.0, key="main", project="default", model="fast")
        made.deployment, made.replica, made.status, made.finish_reason = "qwen", "qwen/0", 200, "stop"
        made.ended, made.ended_at, made.ttft_s, made.attempts = 2.5, ended_at or time.time(), 0.25, 1
        made.usage = Usage(tokens[0], tokens[2], tokens[1], exact=True)
        for name, value in facts.items():
            setattr(made, name, value)
        return made

    return record


LIMITS = History()
NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with all tables and nothing in them."""
    return new_file(tmp_path / "hayate.db")


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """One that may write to it, as the thread that writes has."""
    with closing(connect(path)) as found:
        yield found


def said(text: str, role: str = "user") -> Item:
    """A message of one text."""
    return message(role, text)


def answered(text: str) -> Item:
    """What an engine says."""
    return message("assistant", text)


def pictured(text: str, picture: bytes) -> Item:
    """A message with a picture."""
    item = message("user", text)
    url = f"data:image/png;base64,{b64encode(picture).decode()}"
    item["content"].append({"type": "input_image", "detail": "auto", "image_url": url})
    return item


def turn(question: str, answer: str, conversation: str | None = None, project: str = "shop", **more: Any) -> Turn:
    """A question and its answer."""
    return Turn(project=project, conversation=conversation, items=[said(question)], answer=[answered(answer)], **more)


def texts(found: Iterable[Stored]) -> list[str]:
    """The text of each item."""
    return [each.body["content"][0]["text"] for each in found]


def texts_in(connection: sqlite3.Connection, project: str, conversation: str) -> list[str]:
    """The text of each item of a conversation that goes along."""
    found = load(connection, project, conversation)
    assert found is not None
    return texts(found.items)


def count(connection: sqlite3.Connection, table: str) -> int:
    """How many rows a table has."""
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def bytes_of(connection: sqlite3.Connection, project: str = "shop") -> int:
    """What a project's conversations come to, added up; it must be what is counted."""
    (added,) = connection.execute(
        "SELECT coalesce(sum(bytes), 0) FROM conversations WHERE project IN (?, ?)", (project, f"\x02{project}")
    ).fetchone()
    assert size_of(connection, project) == added
    return int(added)


class Clock:
    """Goes on by a millisecond whenever it is looked at."""

    now = 100.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Of `erasing`."""
    return Clock()


@pytest.fixture
def erasing(clock: Clock) -> Iterator[Erasing]:
    """What the thread that writes has."""
    made = Erasing(clock)
    yield made
    made.end()


def everything(connection: sqlite3.Connection, erasing: Erasing, clock: Clock) -> int:
    """Until no row is left, and how many steps that took."""
    steps = 0
    while erasing.step(connection):
        steps += 1
    clock.now += SETTLE_S
    assert not erasing.step(connection)
    return steps


def no_trace(connection: sqlite3.Connection, erasing: Erasing, clock: Clock) -> None:
    """Until nothing is left in the file either, however long another process takes."""
    everything(connection, erasing, clock)
    ends_at = time.monotonic() + LAST_RESORT_S
    while traces.left(connection):
        assert time.monotonic() < ends_at
        assert not erasing.step(connection)
        clock.now += 0.1
        time.sleep(0.01)
