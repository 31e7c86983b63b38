"""Lengths of time and moments as people write them: `90d`, `12h`, `30m`, `45s`; `2026-12-31`, `2026-12-31T18:00+09:00`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
MAX_S: Final = 100 * 365 * 86_400
LAST: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""The last moment that can be said everywhere: some hours later it is the year 10000 somewhere."""
_FORM: Final = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)


def seconds_of(text: str) -> int | None:
    """A length of time in seconds; None for anything else, and for more than a century."""
    form = _FORM.fullmatch(text.strip().lower())
    if form is None:
        return None
    found = int(form[1]) * UNITS[form[2]]
    return found if found <= MAX_S else None


def moment_of(text: str, now: float, *, ago: bool = False) -> float | None:
    """A moment in seconds since 1970: a date or a time of ISO 8601 (UTC where it names no offset), or a length of time from
    `now` on, or `ago`. None for anything else, and for what lies before 1970 or behind LAST; how long ago may reach further
    back and then means 1970.
    """
    length = seconds_of(text)
    if length is not None:
        return max(0.0, now - length) if ago else now + length
    try:
        found = datetime.fromisoformat(text.strip())
        at = (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return at if 0.0 <= at <= LAST else None
