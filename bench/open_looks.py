"""What one look at the open loop has found: how late first tokens, tokens and plain answers were, and which answers weren't whole.

The rule: a percentile is shown where at least ten values lie beyond it; below that it would be the luck of a few.
"""

from __future__ import annotations

import array
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from bench.open_schedule import Schedule

QUANTILES = (0.5, 0.99, 0.999)
CURVE = tuple(1 - 10 ** (-step / 10) for step in range(2, 43))
"""Where the plot's curve is taken: 0.37 to 0.99994, evenly on its scale."""
BEYOND = 10
TOKENS, FIRST, PLAIN = "a token", "first token", "plain"
RECORD = 3
MINUTE_MS = 60_000


@dataclass(slots=True)
class Look:
    """One contender under one schedule. All times in milliseconds."""

    quantiles: dict[str, list[float]] = field(default_factory=dict)
    """By what was waited for: at each of QUANTILES; NaN where too few values lie beyond."""
    worst: dict[str, float] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    curve: list[float] = field(default_factory=list)
    """Of tokens, at each of CURVE."""
    errors: Counter[str] = field(default_factory=Counter)
    begun_late_ms: float = math.nan
    """How late the client itself was at p99 with the beginning of a call."""
    cores: dict[str, float] = field(default_factory=dict)
    """How many were in use on average, by whom."""
    load: float = math.nan
    """The machine's load average as the look began."""
    memory: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the counting began, and KB that the contender's processes hold beyond what they held idle, for each stream."""
    minutes: list[list[float]] = field(default_factory=list)
    """Of tokens' lateness, at each of QUANTILES, minute by minute."""

    def take(self, name: str, values: list[float]) -> None:
        """Keeps what is shown of one kind of waiting."""
        values.sort()
        self.quantiles[name] = [quantile(values, at) for at in QUANTILES]
        self.worst[name] = values[-1] if values else math.nan
        self.counted[name] = len(values)


def quantile(ordered: Sequence[float], at: float) -> float:
    """A value that was seen; NaN where fewer than ten lie beyond it (beyond the middle: none at all)."""
    beyond = len(ordered) * (1 - at)
    if not ordered or (at > 0.5 and beyond < BEYOND - 1e-6):
        return math.nan
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * at - 1e-9) - 1)]


def read(out: Path, schedule: Schedule) -> tuple[Look, float]:
    """A look from what the client wrote, and the client's CPU seconds."""
    look = Look()
    first_line, *lines = Path(f"{out}.calls").read_text(encoding="utf-8").splitlines()
    waits: dict[str, list[float]] = {}
    late = []
    for planned, line in zip(schedule.calls, lines, strict=True):
        begun_us, first_us, end_us, _, wrong = line.split(" ", 4)
        late.append(float(begun_us) / 1000)
        if wrong != "whole":
            look.errors[wrong] += 1
        elif planned.group:
            name = FIRST if planned.group == "stream" else planned.group
            waits.setdefault(name, []).append(float(first_us if planned.tokens else end_us) / 1000)
    look.begun_late_ms = sorted(late)[math.ceil(len(late) * 0.99) - 1]
    for name, values in waits.items():
        look.take(name, values)
    by_minute = _tokens(out, schedule)
    look.minutes = [[quantile(sorted(each), at) for at in QUANTILES] for each in by_minute]
    tokens = list(chain.from_iterable(by_minute))
    look.take(TOKENS, tokens)
    look.curve = [quantile(tokens, at) for at in CURVE]
    return look, float(first_line)


def _tokens(out: Path, schedule: Schedule) -> list[array.array[float]]:
    """How late each token was that was due within the seconds that count, in ms, by the minute. First tokens are among them."""
    records = array.array("i")
    records.frombytes(Path(f"{out}.tokens").read_bytes())
    from_ms, until_ms = schedule.from_s * 1000, schedule.until_s * 1000
    found = [array.array("d") for _ in range(math.ceil((until_ms - from_ms) / MINUTE_MS))]
    for at in range(1, len(records), RECORD):
        if from_ms <= records[at] < until_ms:
            found[int((records[at] - from_ms) // MINUTE_MS)].append(records[at + 1] / 10_000)
    return found


def median(values: Sequence[float]) -> float:
    """Of those that were measured; NaN when none was."""
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else math.nan


@dataclass(slots=True)
class Looks:
    """All looks of a run: found[schedule][contender] has one a look, in their order."""

    found: dict[str, dict[str, list[Look]]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    compiled: bool = True

    def add(self, schedule: str, contender: str, look: Look) -> None:
        """One more."""
        self.found.setdefault(schedule, {}).setdefault(contender, []).append(look)

    def of(self, schedule: str, contender: str) -> list[Look]:
        """In the order in which they were taken."""
        return self.found.get(schedule, {}).get(contender, [])

    def added(self, schedule: str, contender: str, name: str, *, base: str = "direct") -> list[float]:
        """At each of QUANTILES, what a contender adds to the direct line of the same look, ms: the median of all looks."""
        pairs = list(zip(self.of(schedule, contender), self.of(schedule, base), strict=False))
        missing = [math.nan] * len(QUANTILES)
        return [
            median(
                [mine.quantiles.get(name, missing)[at] - line.quantiles.get(name, missing)[at] for mine, line in pairs]
            )
            for at in range(len(QUANTILES))
        ]

    def worst(self, schedule: str, contender: str, name: str) -> float:
        """The last of all in a look, ms: the median of all looks."""
        return median([look.worst.get(name, math.nan) for look in self.of(schedule, contender)])

    def middle(self, schedule: str, contender: str, name: str) -> float:
        """The one in the middle of a look, ms: the median of all looks."""
        return median([look.quantiles.get(name, [math.nan])[0] for look in self.of(schedule, contender)])

    def curve(self, schedule: str, contender: str) -> list[float]:
        """Tokens' lateness at each of CURVE, ms: medians of all looks."""
        curves = [look.curve for look in self.of(schedule, contender)]
        return [median(values) for values in zip(*curves, strict=True)]
