"""What Prometheus may know of the store, read when it asks; the thread that writes keeps the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hayate.store.writer import Writer


class StoreMetrics(Collector):
    """Of one store's writer."""

    def __init__(self, writer: Writer, now: Callable[[], float] = monotonic) -> None:
        self._writer = writer
        self._now = now

    def collect(self) -> Iterable[Metric]:
        """What waits, what was dropped, how long commits take, and since when none succeeds."""
        writer, failing_since = self._writer, self._writer.failing_since
        commits = HistogramMetricFamily(
            "hayate_store_commit_seconds", "Writing up to 500 records of calls in one transaction.", labels=[]
        )
        writer.commits.add_to(commits, [])
        return [
            GaugeMetricFamily(
                "hayate_store_backlog", "Records of calls that wait to be written.", value=writer.backlog
            ),
            CounterMetricFamily(
                "hayate_store_rows_dropped",
                "Records of calls that were not written: the queue was full, or no file would take them.",
                value=writer.dropped,
            ),
            GaugeMetricFamily(
                "hayate_store_unwritable_seconds",
                "For how long nothing could be written; 0 while all is well.",
                value=0.0 if failing_since is None else self._now() - failing_since,
            ),
            commits,
        ]
