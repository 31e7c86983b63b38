"""What is known of a call afterwards: one line, a few metrics, and nothing a caller could forge or fill them with."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hayate.backends.openai_compat import OpenAICompatible
from hayate.fleet.fleet import Fleet
from hayate.fleet.replica import DeploymentSpec
from hayate.telemetry.calls import LATE_S, MAX_TOGETHER, CallRecord, Telemetry, notice
from hayate.wire.usage import Usage

pytestmark = pytest.mark.anyio


def fleet() -> Fleet:
    return Fleet([DeploymentSpec("qwen", OpenAICompatible(), "m", ("http://a:1", "http://b:1"))], {})


def record(**facts: Any) -> CallRecord:
    values: dict[str, Any] = {"deployment": "qwen", "replica": "qwen/0", "attempts": 1, "status": 200, **facts}
    return CallRecord("id-1", "chat", 100.0, **values)


def told(*records: CallRecord) -> tuple[list[dict[str, Any]], str]:
    """The log's lines and the metrics' text after these calls, each of 2 s."""
    log = io.BytesIO()
    telemetry = Telemetry(fleet(), log=log.write, wall_clock=lambda: 1_790_000_000.1234)
    for each in records:
        telemetry.finish(each, 102.0)
    return [json.loads(line) for line in log.getvalue().splitlines()], telemetry.expose().decode()


async def test_a_call_is_one_line_with_every_fact() -> None:
    usage = Usage(prompt_tokens=53, completion_tokens=11, cached_tokens=48, exact=True)
    lines, _ = told(
        record(key="main", model="fast", stream=True, queued_s=0.25, ttft_s=1.0, finish_reason="stop", usage=usage)
    )
    assert lines == [
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
async def test_a_callers_name_for_a_model_forges_nothing(name: str) -> None:
    log = io.BytesIO()
    Telemetry(fleet(), log=log.write).finish(record(model=name), 102.0)
    raw = log.getvalue()
    assert raw.count(b"\n") == 1
    assert len(raw) < 2000
    text = raw.decode().rstrip("\n")
    assert text.isprintable()
    json.loads(text)


async def test_calls_tokens_and_times_are_counted_by_deployment() -> None:
    usage = Usage(prompt_tokens=50, completion_tokens=11, exact=True)
    _, metrics = told(
        record(usage=usage, ttft_s=1.0), record(usage=usage, attempts=3, queued_s=0.5), record(status=499)
    )
    for line in (
        'hayate_calls_total{deployment="qwen",endpoint="chat",status="200"} 2.0',
        'hayate_calls_total{deployment="qwen",endpoint="chat",status="499"} 1.0',
        'hayate_tokens_total{deployment="qwen",type="input"} 100.0',
        'hayate_tokens_total{deployment="qwen",type="output"} 22.0',
        'hayate_retries_total{deployment="qwen"} 2.0',
        'gen_ai_server_time_to_first_token_seconds_sum{deployment="qwen"} 1.0',
        'gen_ai_server_time_per_output_token_seconds_sum{deployment="qwen"} 0.1',
        'gen_ai_server_request_duration_seconds_count{deployment="qwen",endpoint="chat"} 3.0',
        'hayate_queued_seconds_sum{deployment="qwen"} 0.5',
    ):
        assert line in metrics.splitlines()


async def test_a_call_that_reached_no_deployment_is_counted_too() -> None:
    lines, metrics = told(
        record(deployment="", replica="", status=401, error="invalid_api_key", model="whatever it said")
    )
    assert lines[0]["status"] == 401
    assert 'hayate_calls_total{deployment="-",endpoint="chat",status="401"} 1.0' in metrics
    assert "whatever" not in metrics


async def test_live_counters_are_read_when_asked_for() -> None:
    tables = fleet()
    telemetry = Telemetry(tables, log=io.BytesIO().write)
    deployment = tables.deployments["qwen"]
    deployment.replicas[1].in_flight = 5
    for _ in range(2):
        deployment.replicas[0].health.probe_failed(0.0)
    metrics = telemetry.expose().decode()
    for line in (
        'hayate_in_flight{deployment="qwen",replica="qwen/1"} 5.0',
        'hayate_replica_healthy{deployment="qwen",replica="qwen/0"} 0.0',
        'hayate_replica_healthy{deployment="qwen",replica="qwen/1"} 1.0',
        'hayate_queued{deployment="qwen"} 0.0',
        'hayate_upstream_connections{deployment="qwen",replica="qwen/0"} 0.0',
    ):
        assert line in metrics.splitlines()


async def test_calls_that_end_within_a_while_are_written_together() -> None:
    log, due = Writes(), list[tuple[float, Callable[[], None]]]()
    telemetry = Telemetry(fleet(), log=log.write, later=lambda after_s, flush: due.append((after_s, flush)))
    for _ in range(3):
        telemetry.finish(record(), 102.0)
    assert ([after_s for after_s, _ in due], log.writes) == ([LATE_S], [])
    due.pop()[1]()
    assert [each.count(b"\n") for each in log.writes] == [3]
    telemetry.finish(record(), 102.0)
    assert len(due) == 1


async def test_many_calls_do_not_wait_and_set_no_second_timer() -> None:
    log, due = Writes(), list[Callable[[], None]]()
    telemetry = Telemetry(fleet(), log=log.write, later=lambda _, flush: due.append(flush))
    for _ in range(2 * MAX_TOGETHER + 1):
        telemetry.finish(record(), 102.0)
    assert [each.count(b"\n") for each in log.writes] == [MAX_TOGETHER, MAX_TOGETHER]
    assert len(due) == 1
    due.pop()()
    assert [each.count(b"\n") for each in log.writes] == [MAX_TOGETHER, MAX_TOGETHER, 1]


async def test_a_call_that_waits_is_counted_before_anybody_reads_the_metrics_and_keeps_its_own_time() -> None:
    log, clock = Writes(), iter([1_790_000_000.5, 1_790_000_001.5])
    telemetry = Telemetry(fleet(), log=log.write, wall_clock=lambda: next(clock), later=lambda *_: None)
    telemetry.finish(record(), 102.0)
    telemetry.finish(record(), 103.0)
    assert 'hayate_calls_total{deployment="qwen",endpoint="chat",status="200"} 2.0' in telemetry.expose().decode()
    [lines] = [each.splitlines() for each in log.writes]
    assert [json.loads(each)["time"] for each in lines] == [1_790_000_000.5, 1_790_000_001.5]
    assert [json.loads(each)["total_ms"] for each in lines] == [2000.0, 3000.0]


class Writes(io.BytesIO):
    """A log that remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: Any) -> int:
        self.writes.append(bytes(data))
        return super().write(data)


def test_an_operators_notice_is_one_line_on_standard_error(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    notice("reload_refused", reason="line 1: x\nline 2: \x1b[31my")
    (line,) = capfdbinary.readouterr().err.splitlines()
    assert json.loads(line)["reason"].endswith("y")
    assert b"\x1b" not in line
    assert abs(json.loads(line)["time"] - time.time()) < 5


def test_what_is_no_text_is_told_escaped(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    notice("reload_refused", reason="/etc/\udcff.yaml", where=Path("/etc"))
    line = json.loads(capfdbinary.readouterr().err)
    assert (line["reason"], line["where"]) == ("/etc/\udcff.yaml", "/etc")


async def test_an_engines_finish_reason_forges_nothing() -> None:
    for reason in ("\x9b31m", "\u2028", "\ud800", "x" * 100_000):
        log = io.BytesIO()
        Telemetry(fleet(), log=log.write).finish(record(finish_reason=reason), 102.0)
        text = log.getvalue().decode().rstrip("\n")
        assert text.isprintable()
        assert len(text) < 2000
        json.loads(text)
