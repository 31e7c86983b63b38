"""When an engine says to come back: `retry-after` in seconds or as a date, `retry-after-ms` (OpenAI, Azure)."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

from hayate.wire.http1 import Headers, header

MAX_S = 86400.0


def retry_after_s(headers: Headers, now_s: float) -> float | None:
    """Seconds until then, at most a day; None where nothing readable is said. `now_s` is for an engine that tells no time."""
    milliseconds = _number(header(headers, b"retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    said = header(headers, b"retry-after")
    seconds = _number(said)
    if seconds is not None:
        return _bounded(seconds)
    then = _date(said)
    if then is None:
        return None
    return _bounded(then - (_date(header(headers, b"date")) or now_s))


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_S)


def _number(value: bytes | None) -> float | None:
    try:
        number = float(value or b"nan")
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _date(value: bytes | None) -> float | None:
    if not value or len(value) > 64:
        return None
    try:
        return parsedate_to_datetime(value.decode("latin-1")).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
