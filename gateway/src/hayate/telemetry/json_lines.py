"""The log for programs: a line of JSON for each call and for each event.

What a caller or an engine names arrives short and without what a terminal or a reader of lines would act on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from hayate.language import Text
from hayate.telemetry.iso_time import iso
from hayate.telemetry.record import CallRecord

MAX_NAME_CHARS = 200
_USUAL = frozenset({None, "stop", "length", "tool_calls"})


def call_lines(batch: Sequence[CallRecord]) -> bytes:
    """Of calls that have ended, a line each."""
    return b"".join(map(_call_line, batch))


def event_line(at: float, event: str, facts: Mapping[str, Any]) -> bytes:
    """Of what an operator should know."""
    said = {name: each.en if isinstance(each, Text) else each for name, each in facts.items()}
    return _rendered({"time": iso(at), "event": event, **said})


def _call_line(record: CallRecord) -> bytes:
    usage = record.usage
    line = {
        "time": iso(record.ended_at),
        "event": "call",
        "request_id": record.request_id,
        "endpoint": record.endpoint,
        "key": record.key,
        "model": _shown(record.model),
        "deployment": record.deployment,
        "replica": record.replica,
        "stream": record.stream,
        "status": record.status,
        "error": None if record.error is None else _shown(str(record.error)),
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
    """A caller's text on a line of its own."""
    if len(name) > MAX_NAME_CHARS:
        name = name[:MAX_NAME_CHARS] + "…"
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")
