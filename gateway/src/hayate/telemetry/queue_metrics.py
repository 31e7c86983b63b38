"""What Prometheus may know of the queues, read when it asks: what each engine is given at once and why, and whose calls
are in and wait.

A lane is named by its key's id (`:low` behind it for calls that it has lowered itself), for the keys that key metrics
name; the lanes of all others are one, `other`, of which nobody knows how long its calls usually wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from time import monotonic
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hayate.fleet.deployment import Deployment
from hayate.fleet.fleet import Fleet
from hayate.policy.queue_view import LaneView, view
from hayate.telemetry.key_metrics import OTHER

LOW: Final = ":low"
Labels = Callable[[Iterable[str]], Mapping[str, str]]


class _Lane:
    """Lanes under one label. The quantiles are those of the only one that it stands for, else there are none."""

    __slots__ = ("ahead", "in_flight", "oldest_s", "waiting", "waits")

    def __init__(self) -> None:
        self.in_flight = self.waiting = 0
        self.ahead = self.oldest_s = 0.0
        self.waits: dict[str, float | None] = {}

    def add(self, lane: LaneView, *, alone: bool) -> None:
        """Puts one more under the label."""
        self.ahead = max(self.ahead, lane.counter)
        self.in_flight += lane.in_flight
        self.waiting += lane.waiting
        self.oldest_s = max(self.oldest_s, lane.oldest_s)
        if alone:
            self.waits = {"0.5": lane.wait_p50_s, "0.95": lane.wait_p95_s}


_OF_LANES: Final[Sequence[tuple[str, str, Callable[[_Lane], float]]]] = (
    ("hayate_queue_waiting", "Calls that wait, by lane.", attrgetter("waiting")),
    ("hayate_queue_in_flight", "Places that are taken on the GPU, by lane.", attrgetter("in_flight")),
    ("hayate_queue_ahead_tokens", "Work beyond the lane that has had least, by weight.", attrgetter("ahead")),
    ("hayate_queue_oldest_seconds", "How long the call has waited that waits longest.", attrgetter("oldest_s")),
)


class QueueMetrics(Collector):
    """Of one gateway's deployments. `labels` says by which name keys may stand (`telemetry.key_metrics`)."""

    def __init__(self, fleet: Fleet, labels: Labels, now: Callable[[], float] = monotonic) -> None:
        self._fleet = fleet
        self._labels = labels
        self._now = now

    def collect(self) -> Iterable[Metric]:
        """The ceilings by replica, then the lanes by deployment, a row at a time."""
        yield from _ceilings(list(self._fleet.deployments.values()))
        rows: list[tuple[list[str], _Lane]] = []
        yield from self._gather(rows)
        for name, text, value_of in _OF_LANES:
            yield _gauge(name, text)
            for labels, lane in rows:
                gauge = _gauge(name, text)
                gauge.add_metric(labels, value_of(lane))
                yield gauge
        yield _waits()
        for labels, lane in rows:
            waits = _waits()
            for quantile, wait_s in lane.waits.items():
                if wait_s is not None:
                    waits.add_metric([*labels, quantile], wait_s)
            yield waits

    def _gather(self, rows: list[tuple[list[str], _Lane]]) -> Iterator[Metric]:
        """Of each deployment and label, what stands under it. A family without a row after each deployment, for others' turn."""
        by_name: dict[str, tuple[LaneView, ...]] = {}
        nothing = _gauge(*_OF_LANES[0][:2])
        for each in list(self._fleet.deployments.values()):
            by_name[each.name] = view(each.gate, self._now()).lanes
            yield nothing
        names = self._labels(lane.key for lanes in by_name.values() for lane in lanes)
        found: dict[tuple[str, str], _Lane] = {}
        for deployment, lanes in by_name.items():
            for lane in lanes:
                name = names[lane.key]
                label = deployment, name + (LOW if lane.low else "")
                found.setdefault(label, _Lane()).add(lane, alone=name != OTHER)
            yield nothing
        rows += [([*label], lane) for label, lane in found.items()]


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    """Of lanes; without any, it is told that there is such a metric."""
    return GaugeMetricFamily(name, text, labels=["deployment", "lane"])


def _waits() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "hayate_queue_wait_seconds",
        "How long the lane's latest calls have waited.",
        labels=["deployment", "lane", "quantile"],
    )


def _ceilings(deployments: Sequence[Deployment]) -> Iterator[Metric]:
    for name, text, value_of in (
        ("hayate_ceiling", "Calls that a replica is given at once.", attrgetter("places")),
        ("hayate_ceiling_spare", "Places above the ceiling, for keys below half their share.", attrgetter("spare")),
    ):
        for deployment in deployments:
            gauge = GaugeMetricFamily(name, text, labels=["deployment", "replica"])
            for replica in deployment.replicas:
                gauge.add_metric([deployment.name, replica.label], value_of(replica.ceiling))
            yield gauge
    for deployment in deployments:
        why = GaugeMetricFamily(
            "hayate_ceiling_why", "Why the ceiling is where it is; 1.", labels=["deployment", "replica", "why"]
        )
        for replica in deployment.replicas:
            why.add_metric([deployment.name, replica.label, replica.ceiling.why], 1)
        yield why
