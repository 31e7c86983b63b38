"""What Prometheus may know of the store, read when it asks; the thread that writes keeps the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from time import monotonic

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hayate.store.sqlite import beside
from hayate.store.writer import Writer


class StoreMetrics(Collector):
    """Of one store's writer, and its file's size."""

    def __init__(self, path: Path, writer: Writer, now: Callable[[], float] = monotonic) -> None:
        self._path = path
        self._writer = writer
        self._now = now

    def collect(self) -> Iterable[Metric]:
        """What waits, what was dropped, how long commits take, since when none succeeds, and how large the file is."""
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
            *self._of_conversations(),
            self._sizes(),
        ]

    def _of_conversations(self) -> Iterable[Metric]:
        awaited = self._writer.awaited
        commits = HistogramMetricFamily(
            "hayate_history_commit_seconds", "Writing the turns that had queued in one transaction.", labels=[]
        )
        awaited.commits.add_to(commits, [])
        return [
            CounterMetricFamily(
                "hayate_history_kept", "Turns, and other changes of conversations, that were kept.", value=awaited.kept
            ),
            GaugeMetricFamily("hayate_history_waiting", "Those that wait to be.", value=awaited.waiting),
            commits,
        ]

    def _sizes(self) -> Metric:
        """A look at the file system, which knows."""
        sizes = GaugeMetricFamily("hayate_store_bytes", "The database, and its log.", labels=["file"])
        log, _ = beside(self._path)
        for name, path in (("database", self._path), ("log", log)):
            with suppress(OSError):  # there is none of it at the moment
                sizes.add_metric([name], path.stat().st_size)
        return sizes
