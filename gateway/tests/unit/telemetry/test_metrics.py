"""What Prometheus reads is what was counted, in its own form: cumulative buckets, sums, counts."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Histogram as Reference
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from hayate.telemetry.metrics import SECONDS, CallMetrics, Histogram
from hayate.wire.usage import Usage


class One(Collector):
    """A registry's view of one histogram."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram

    def collect(self) -> list[HistogramMetricFamily]:
        family = HistogramMetricFamily("waited_seconds", "Waited.", labels=["at"])
        self._histogram.add_to(family, ["here"])
        return [family]


def exposed(collector: Collector) -> str:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


@given(st.lists(st.one_of(st.floats(0, 1000), st.sampled_from(SECONDS)), min_size=1))
def test_a_histogram_reads_like_prometheus_clients_own(values: list[float]) -> None:
    ours = Histogram(SECONDS)
    registry = CollectorRegistry()
    reference = Reference("waited_seconds", "Waited.", ["at"], buckets=SECONDS, registry=registry)
    for value in values:
        ours.observe(value)
        reference.labels("here").observe(value)
    wanted = [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
    got = exposed(One(ours)).splitlines()
    assert [line for line in got if "_sum" not in line] == [line for line in wanted if "_sum" not in line]
    sums = [float(line.split()[-1]) for line in (*got, *wanted) if "_sum{" in line]
    assert math.isclose(*sums)


def test_a_histogram_without_observations_says_nothing() -> None:
    assert "here" not in exposed(One(Histogram(SECONDS)))


def test_everything_that_is_exposed_can_be_parsed_and_labels_are_escaped() -> None:
    metrics = CallMetrics()
    metrics.count("chat", 'a "name"\n', 200)
    at = metrics.measure("chat", 'a "name"\n', Usage(5, 7, exact=True), total_s=2.0, ttft_s=0.5)
    at.retries += 1
    at.queued.observe(0.1)
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
