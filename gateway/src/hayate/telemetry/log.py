"""The log: a line of JSON for every call on standard output, and one on standard error for what an operator should
know.

No key, no prompt and no answer is in either, and what a caller or an engine names arrives escaped. Nothing here waits
for who reads it, or fails because nobody does (`log_writer`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from hayate.telemetry.log_writer import write_error, write_output
from hayate.telemetry.record import CallRecord

MAX_NAME_CHARS = 200
_USUAL = frozenset({None, "stop", "length", "tool_calls"})


class CallLog:
    """The observer that writes the lines of calls."""

    def __init__(self, write: Callable[[bytes], object] = write_output) -> None:
        self._write = write

    def calls_ended(self, batch: Sequence[CallRecord]) -> None:
        """All lines in one write."""
        self._write(b"".join(map(_line, batch)))


def log_event(event: str, **facts: Any) -> None:
    """An operator's line on standard error: a replica lost or back, a reload, a start. Never waits, never raises."""
    write_error(_rendered({"time": round(time.time(), 3), "event": event, **facts}))


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
