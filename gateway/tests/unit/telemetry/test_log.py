"""The log: who is spoken to on which stream, and that lines are made where nobody waits for them."""

from __future__ import annotations

import json
import os
import pty
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from hayate.settings import LogForm
from hayate.telemetry.log import CALL_BYTES, CallLog, log_event, rendered_event, set_log_form
from hayate.telemetry.queued_output import Unmade
from hayate.telemetry.record import CallRecord
from tests.unit.telemetry.records import record


@pytest.fixture(autouse=True)
def usual_form() -> Iterator[None]:
    """The form is the process's: each test leaves it as it was."""
    yield
    set_log_form("json")


def ended(*records: CallRecord) -> Unmade:
    """What is queued of these calls."""
    queued: list[Unmade] = []
    CallLog(queued.append).calls_ended(records)
    (unmade,) = queued
    return unmade


@contextmanager
def stdout_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Standard output is a terminal, standard error is none."""
    ours, theirs = pty.openpty()
    with open(theirs, "w", closefd=False, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        yield
        monkeypatch.undo()
    os.close(ours)
    os.close(theirs)


def test_calls_are_told_together_and_take_what_they_take() -> None:
    unmade = ended(record(model="a"), record(model="b"))
    assert (unmade.lines, unmade.size) == (2, 2 * CALL_BYTES)
    assert [json.loads(line)["model"] for line in unmade.make().splitlines()] == ["a", "b"]


def test_a_name_as_long_as_a_body_does_not_wait_in_memory() -> None:
    for long in (record(model="x" * 1_000_000), record(finish_reason="x" * 1_000_000)):
        unmade = ended(long, record())
        assert unmade.size == len(unmade.make()) < 4000


@pytest.mark.parametrize(
    ("form", "calls_are_json", "events_are_json"), [("auto", False, True), ("json", True, True), ("text", False, False)]
)
def test_each_stream_is_for_whoever_looks_at_it(
    monkeypatch: pytest.MonkeyPatch, form: LogForm, calls_are_json: bool, events_are_json: bool
) -> None:
    with stdout_at_a_terminal(monkeypatch):
        set_log_form(form, {})
        call, event = ended(record()).make(), rendered_event("replica_ready", {"replica": "a/0"})
    assert call.startswith(b"{") is calls_are_json
    assert event.startswith("{") is events_are_json


@pytest.mark.parametrize(
    ("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)]
)
def test_colours_are_for_terminals_where_they_are_wanted(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], coloured: bool
) -> None:
    with stdout_at_a_terminal(monkeypatch):
        set_log_form("auto", env)
        assert (b"\x1b[" in ended(record()).make()) is coloured
        set_log_form("text", env)
        assert "\x1b" not in rendered_event("replica_ready", {"replica": "a/0"})  # standard error is no terminal


def test_the_language_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    set_log_form("text", {"LANG": "ja_JP.UTF-8"})
    assert "a/0が応答しています" in rendered_event("replica_ready", {"replica": "a/0"})
    set_log_form("text", {"LANG": "C"})
    assert "is up" in rendered_event("replica_ready", {"replica": "a/0"})


def test_an_operators_line_is_one_line_on_standard_error(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log_event("reload_refused", reason="line 1: x\nline 2: \x1b[31my", where=Path("/etc"))
    (line,) = capfdbinary.readouterr().err.splitlines()
    assert json.loads(line)["reason"].endswith("y")
    assert b"\x1b" not in line
    assert abs(datetime.fromisoformat(json.loads(line)["time"]).timestamp() - time.time()) < 60
