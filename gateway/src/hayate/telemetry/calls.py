"""What is known of a call afterwards: one log line, a few metrics. Nothing here runs per chunk.

No key, no prompt and no text of a caller's is ever a label (`metrics`). The call log is one JSON object per line on standard
output, so control characters arrive escaped. Nothing here waits for who reads it, or fails because nobody does (`log_writer`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, generate_latest

from hayate.fleet.fleet import Fleet
from hayate.telemetry.log_writer import write_error, write_output
from hayate.telemetry.metrics import CallMetrics, FleetMetrics, LogMetrics
from hayate.wire.usage import Usage

MAX_NAME_CHARS = 200
_USUAL = frozenset({None, "stop", "length", "tool_calls"})
LATE_S = 0.1
MAX_TOGETHER = 16
"""How long a call that has ended may wait to be counted and written, and with how many others.

One at a time, each would find the processor's caches cold; together they cost a third. More of them would hold up a stream.
"""


@dataclass(slots=True)
class CallRecord:
    """The facts of one call. Times are seconds on the monotonic clock; `finish` fills in the rest."""

    request_id: str
    endpoint: str
    started: float
    upstream_id: bytes = b""
    """What the engine is told; empty: `request_id`."""
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
    ended: float = 0.0
    ended_at: float = 0.0
    """The same moment on the wall's clock."""


class Telemetry:
    """Counts and writes. One per gateway.

    `later` runs a function after so many seconds. With it, calls are counted and written together (`LATE_S`, `MAX_TOGETHER`);
    without it, each at once.
    """

    def __init__(
        self,
        fleet: Fleet,
        *,
        log: Callable[[bytes], object] = write_output,
        wall_clock: Callable[[], float] = time.time,
        later: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        self._log = log
        self._wall_clock = wall_clock
        self._later = later
        self._waits = False
        self._ended: list[CallRecord] = []
        self._calls = CallMetrics()
        self._registry = CollectorRegistry()
        self._registry.register(self._calls)
        self._registry.register(FleetMetrics(fleet))
        self._registry.register(LogMetrics())

    def finish(self, record: CallRecord, now: float) -> None:
        """The call has ended."""
        record.ended, record.ended_at = now, self._wall_clock()
        self._ended.append(record)
        if self._later is None or len(self._ended) >= MAX_TOGETHER:
            self.flush()
        elif not self._waits:
            self._waits = True
            self._later(LATE_S, self._waited)

    def flush(self) -> None:
        """Counts and writes the calls that wait."""
        if not self._ended:
            return
        ended, self._ended = self._ended, []
        for record in ended:
            self._count(record)
        self._log(b"".join([_line(record) for record in ended]))

    def expose(self) -> bytes:
        """The Prometheus text."""
        self.flush()
        return generate_latest(self._registry)

    def _waited(self) -> None:
        self._waits = False
        self.flush()

    def _count(self, record: CallRecord) -> None:
        self._calls.count(record.endpoint, record.deployment or "-", record.status)
        if record.deployment:
            at = self._calls.measure(
                record.endpoint,
                record.deployment,
                record.usage,
                total_s=record.ended - record.started,
                ttft_s=record.ttft_s,
            )
            if record.attempts > 1:
                at.retries += record.attempts - 1
            if record.queued_s:
                at.queued.observe(record.queued_s)


def _line(record: CallRecord) -> bytes:
    usage = record.usage
    line = {
        "time": int(record.ended_at * 1000) / 1000,
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
        "finish_reason": record.finish_reason if record.finish_reason in _USUAL else _shown(str(record.finish_reason)),
        "attempts": record.attempts,
        "queued_ms": _ms(record.queued_s),
        "ttft_ms": None if record.ttft_s is None else _ms(record.ttft_s),
        "total_ms": _ms(record.ended - record.started),
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "tokens_exact": usage.exact,
    }
    return _rendered(line)


def _rendered(line: dict[str, Any]) -> bytes:
    """One line of JSON, whatever is in it: a name of bytes that are no text (a path, say) is escaped."""
    try:
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return json.dumps(line, default=str).encode() + b"\n"


def _ms(seconds: float) -> float:
    """Milliseconds, to a tenth; `round` takes the way through decimal digits."""
    return int(seconds * 10_000 + 0.5) / 10


def _shown(name: str) -> str:
    """A caller's text on a line of its own: short, and without what a terminal or a reader of lines would act on."""
    if len(name) > MAX_NAME_CHARS:
        name = name[:MAX_NAME_CHARS] + "…"
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def notice(event: str, **facts: Any) -> None:
    """An operator's line on standard error: a replica lost or back, a reload, a start. Never waits, never raises."""
    write_error(_rendered({"time": round(time.time(), 3), "event": event, **facts}))
