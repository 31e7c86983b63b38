"""Records of calls for the tests of what follows a call, and what Prometheus would read."""

from __future__ import annotations

from typing import Any

from prometheus_client.registry import Collector

from hayate.telemetry.exposition import pieces
from hayate.telemetry.record import CallRecord


def record(**facts: Any) -> CallRecord:
    """A call at `qwen` that took 2 s."""
    values: dict[str, Any] = {"deployment": "qwen", "replica": "qwen/0", "attempts": 1, "status": 200, **facts}
    return CallRecord("id-1", "chat", 100.0, ended=102.0, ended_at=1_790_000_000.1234, **values)


def exposed(collector: Collector) -> str:
    """The text of one collector."""
    return "".join(pieces([collector]))
