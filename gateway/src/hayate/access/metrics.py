"""What Prometheus may know of keys and limits, read when it asks. No key stands in it: `telemetry.key_metrics` counts by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hayate.access.grants import Grants
from hayate.access.key_ring import KeyRing


class AccessMetrics(Collector):
    """Of one gateway's keys and of the leave that their calls get."""

    def __init__(self, ring: KeyRing, grants: Grants, now: Callable[[], float] = monotonic) -> None:
        self._ring = ring
        self._grants = grants
        self._now = now

    def collect(self) -> Iterable[Metric]:
        """How many keys are known, since when they can't be looked up, and how often which limit was hit."""
        failing_since = self._ring.failing_since
        hit = CounterMetricFamily("hayate_limits_hit", "Calls refused with 429, by the limit.", labels=["limit"])
        for kind, count in self._grants.refused.items():
            hit.add_metric([kind.replace(" ", "_")], count)
        return [
            GaugeMetricFamily(
                "hayate_keys_known",
                "Keys of the store that this process knows, of those used lately.",
                value=self._ring.known,
            ),
            GaugeMetricFamily(
                "hayate_keys_stale_seconds",
                "For how long the store could not be read and known keys went on; 0 while all is well.",
                value=0.0 if failing_since is None else self._now() - failing_since,
            ),
            hit,
        ]
