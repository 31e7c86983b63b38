"""What Prometheus reads is what was counted, in its own form: cumulative buckets, sums, counts."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hayate.backends.openai_compat import OpenAICompatible
from hayate.fleet.fleet import Fleet
from hayate.fleet.spec import DeploymentSpec
from hayate.telemetry.metrics import CallMetrics, Metrics
from hayate.telemetry.record import CallRecord
from hayate.wire.usage import Usage
from tests.unit.telemetry.records import exposed, record

pytestmark = pytest.mark.anyio


def fleet() -> Fleet:
    return Fleet([DeploymentSpec("qwen", OpenAICompatible(), "m", ("http://a:1", "http://b:1"))], {})


def counted(*records: CallRecord) -> str:
    """What the metrics say of these calls."""
    metrics = CallMetrics()
    metrics.calls_ended(records)
    return exposed(metrics)


def test_everything_that_is_exposed_can_be_parsed_and_labels_are_escaped() -> None:
    metrics = CallMetrics()
    usage = Usage(5, 7, exact=True)
    metrics.calls_ended([record(deployment='a "name"\n', usage=usage, ttft_s=0.5, attempts=2, queued_s=0.1)])
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposed(metrics))
        for sample in family.samples
    }
    name = ("deployment", 'a "name"\n')
    assert found["hayate_calls_total", name, ("endpoint", "chat"), ("status", "200")] == 1
    assert found["hayate_tokens_total", name, ("type", "input")] == 5
    assert found["hayate_tokens_total", name, ("type", "output")] == 7
    assert found["hayate_retries_total", name] == 1
    assert found["gen_ai_server_time_per_output_token_seconds_sum", name] == 0.25
    assert found["gen_ai_server_time_to_first_token_seconds_bucket", name, ("le", "0.5")] == 1
    assert found["gen_ai_server_time_to_first_token_seconds_bucket", name, ("le", "0.25")] == 0
    assert found["hayate_queued_seconds_count", name] == 1


def test_calls_tokens_and_times_are_counted_by_deployment() -> None:
    usage = Usage(prompt_tokens=50, completion_tokens=11, exact=True)
    metrics = counted(
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


def test_what_a_deployment_has_made_is_told_by_itself() -> None:
    metrics = CallMetrics()
    assert metrics.output_tokens("qwen") == 0
    metrics.calls_ended([record(usage=Usage(50, 11)), record(usage=Usage(50, 7)), record(deployment="")])
    assert metrics.output_tokens("qwen") == 18


def test_a_call_that_reached_no_deployment_is_counted_too() -> None:
    metrics = counted(record(deployment="", replica="", status=401, error="invalid_api_key", model="whatever it said"))
    assert 'hayate_calls_total{deployment="-",endpoint="chat",status="401"} 1.0' in metrics
    assert "whatever" not in metrics


async def test_live_counters_are_read_when_asked_for() -> None:
    tables = fleet()
    deployment = tables.deployments["qwen"]
    deployment.replicas[1].in_flight = 5
    for _ in range(2):
        deployment.replicas[0].health.probe_failed(0.0)
    metrics = "".join(Metrics(tables).pieces())
    for line in (
        'hayate_in_flight{deployment="qwen",replica="qwen/1"} 5.0',
        'hayate_replica_healthy{deployment="qwen",replica="qwen/0"} 0.0',
        'hayate_replica_healthy{deployment="qwen",replica="qwen/1"} 1.0',
        'hayate_queued{deployment="qwen"} 0.0',
        'hayate_upstream_connections{deployment="qwen",replica="qwen/0"} 0.0',
    ):
        assert line in metrics.splitlines()
