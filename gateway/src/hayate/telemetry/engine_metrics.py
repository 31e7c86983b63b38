"""What Prometheus may know of the models that come and go: how often each was loaded and let go, how long that took, and where
it is now. Labels are deployments' names and the closed words of `policy.tenant`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hayate.fleet.engines import Event
from hayate.fleet.resident import Resident
from hayate.telemetry.histogram import Histogram

LOAD_SECONDS: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0)
ENDS: Final = ("crashed", "stuck")
"""Why an engine has failed that was loaded."""


class EngineMetrics(Collector):
    """One per gateway; told of what happens to engines."""

    def __init__(self) -> None:
        self.residents: Mapping[str, Resident] = {}
        """Of `fleet.engines`."""
        self._loads: Counter[tuple[str, str]] = Counter()
        self._unloads: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[str, Histogram] = {}

    def happened(self, event: Event, resident: Resident) -> None:
        """Counts what is to be counted of it."""
        name, why = resident.deployment.name, resident.tenant.why
        took_s = resident.door.last_load_s
        if event == "engine_unloaded" or (event == "engine_failed" and why in ENDS):
            self._unloads[name, why] += 1
        elif event == "engine_failed":
            self._loads[name, "failed"] += 1
        elif event == "engine_loaded" and why == "found":
            self._loads[name, why] += 1
        elif event == "engine_loaded":
            self._loads[name, "loaded"] += 1
            if took_s is not None:
                self._seconds.setdefault(name, Histogram(LOAD_SECONDS)).observe(took_s)

    def collect(self) -> Iterable[Metric]:
        """By deployment, a row at a time; of one whose model does not come and go there is nothing to tell."""
        yield from _counters("hayate_engine_loads", "Loads of a model.", "outcome", self._loads)
        yield from _counters("hayate_engine_unloads", "Ends of a loaded model.", "why", self._unloads)
        yield _seconds()
        for name, histogram in list(self._seconds.items()):
            seconds = _seconds()
            histogram.add_to(seconds, [name])
            yield seconds
        yield _state()
        for name, resident in list(self.residents.items()):
            state = _state()
            state.add_metric([name, resident.tenant.state.value], 1)
            yield state


def _counters(name: str, text: str, label: str, counts: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    """A family without a row first: it is told that there is such a metric."""
    yield CounterMetricFamily(name, text, labels=["deployment", label])
    for labels, count in list(counts.items()):
        family = CounterMetricFamily(name, text, labels=["deployment", label])
        family.add_metric(labels, count)
        yield family


def _seconds() -> HistogramMetricFamily:
    return HistogramMetricFamily("hayate_engine_load_seconds", "What loads took.", labels=["deployment"])


def _state() -> GaugeMetricFamily:
    return GaugeMetricFamily("hayate_engine_state", "Where a model is; 1.", labels=["deployment", "state"])
