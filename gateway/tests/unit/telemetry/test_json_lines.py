"""The log for programs: one line for a call, one for an event, and nothing that a caller or an engine could forge."""

from __future__ import annotations

import json
from pathlib import Path

from hayate.language import Text
from hayate.telemetry.json_lines import call_lines, event_line
from hayate.telemetry.record import CallRecord
from hayate.wire.usage import Usage
from tests.support.tables import table
from tests.unit.telemetry.records import record


def logged(*records: CallRecord) -> bytes:
    """What is written of these calls, which end together."""
    return call_lines(records)


def test_a_call_is_one_line_with_every_fact() -> None:
    usage = Usage(prompt_tokens=53, completion_tokens=11, cached_tokens=48, exact=True)
    lines = logged(
        record(key="main", model="fast", stream=True, queued_s=0.25, ttft_s=1.0, finish_reason="stop", usage=usage)
    )
    assert [json.loads(line) for line in lines.splitlines()] == [
        {
            "time": "2026-09-21T14:13:20.123Z",
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


@table(
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


def test_an_engines_own_error_code_forges_nothing() -> None:
    for code in ("\x9b31m", "a\nb", "x" * 100_000):
        text = logged(record(status=400, error=code)).decode().rstrip("\n")
        assert text.isprintable()
        assert len(text) < 2000
        json.loads(text)


def test_an_event_is_told_in_english_with_its_time() -> None:
    line = json.loads(event_line(1_790_000_000.5, "replica_ejected", {"reason": Text("gone", "消えた"), "for_s": 3.0}))
    assert line == {"time": "2026-09-21T14:13:20.500Z", "event": "replica_ejected", "reason": "gone", "for_s": 3.0}


def test_what_is_no_text_is_told_escaped() -> None:
    line = json.loads(event_line(1.0, "reload_refused", {"reason": "/etc/\udcff.yaml", "where": Path("/etc")}))
    assert (line["reason"], line["where"]) == ("/etc/\udcff.yaml", "/etc")
