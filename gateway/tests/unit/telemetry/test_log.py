"""The log: one line for a call, one for an event, and nothing that a caller or an engine could forge."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest

from hayate.telemetry.log import CallLog, log_event
from hayate.telemetry.record import CallRecord
from hayate.wire.usage import Usage
from tests.unit.telemetry.records import record


def logged(*records: CallRecord) -> bytes:
    """What is written of these calls, which end together."""
    log = io.BytesIO()
    CallLog(log.write).calls_ended(records)
    return log.getvalue()


def test_a_call_is_one_line_with_every_fact() -> None:
    usage = Usage(prompt_tokens=53, completion_tokens=11, cached_tokens=48, exact=True)
    lines = logged(
        record(key="main", model="fast", stream=True, queued_s=0.25, ttft_s=1.0, finish_reason="stop", usage=usage)
    )
    assert [json.loads(line) for line in lines.splitlines()] == [
        {
            "time": 1_790_000_000.123,
            "event": "call",
            "request_id": "id-1",
            "endpoint": "chat",
            "key": "main",
            "model": "fast",
            "deployment": "qwen",
            "replica": "qwen/0",
            "stream": True,
            "status": 200,
            "error": None,
            "finish_reason": "stop",
            "attempts": 1,
            "queued_ms": 250.0,
            "ttft_ms": 1000.0,
            "total_ms": 2000.0,
            "prompt_tokens": 53,
            "completion_tokens": 11,
            "cached_tokens": 48,
            "tokens_exact": True,
        }
    ]


@pytest.mark.parametrize(
    "name", ["a\nb", "\x1b[31mred", '{"event":"call"}', "\u2028", "\x9b31m", "\u202ereversed", "x" * 100_000, "模型"]
)
def test_a_callers_name_for_a_model_forges_nothing(name: str) -> None:
    raw = logged(record(model=name))
    assert raw.count(b"\n") == 1
    assert len(raw) < 2000
    text = raw.decode().rstrip("\n")
    assert text.isprintable()
    json.loads(text)


def test_an_engines_finish_reason_forges_nothing() -> None:
    for reason in ("\x9b31m", "\u2028", "\ud800", "x" * 100_000):
        text = logged(record(finish_reason=reason)).decode().rstrip("\n")
        assert text.isprintable()
        assert len(text) < 2000
        json.loads(text)


def test_an_operators_line_is_one_line_on_standard_error(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log_event("reload_refused", reason="line 1: x\nline 2: \x1b[31my")
    (line,) = capfdbinary.readouterr().err.splitlines()
    assert json.loads(line)["reason"].endswith("y")
    assert b"\x1b" not in line
    assert abs(json.loads(line)["time"] - time.time()) < 5


def test_what_is_no_text_is_told_escaped(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log_event("reload_refused", reason="/etc/\udcff.yaml", where=Path("/etc"))
    line = json.loads(capfdbinary.readouterr().err)
    assert (line["reason"], line["where"]) == ("/etc/\udcff.yaml", "/etc")
