"""Single figures of what Prometheus reads (its text format), found by their names: an engine tells hundreds, and few are wanted."""

from __future__ import annotations

from typing import Final

MOST: Final = 1e15
MOST_LINES: Final = 256
"""That begin with one name; what comes after them is not read."""

MAX_LINE_BYTES: Final = 4096
"""With its labels; longer ones have no value."""


def samples(text: bytes, name: bytes) -> list[float]:
    """The values of `name`, whatever their labels; none that is below 0 or beyond MOST. Takes linear time."""
    found: list[float] = []
    start = b"\n" + name
    at = 0 if text.startswith(name) else text.find(start) + 1 or None
    for _ in range(MOST_LINES):
        if at is None:
            break
        line, _, _ = text[at + len(name) : at + MAX_LINE_BYTES].partition(b"\n")
        if line.startswith((b"{", b" ")):
            found.append(_value(line))
        at = text.find(start, at + len(name)) + 1 or None
    return [each for each in found if 0 <= each <= MOST]


def _value(line: bytes) -> float:
    """What stands behind the labels, without a time that may follow; -1 for what is no number."""
    words = line[line.rfind(b"}") + 1 :].split(None, 1)
    try:
        return float(words[0][:32]) if words else -1.0
    except ValueError:
        return -1.0
