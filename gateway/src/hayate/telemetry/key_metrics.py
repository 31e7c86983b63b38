"""What each key's calls add up to, for the busiest keys by their ids and for all others together.

The law: no number that Prometheus has read goes down, nor does the sum over all keys, and that is the truth at all
times. A key has counters of its own once it is among the busiest, from then on; what it did before stays with `other`. It
gives its place up only to a key that has made twice as many calls, and `other` takes over what it had counted, so that
nothing is lost and nothing is counted twice. A step of `other` that is no call of that moment is therefore always smaller
than half of what `other` has counted of the key that comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from hayate.errors import CLIENT_CLOSED
from hayate.telemetry.record import CallRecord

MAX_NAMED: Final = 100
"""Keys with counters of their own."""
MAX_CANDIDATES: Final = 10_000
"""Other keys whose calls are counted, to find out who is among the busiest; the less busy half is forgotten beyond it."""
OTHER: Final = "other"
"""In place of an id: ids are hexadecimal, or one of the gateway's own words (`access.principals`)."""
LEAD: Final = 2
"""How many times as many calls a key must have made to take another's place."""
OUTCOMES: Final = ("ok", "refused", "failed", "left")


class _Counted:
    """What the calls of one key add up to, since it is counted by itself."""

    __slots__ = ("cached", "calls", "inputs", "outcomes", "outputs")

    def __init__(self, calls: int = 0) -> None:
        self.calls = calls
        """Of all time, those before it was counted by itself too: how busy it is."""
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.inputs = self.cached = self.outputs = 0

    def take_over(self, other: _Counted) -> None:
        """Counts what the other one has counted."""
        for outcome, count in other.outcomes.items():
            self.outcomes[outcome] += count
        self.inputs += other.inputs
        self.cached += other.cached
        self.outputs += other.outputs


def outcome_of(status: int) -> str:
    """How a call ended, in a word: its client left, it was refused (4xx), something failed (5xx), or none of these."""
    if status < 400:
        return "ok"
    if status == CLIENT_CLOSED:
        return "left"
    return "refused" if status < 500 else "failed"


class KeyMetrics(Collector):
    """The observer that counts by key. One per gateway."""

    def __init__(self, max_named: int = MAX_NAMED, max_candidates: int = MAX_CANDIDATES) -> None:
        self._max_named = max_named
        self._max_candidates = max_candidates
        self._named: dict[str, _Counted] = {}
        self._other = _Counted()
        self._candidates: dict[str, int] = {}
        self._least = 0
        """No named key has fewer calls: they only become more."""

    def calls_ended(self, batch: Sequence[CallRecord]) -> None:
        """Adds them up, and what they used."""
        for record in batch:
            found = self._named.get(record.key)
            if found is None:
                found = self._place_of(record.key)
            found.calls += 1
            found.outcomes["ok" if record.status < 400 else outcome_of(record.status)] += 1
            usage = record.usage
            found.inputs += usage.prompt_tokens
            found.outputs += usage.completion_tokens
            if usage.cached_tokens:
                found.cached += usage.cached_tokens

    def labels(self, keys: Iterable[str]) -> dict[str, str]:
        """How other metrics name these keys: by their ids if they have counters of their own, or while there is room for
        more of them; the others are `other`.
        """
        free = self._max_named - len(self._named)
        found: dict[str, str] = {}
        for key in dict.fromkeys(keys):
            named = key in self._named or free > 0
            free -= key not in self._named
            found[key] = key if named else OTHER
        return found

    def _place_of(self, key: str) -> _Counted:
        """Where a call of a key is counted that has no counters of its own so far."""
        if len(self._named) < self._max_named:
            return self._name(key, 0)
        before = self._candidates.get(key, 0)
        if before + 1 >= LEAD * self._least:
            idlest = min(self._named, key=lambda each: self._named[each].calls)
            self._least = self._named[idlest].calls
            if before + 1 >= LEAD * self._least:
                gone = self._named.pop(idlest)
                self._other.take_over(gone)
                self._remember(idlest, gone.calls)
                self._candidates.pop(key, None)
                return self._name(key, before)
        self._remember(key, before + 1)
        return self._other

    def _name(self, key: str, before: int) -> _Counted:
        found = self._named[key] = _Counted(before)
        return found

    def _remember(self, key: str, calls: int) -> None:
        self._candidates[key] = calls
        if len(self._candidates) > self._max_candidates:
            busiest = sorted(self._candidates.items(), key=lambda each: -each[1])
            self._candidates = dict(busiest[: self._max_candidates // 2])

    def collect(self) -> Iterable[Metric]:
        """Calls and tokens by key; nothing of `other` while every key has counters of its own."""
        rows = [*self._named.items()]
        if any(self._other.outcomes.values()):
            rows.append((OTHER, self._other))
        for key, counted in rows:
            calls = CounterMetricFamily("hayate_key_calls", "Calls by key and outcome.", labels=["key", "outcome"])
            for outcome, count in counted.outcomes.items():
                if count:
                    calls.add_metric([key, outcome], count)
            yield calls
        for key, counted in rows:
            tokens = CounterMetricFamily(
                "hayate_key_tokens", "Tokens by key; the cached ones are input, too.", labels=["key", "type"]
            )
            for kind, count in (("input", counted.inputs), ("cached", counted.cached), ("output", counted.outputs)):
                tokens.add_metric([key, kind], count)
            yield tokens
