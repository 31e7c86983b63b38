"""What calls add up to, counted in plain numbers and read by Prometheus when it asks.

prometheus_client's own counters take a lock and walk their buckets in Python for every observation; here a call costs a
look-up and a few additions, and the library does what it is for: the exposition.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hayate.fleet.fleet import Fleet
from hayate.fleet.replica import Replica
from hayate.telemetry.engine_metrics import EngineMetrics
from hayate.telemetry.exposition import pieces
from hayate.telemetry.figures import Figures
from hayate.telemetry.histogram import Histogram
from hayate.telemetry.key_metrics import KeyMetrics
from hayate.telemetry.log_writer import dropped_lines
from hayate.telemetry.queue_metrics import QueueMetrics
from hayate.telemetry.record import CallRecord

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
TOKEN_SECONDS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)


class _Made:
    """What calls at one replica, or at one deployment, have made, and how quickly."""

    __slots__ = ("output_tokens", "tpot", "ttft")

    def __init__(self) -> None:
        self.output_tokens = 0
        self.ttft = Histogram(SECONDS)
        self.tpot = Histogram(TOKEN_SECONDS)

    def add(self, record: CallRecord) -> None:
        """Counts one call, and its times if it has said something."""
        tokens, ttft_s = record.usage.completion_tokens, record.ttft_s
        self.output_tokens += tokens
        if ttft_s is not None:
            self.ttft.observe(ttft_s)
            if tokens > 1:
                self.tpot.observe((record.ended - record.started - ttft_s) / (tokens - 1))


class _Deployment(_Made):
    """What calls at one deployment add up to."""

    __slots__ = ("input_tokens", "queued", "retries")

    def __init__(self) -> None:
        super().__init__()
        self.input_tokens = 0
        self.retries = 0
        self.queued = Histogram(SECONDS)


class _Outcome:
    """What calls of one endpoint add up to that ended alike. Those that ended otherwise share what they are measured by."""

    __slots__ = ("_at", "_duration", "calls")

    def __init__(self, duration: Histogram, at: _Deployment | None) -> None:
        self.calls = 0
        self._duration = duration
        self._at = at
        """None of calls that came to no deployment."""

    def add(self, record: CallRecord) -> None:
        """Counts one call, and what it took and used where it reached a deployment."""
        self.calls += 1
        at = self._at
        if at is None:
            return
        self._duration.observe(record.ended - record.started)
        at.add(record)
        at.input_tokens += record.usage.prompt_tokens
        if record.attempts > 1:
            at.retries += record.attempts - 1
        if record.queued_s:
            at.queued.observe(record.queued_s)


class CallMetrics(Collector):
    """The observer that counts. One per gateway. Labels come from bounded sets: endpoints, configured deployments, statuses."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str, str, int], _Outcome] = {}
        self._durations: dict[tuple[str, str], Histogram] = {}
        self._deployments: dict[str, _Deployment] = {}
        self._replicas: dict[str, _Made] = {}

    def calls_ended(self, batch: Sequence[CallRecord]) -> None:
        """Adds them up."""
        for record in batch:
            outcome = (record.endpoint, record.deployment, record.status)
            found = self._outcomes.get(outcome)
            if found is None:
                found = self._outcomes[outcome] = self._new(record.endpoint, record.deployment)
            found.add(record)
            measured = self._replicas.get(record.replica)
            if measured is not None:
                measured.add(record)

    def of_replica(self, label: str) -> _Made:
        """What calls at a replica have added up to since this was first asked."""
        found = self._replicas.get(label)
        if found is None:
            found = self._replicas[label] = _Made()
        return found

    def forget_others(self, labels: set[str]) -> None:
        """Counts nothing any more for replicas that are not among these."""
        self._replicas = {label: each for label, each in self._replicas.items() if label in labels}

    def _new(self, endpoint: str, deployment: str) -> _Outcome:
        if not deployment:
            return _Outcome(Histogram(SECONDS), None)
        duration = self._durations.setdefault((endpoint, deployment), Histogram(SECONDS))
        return _Outcome(duration, self._deployments.setdefault(deployment, _Deployment()))

    def output_tokens(self, deployment: str) -> int:
        """What the engines of a deployment have made for calls that have ended."""
        at = self._deployments.get(deployment)
        return 0 if at is None else at.output_tokens

    def times(self, deployment: str) -> tuple[Histogram, Histogram] | None:
        """To the first token, and then per token, of calls at a deployment that have ended; None where none has yet."""
        at = self._deployments.get(deployment)
        return None if at is None else (at.ttft, at.tpot)

    def collect(self) -> Iterable[Metric]:
        """What calls add up to: by outcome, then by deployment, and each deployment by itself."""
        for (endpoint, deployment, status), outcome in list(self._outcomes.items()):
            calls = CounterMetricFamily(
                "hayate_calls", "Calls by outcome.", labels=["endpoint", "deployment", "status"]
            )
            calls.add_metric([endpoint, deployment or "-", str(status)], outcome.calls)
            yield calls
        for labels, histogram in list(self._durations.items()):
            duration = HistogramMetricFamily(
                "gen_ai_server_request_duration_seconds",
                "From the request's arrival to its end.",
                labels=["endpoint", "deployment"],
            )
            histogram.add_to(duration, labels)
            yield duration
        deployments = list(self._deployments.items())
        yield from self._counters(deployments)
        for name, text, histogram_of in _TIMES:
            for deployment, at in deployments:
                times = HistogramMetricFamily(name, text, labels=["deployment"])
                histogram_of(at).add_to(times, [deployment])
                yield times

    def _counters(self, deployments: Sequence[tuple[str, _Deployment]]) -> Iterable[Metric]:
        for name, at in deployments:
            tokens = CounterMetricFamily("hayate_tokens", "Tokens by direction.", labels=["deployment", "type"])
            tokens.add_metric([name, "input"], at.input_tokens)
            tokens.add_metric([name, "output"], at.output_tokens)
            yield tokens
        for name, at in deployments:
            retries = CounterMetricFamily("hayate_retries", "Attempts after the first.", labels=["deployment"])
            retries.add_metric([name], at.retries)
            yield retries


_TIMES: Final[Sequence[tuple[str, str, Callable[[_Deployment], Histogram]]]] = (
    (
        "gen_ai_server_time_to_first_token_seconds",
        "To the first non-empty delta, queue included.",
        attrgetter("ttft"),
    ),
    (
        "gen_ai_server_time_per_output_token_seconds",
        "(total - first token) / (output tokens - 1).",
        attrgetter("tpot"),
    ),
    ("hayate_queued_seconds", "Waiting for a place at the deployment.", attrgetter("queued")),
)


class FleetMetrics(Collector):
    """Live counters, read when /metrics is asked for, so that calls keep no gauges up to date."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterable[Metric]:
        """How each replica does at this moment."""
        deployments = list(self._fleet.deployments.values())
        for name, text, value_of in _OF_REPLICAS:
            for deployment in deployments:
                gauge = GaugeMetricFamily(name, text, labels=["deployment", "replica"])
                for replica in deployment.replicas:
                    gauge.add_metric([deployment.name, replica.label], value_of(replica))
                yield gauge
        for deployment in deployments:
            queued = GaugeMetricFamily("hayate_queued", "Calls waiting for a place.", labels=["deployment"])
            queued.add_metric([deployment.name], deployment.gate.queued)
            yield queued


_OF_REPLICAS: Final[Sequence[tuple[str, str, Callable[[Replica], float]]]] = (
    ("hayate_in_flight", "Calls at a replica.", attrgetter("in_flight")),
    (
        "hayate_replica_healthy",
        "1 when calls may go there.",
        lambda replica: replica.available(time.monotonic()),
    ),
    ("hayate_upstream_connections", "Open connections to a replica.", attrgetter("pool.open_connections")),
    (
        "hayate_upstream_spare_connections",
        "Those of them that are open ahead of need (timeouts.spare_s).",
        attrgetter("pool.spare_connections"),
    ),
)


class LogMetrics(Collector):
    """Lines of the log that nobody will read."""

    def collect(self) -> Iterable[Metric]:
        """How many lines have been dropped since the start, by stream."""
        dropped = CounterMetricFamily(
            "hayate_log_lines_dropped",
            "Lines that did not fit while a stream could not be written to.",
            labels=["stream"],
        )
        for stream, lines in dropped_lines().items():
            dropped.add_metric([stream], lines)
        return [dropped]


class Metrics:
    """All that Prometheus may ask for. One per gateway."""

    def __init__(self, fleet: Fleet) -> None:
        self.calls = CallMetrics()
        self.keys = KeyMetrics()
        self.engines = EngineMetrics()
        self.figures = Figures(self.calls)
        self._collectors: list[Collector] = []
        self.add(self.calls, self.keys, FleetMetrics(fleet), QueueMetrics(fleet, self.keys.labels))
        self.add(self.engines, LogMetrics())

    def add(self, *collectors: Collector) -> None:
        """What else there is to tell, of rooms that telemetry knows nothing of."""
        self._collectors += collectors

    def pieces(self) -> Iterator[str]:
        """The Prometheus text, a few rows at a time (`exposition.in_slices`)."""
        return pieces(self._collectors)
