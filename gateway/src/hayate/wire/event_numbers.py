"""The numbers that a response's events have: an error that ends such a stream goes on where they have come to."""

from __future__ import annotations

import re
from typing import Final

NUMBERED: Final = b'"sequence_number":'
"""In an event that has a number. Inside a string its quotes are escaped."""
_NUMBER: Final = re.compile(rb'"sequence_number": ?([0-9]{1,15})(?![0-9])')


def next_number(events: bytes) -> int:
    """The number after the last of these events'; 0 where they have none."""
    last = _NUMBER.match(events, max(0, events.rfind(NUMBERED)))
    return 0 if last is None else int(last[1]) + 1


def first_number(events: bytes) -> int | None:
    """The number of the first of them that has one."""
    first = _NUMBER.search(events)
    return None if first is None else int(first[1])
