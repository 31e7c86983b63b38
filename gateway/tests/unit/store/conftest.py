"""Records to put into a store."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest

from hayate.telemetry.record import CallRecord
from hayate.wire.usage import Usage

Make = Callable[..., CallRecord]


@pytest.fixture
def make() -> Make:
    """Makes records of calls that have ended, each with a request id of its own."""
    numbers = itertools.count()

    def record(
        *, ended_at: float | None = None, tokens: tuple[int, int, int] = (10, 4, 5), **facts: object
    ) -> CallRecord:
        made = CallRecord(f"req-{next(numbers)}", "chat", 1.0, key="main", project="default", model="fast")
        made.deployment, made.replica, made.status, made.finish_reason = "qwen", "qwen/0", 200, "stop"
        made.ended, made.ended_at, made.ttft_s, made.attempts = 2.5, ended_at or time.time(), 0.25, 1
        made.usage = Usage(tokens[0], tokens[2], tokens[1], exact=True)
        for name, value in facts.items():
            setattr(made, name, value)
        return made

    return record
