"""A moment as logs and answers for programs write it: ISO 8601, in UTC, to the millisecond."""

from __future__ import annotations

import time
from functools import lru_cache


def iso(at: float) -> str:
    """Of seconds since 1970: `2026-11-28T21:41:43.123Z`."""
    seconds, milliseconds = divmod(int(at * 1000), 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    """Many calls end in one and the same."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
