"""What is known of a call afterwards: one log line, a few metrics. Nothing here runs per chunk.

Labels come from bounded sets (endpoints, configured deployments, statuses); no key, no prompt and no text of a caller's is ever
a label. The call log is one JSON object per line on standard output, so control characters arrive escaped.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import orjson
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hayate.pool import Fleet
from hayate.wire.usage import Usage

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_TOKEN_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)


MAX_NAME_CHARS = 200


@dataclass(slots=True)
class CallRecord:
    """The facts of one call. Times are seconds on the monotonic clock; `finish` fills in the rest."""

    request_id: str
    endpoint: str
    started: float
    key: str = "-"
    model: str = ""
    stream: bool = False
    deployment: str = ""
    replica: str = ""
    attempts: int = 0
    queued_s: float = 0.0
    ttft_s: float | None = None
    status: int = 0
    error: str | None = None
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)


class Telemetry:
    """Counts and writes. One per gateway."""

    def __init__(
        self, fleet: Fleet, *, log: BinaryIO | None = None, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._log = log if log is not None else sys.stdout.buffer
        self._wall_clock = wall_clock
        self.registry = CollectorRegistry()
        self.registry.register(_FleetCollector(fleet))
        self._calls = Counter(
            "hayate_calls", "Calls by outcome.", ["endpoint", "deployment", "status"], registry=self.registry
        )
        self._tokens = Counter("hayate_tokens", "Tokens by direction.", ["deployment", "type"], registry=self.registry)
        self._retries = Counter("hayate_retries", "Attempts after the first.", ["deployment"], registry=self.registry)
        self._duration = Histogram(
            "gen_ai_server_request_duration_seconds",
            "From the request's arrival to its end.",
            ["endpoint", "deployment"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._ttft = Histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "To the first non-empty delta, queue included.",
            ["deployment"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._tpot = Histogram(
            "gen_ai_server_time_per_output_token_seconds",
            "(total - first token) / (output tokens - 1).",
            ["deployment"],
            buckets=_TOKEN_SECONDS,
            registry=self.registry,
        )
        self._queued = Histogram(
            "hayate_queued_seconds",
            "Waiting for a place at the deployment.",
            ["deployment"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._children: dict[tuple[Any, ...], Any] = {}

    def finish(self, record: CallRecord, now: float) -> None:
        """Writes the call's line and counts it."""
        total_s = now - record.started
        name = record.deployment or "-"
        self._child(self._calls, record.endpoint, name, str(record.status)).inc()
        if record.deployment:
            self._measure(record, name, total_s)
        self._write(record, total_s)

    def expose(self) -> bytes:
        """The Prometheus text."""
        return generate_latest(self.registry)

    def _measure(self, record: CallRecord, name: str, total_s: float) -> None:
        usage = record.usage
        self._child(self._duration, record.endpoint, name).observe(total_s)
        if usage.prompt_tokens:
            self._child(self._tokens, name, "input").inc(usage.prompt_tokens)
        if usage.completion_tokens:
            self._child(self._tokens, name, "output").inc(usage.completion_tokens)
        if record.ttft_s is not None:
            self._child(self._ttft, name).observe(record.ttft_s)
            if usage.completion_tokens > 1:
                self._child(self._tpot, name).observe((total_s - record.ttft_s) / (usage.completion_tokens - 1))
        if record.attempts > 1:
            self._child(self._retries, name).inc(record.attempts - 1)
        if record.queued_s:
            self._child(self._queued, name).observe(record.queued_s)

    def _child(self, metric: Any, *labels: str) -> Any:
        """The metric's child for these labels; prometheus_client's own lookup takes a lock and builds a tuple of strings."""
        key = (metric, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def _write(self, record: CallRecord, total_s: float) -> None:
        usage = record.usage
        line = {
            "time": round(self._wall_clock(), 3),
            "event": "call",
            "request_id": record.request_id,
            "endpoint": record.endpoint,
            "key": record.key,
            "model": _shown(record.model),
            "deployment": record.deployment,
            "replica": record.replica,
            "stream": record.stream,
            "status": record.status,
            "error": record.error,
            "finish_reason": record.finish_reason,
            "attempts": record.attempts,
            "queued_ms": round(record.queued_s * 1000, 1),
            "ttft_ms": None if record.ttft_s is None else round(record.ttft_s * 1000, 1),
            "total_ms": round(total_s * 1000, 1),
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cached_tokens": usage.cached_tokens,
            "tokens_exact": usage.exact,
        }
        try:
            self._log.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            self._log.flush()
        except (BrokenPipeError, BlockingIOError):
            return  # whoever read the log has gone, or is far behind: calls go on


def _shown(name: str) -> str:
    """A caller's text on a line of its own: short, and without what a terminal or a reader of lines would act on."""
    if len(name) > MAX_NAME_CHARS:
        name = name[:MAX_NAME_CHARS] + "…"
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def notice(event: str, **facts: Any) -> None:
    """An operator's line on standard error: a replica lost or back, a reload, a start."""
    line = {"time": round(time.time(), 3), "event": event, **facts}
    sys.stderr.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    sys.stderr.buffer.flush()


class _FleetCollector(Collector):
    """Live counters, read when /metrics is asked for, so that calls keep no gauges up to date."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterable[Metric]:
        in_flight = GaugeMetricFamily("hayate_in_flight", "Calls at a replica.", labels=["deployment", "replica"])
        healthy = GaugeMetricFamily(
            "hayate_replica_healthy", "1 when calls may go there.", labels=["deployment", "replica"]
        )
        connections = GaugeMetricFamily(
            "hayate_upstream_connections", "Open connections to a replica.", labels=["deployment", "replica"]
        )
        queued = GaugeMetricFamily("hayate_queued", "Calls waiting for a place.", labels=["deployment"])
        now = time.monotonic()
        for deployment in self._fleet.deployments.values():
            queued.add_metric([deployment.name], deployment.gate.queued)
            for replica in deployment.replicas:
                labels = [deployment.name, replica.label]
                in_flight.add_metric(labels, replica.in_flight)
                healthy.add_metric(labels, replica.available(now))
                connections.add_metric(labels, replica.pool.open_connections)
        return [in_flight, healthy, connections, queued]
