"""What is counted reads as prometheus_client's own histogram would."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Histogram as Reference
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from hayate.telemetry.histogram import Histogram, quantile
from hayate.telemetry.metrics import SECONDS
from tests.support.tables import table
from tests.unit.telemetry.records import exposed


class One(Collector):
    """A registry's view of one histogram."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram

    def collect(self) -> list[HistogramMetricFamily]:
        family = HistogramMetricFamily("waited_seconds", "Waited.", labels=["at"])
        self._histogram.add_to(family, ["here"])
        return [family]


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


@table(
    ("counts", "part", "value"),
    [
        ((0, 0, 0, 0), 0.5, None),
        ((4, 0, 0, 0), 0.5, 0.5),
        ((0, 4, 0, 0), 0.5, 1.5),
        ((2, 2, 0, 0), 0.5, 1.0),
        ((1, 1, 2, 0), 0.75, 3.0),
        ((0, 0, 0, 5), 0.5, 4.0),
        ((1, 0, 0, 0), 1.0, 1.0),
    ],
)
def test_a_quantile_lies_evenly_between_two_bounds(counts: tuple[int, ...], part: float, value: float | None) -> None:
    assert quantile((1.0, 2.0, 4.0), counts, part) == value


@given(values=st.lists(st.floats(0, 10), min_size=1, max_size=50), part=st.floats(0.01, 1))
def test_a_quantile_is_in_the_bucket_of_the_value_it_stands_for(values: list[float], part: float) -> None:
    bounds = (0.5, 1.0, 2.0, 5.0, 11.0)
    histogram = Histogram(bounds)
    for each in values:
        histogram.observe(each)
    exact = sorted(values)[max(0, math.ceil(part * len(values) - 1e-9) - 1)]
    top = next(each for each in bounds if exact <= each)
    below = max((each for each in bounds if each < top), default=0.0)
    found = quantile(histogram.bounds, histogram.counts, part)
    assert found is not None
    assert below - 1e-9 <= found <= top + 1e-9
