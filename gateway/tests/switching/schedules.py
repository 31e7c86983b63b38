"""How many loads a trace needs: at least, under a bound on the waits; and if models change whenever the next call wants it.

The least is found by dynamic programming over what can be known afterwards, on these terms:

- The calls come when they came, whatever is loaded. Each is answered at once while its model is loaded, and all that wait are
  when it has been: an engine takes any number of them.
- All models are of one size, `slots` of them fit. A swap takes `swap_s` (drain, unload and load), always the same; one at a
  time; in it neither model takes calls. One into memory that is free takes `load_s`.
- No call waits longer than `max_wait_s`.
- Decisions fall on a grid of `GRID_S`, and a load begins on it.

A state is which models are loaded, and since when the first call waits for each of the others. Of two ways into the same set at
the same time one is dropped that had no fewer loads, and where for each model the first has not waited less long: whatever the
one can do from there, so can the other. What is left are a few ways for each set, so the search is exact and quick.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from math import inf

from tests.switching.trace import Call

GRID_S = 0.1

Waiting = tuple[float, ...]
"""When the first call came that waits for each model; inf for those that are loaded or that nobody waits for."""


class Unmet(Exception):
    """No schedule keeps the bound."""


def fewest_loads(
    calls: Sequence[Call],
    slots: int,
    *,
    max_wait_s: float,
    swap_s: float,
    load_s: float,
    grid_s: float = GRID_S,
    loaded: Collection[str] = (),
) -> int:
    """The least number of loads from a moment on at which these are loaded (0 on the calls' clock). Raises Unmet."""
    return _Search(calls, slots, max_wait_s, swap_s, load_s, grid_s).run(loaded)


class _Search:
    def __init__(
        self, calls: Sequence[Call], slots: int, max_wait_s: float, swap_s: float, load_s: float, grid_s: float
    ) -> None:
        self.models = sorted({call.model for call in calls})
        self.arrivals = [sorted(call.arrived for call in calls if call.model == name) for name in self.models]
        self.slots, self.max_wait_s, self.swap_s, self.load_s, self.grid_s = slots, max_wait_s, swap_s, load_s, grid_s
        self.ahead: dict[int, dict[frozenset[int], list[tuple[int, Waiting]]]] = {}
        """At each moment of the grid and by what is loaded then: how many loads, and since when the first waits for each."""
        self.best = inf
        self.end = max((call.arrived for call in calls), default=0.0) + max_wait_s + swap_s

    def first(self, model: int, since: float) -> float:
        """The first call for it from then on."""
        times = self.arrivals[model]
        at = bisect_left(times, since)
        return times[at] if at < len(times) else inf

    def run(self, loaded: Collection[str]) -> int:
        """Forward in time: a way goes on when its swap is over."""
        there = frozenset(number for number, name in enumerate(self.models) if name in loaded)
        waiting = (inf if number in there else self.first(number, 0.0) for number in range(len(self.models)))
        self.keep(0, there, 0, tuple(waiting))
        for step in range(int(self.end / self.grid_s) + 1):
            for now_there, ways in self.ahead.pop(step, {}).items():
                for loads, since in ways:
                    self.go_on(step, now_there, loads, since)
        if self.best == inf:
            raise Unmet(f"{self.max_wait_s} s are too few where a swap takes {self.swap_s} s")
        return int(self.best)

    def go_on(self, step: int, loaded: frozenset[int], loads: int, waiting: Waiting) -> None:
        """What can be done then: nothing until the next moment, or one load."""
        if loads >= self.best:
            return
        if min(waiting) == inf:
            self.best = loads
            return
        now = step * self.grid_s
        room = len(loaded) < self.slots
        took_s = self.load_s if room else self.swap_s
        if now > min(waiting) + self.max_wait_s - took_s:
            return
        self.keep(step + 1, loaded, loads, waiting)
        done = step + max(1, int(took_s / self.grid_s))
        for wanted, since in enumerate(waiting):
            if since > now + took_s or now > since + self.max_wait_s - took_s:
                continue
            for gone in (None,) if room else loaded:
                after = list(waiting)
                after[wanted] = inf
                if gone is not None:
                    after[gone] = self.first(gone, now)
                self.keep(done, loaded - {gone} | {wanted}, loads + 1, tuple(after))

    def keep(self, step: int, loaded: frozenset[int], loads: int, waiting: Waiting) -> None:
        """A way, unless there is one that is as good; and without those that it is as good as."""
        ways = self.ahead.setdefault(step, {}).setdefault(loaded, [])
        if any(other <= loads and _later(since, waiting) for other, since in ways):
            return
        ways[:] = [(other, since) for other, since in ways if not (loads <= other and _later(waiting, since))]
        ways.append((loads, waiting))


def _later(one: Waiting, other: Waiting) -> bool:
    return all(mine >= theirs for mine, theirs in zip(one, other, strict=True))


def loads_on_each_change(
    calls: Sequence[Call], slots: int, *, swap_s: float, load_s: float, loaded: Collection[str] = ()
) -> tuple[int, float]:
    """First come, first served, as the plain way is: a call for a model that is not loaded has the least recently used one
    unloaded, as soon as that one's calls have ended, and those behind it wait. How many loads that makes, and the longest wait.
    """
    ends = dict.fromkeys(loaded, 0.0)
    """Of those that are loaded, when their last call ends; the least recently used first."""
    now = longest_s = 0.0
    loads = 0
    for call in sorted(calls, key=lambda each: each.arrived):
        now = max(now, call.arrived)
        if call.model not in ends:
            loads += 1
            if len(ends) < slots:
                now += load_s
            else:
                now = max(now, ends.pop(next(iter(ends)))) + swap_s
        longest_s = max(longest_s, now - call.arrived)
        ends[call.model] = max(ends.pop(call.model, 0.0), now + call.service_s)
    return loads, longest_s
