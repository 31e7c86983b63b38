"""What is known of a call afterwards: one log line, a few metrics. Nothing here runs per chunk.

No key, no prompt and no text of a caller's is ever a label (`metrics`). The call log is one JSON object per line on standard
output, so control characters arrive escaped.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import orjson
from prometheus_client import CollectorRegistry, generate_latest

from hayate.metrics import CallMetrics, FleetMetrics
from hayate.pool import Fleet
from hayate.wire.usage import Usage

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
    """Counts and writes. One per gateway.

    `later` runs a function once the event loop is done with what it has at hand: the lines of the calls that end in one turn
    leave in one write. Without it every line is written at once.
    """

    def __init__(
        self,
        fleet: Fleet,
        *,
        log: BinaryIO | None = None,
        wall_clock: Callable[[], float] = time.time,
        later: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._log = log if log is not None else sys.stdout.buffer
        self._wall_clock = wall_clock
        self._later = later
        self._lines: list[bytes] = []
        self._calls = CallMetrics()
        self._registry = CollectorRegistry()
        self._registry.register(self._calls)
        self._registry.register(FleetMetrics(fleet))

    def finish(self, record: CallRecord, now: float) -> None:
        """Writes the call's line and counts it."""
        total_s = now - record.started
        self._calls.count(record.endpoint, record.deployment or "-", record.status)
        if record.deployment:
            at = self._calls.measure(
                record.endpoint, record.deployment, record.usage, total_s=total_s, ttft_s=record.ttft_s
            )
            if record.attempts > 1:
                at.retries += record.attempts - 1
            if record.queued_s:
                at.queued.observe(record.queued_s)
        self._lines.append(self._line(record, total_s))
        if self._later is None:
            self.flush()
        elif len(self._lines) == 1:
            self._later(self.flush)

    def flush(self) -> None:
        """Writes the lines that wait."""
        lines, self._lines = self._lines, []
        try:
            self._log.write(b"".join(lines))
            self._log.flush()
        except (BrokenPipeError, BlockingIOError):
            return  # whoever read the log has gone, or is far behind: calls go on

    def expose(self) -> bytes:
        """The Prometheus text."""
        return generate_latest(self._registry)

    def _line(self, record: CallRecord, total_s: float) -> bytes:
        usage = record.usage
        line = {
            "time": int(self._wall_clock() * 1000) / 1000,
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
            "queued_ms": _ms(record.queued_s),
            "ttft_ms": None if record.ttft_s is None else _ms(record.ttft_s),
            "total_ms": _ms(total_s),
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cached_tokens": usage.cached_tokens,
            "tokens_exact": usage.exact,
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _ms(seconds: float) -> float:
    """Milliseconds, to a tenth; `round` takes the way through decimal digits."""
    return int(seconds * 10_000 + 0.5) / 10


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
