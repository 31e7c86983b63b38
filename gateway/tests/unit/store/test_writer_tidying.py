"""However much there is to write, what is to go goes; and content that found no room is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hayate.store import trouble
from hayate.store import writer as module
from hayate.store.migrate import open_file
from hayate.store.writer import Writer
from hayate.telemetry.content import Content
from tests.unit.store.conftest import Make


def test_a_busy_writer_tidies_too(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHER_S", 0.0)
    path, steps = tmp_path / "hayate.db", 0

    def step(_: Any) -> None:
        nonlocal steps
        steps += 1

    writer = Writer(path, open_file(path)[0], 100, step)
    for wanted in (1, 2):
        writer.put([make()])
        writer._write_all()
        assert steps == wanted
    writer._write_all()  # nothing to write
    assert steps == 3
    writer._file.close()


def test_content_without_room_is_told_once(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(trouble, "log_event", lambda event, **facts: told.append((event, facts)))
    path = tmp_path / "hayate.db"
    writer = Writer(path, open_file(path)[0], 100)
    writer.contents.max_bytes = 10
    for _ in range(3):
        content = Content(100, 60)
        content.asked(b"123456")
        writer.put([make(content=content)])
    for _ in range(2):
        writer._write_all()
    assert told == [("contents_not_kept", {"count": 2, "limit_bytes": 10})]
    writer._file.close()
