"""What the log is told of trouble: when it begins, when it is over, and what was dropped."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from hayate.store import trouble as module
from hayate.store.contents import Waiting
from hayate.store.trouble import Trouble

Events = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    found: Events = []
    monkeypatch.setattr(module, "log_event", lambda event, **facts: found.append((event, facts)))
    return found


@pytest.fixture
def trouble() -> Trouble:
    return Trouble(Path("hayate.db"), Waiting(10))


def test_it_is_told_once_and_its_end_once(trouble: Trouble, events: Events) -> None:
    for _ in range(3):
        trouble.failed(sqlite3.OperationalError("database is locked"), waiting=4, limit=10)
    began = trouble.since
    for _ in range(2):
        trouble.over(limit=10)
    assert (began is None, trouble.since is None) == (False, True)
    assert [event for event, _ in events] == ["store_failing", "store_back"]
    assert events[0][1] == {"path": "hayate.db", "reason": "database is locked", "waiting": 4}
    assert not trouble.reason


def test_what_is_no_files_fault_is_named(trouble: Trouble, events: Events) -> None:
    trouble.failed(KeyError("x"), waiting=0, limit=10)
    assert events[0][1]["reason"] == "KeyError: 'x'"


def test_what_was_dropped_is_told_at_once_and_how_many_when_it_is_over(trouble: Trouble, events: Events) -> None:
    trouble.overflowed = 3
    trouble.failed(OSError(28, "No space left on device"), waiting=10, limit=10)
    trouble.overflowed = 5
    trouble.failed(OSError(28, "No space left on device"), waiting=10, limit=10)
    trouble.over(limit=10)
    told = [facts["count"] for event, facts in events if event == "calls_not_recorded"]
    assert told == [3, 2]
