"""A moment as logs and answers for programs write it: ISO 8601, in UTC, to the millisecond."""

from __future__ import annotations

import time
from functools import lru_cache


def iso(at: float) -> str:
    """Of seconds since 1970: `2026-11-28T21:41:43.123Z`."""
    return _moment(int(at * 1000))


@lru_cache(maxsize=4)
def _moment(milliseconds: int) -> str:
    """Where there are many calls, several end in one and the same."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
