"""What each caller has had of a GPU, by its weight: virtual token counters (Sheng et al., OSDI 2024). Pure; time is an
argument, in seconds.

A lane is what one key has of one GPU, whichever deployments stand on it. Its counter says how much work was done for it,
divided by its weight: whoever has the lowest is next. What is not asked for is not saved up: who comes back is lifted to the
lowest counter that waits, or to that of whoever was let in last; but for what is charged there for calls in flight, which they
have not had yet and may never have.

A call that its own key calls less urgent has a lane of its own beside the key's, with a tenth of its weight; what it takes
counts for the key too, so that no key gets more by splitting its calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

OUTPUT_UNITS: Final = 2
"""Of work in a token that is written; one that is read is a unit."""
LOW_SHARE: Final = 10
"""How many times less a call of low priority weighs."""
LOW: Final = "\0low"
"""Behind a key's id: no key's id ends so."""
IDLE_S: Final = 600.0
"""How long a lane is kept that nobody uses: by then it would be lifted anyway."""
LOOKS: Final = 2
"""At old lanes for each new one: enough to drop them as fast as they come."""
HIGH: Final = 1e12
"""Counters are taken down together when they are as high as this: units of work still differ there."""
WAITS: Final = 100
"""Of a lane, the latest, of which the percentiles are told."""


class Lane:
    """One key's part of one GPU."""

    __slots__ = (
        "all",
        "counter",
        "in_flight",
        "key",
        "main",
        "pending",
        "turn",
        "used_at",
        "waiting",
        "waits",
        "weight",
    )

    def __init__(self, every: Lanes, key: str, weight: int, main: Lane | None = None) -> None:
        self.all = every
        """Those that it is one of."""
        self.key = key
        self.main = main
        """The key's own lane, of a low one."""
        self.weight: float = weight
        self.counter = 0.0
        self.pending = 0
        """Units that were charged for calls in flight."""
        self.in_flight = 0
        self.waiting = 0
        """At all deployments of the GPU."""
        self.turn = 0
        """When it was last let in, counted in calls of all lanes."""
        self.used_at = 0.0
        self.waits: deque[float] | None = None
        """Of the latest calls, in seconds; from the first on that had to wait."""

    @property
    def low(self) -> bool:
        """Whether it is that of a key's less urgent calls."""
        return self.main is not None

    @property
    def active(self) -> bool:
        """Whether it has calls in flight, or waiting."""
        return self.in_flight > 0 or self.waiting > 0

    @property
    def had(self) -> float:
        """Its counter, without what calls in flight were charged."""
        return self.counter - self.pending / self.weight

    def charge(self, units: int, pending: int) -> None:
        """So many units more, of which so many are for a call in flight; or were, where it has ended."""
        self.counter += units / self.weight
        self.pending += pending
        main = self.main
        if main is not None:
            main.counter += units / main.weight
            main.pending += pending

    def asks_less(self, than: Lane) -> bool:
        """Who comes back has the counter of another to begin with: it need not wait for that one's next call, too."""
        return (self.in_flight, self.turn) < (than.in_flight, than.turn)

    def waited(self, wait_s: float) -> None:
        """One of its calls was let in after so long."""
        if self.waits is not None:
            self.waits.append(wait_s)
        elif wait_s > 0:
            self.waits = deque([wait_s], maxlen=WAITS)


class Lanes:
    """Those of one GPU, or of several that are used together."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        """The longest unused first, about: one that is met in use goes to the end."""
        self.last = 0.0
        """What the lane had that was let in last, just before."""
        self.turns = 0
        self.active = 0
        """How many lanes have calls in flight, or waiting."""
        self.waiting: dict[Lane, None] = {}
        """Those that have calls waiting."""

    def __len__(self) -> int:
        return len(self._lanes)

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def of(self, key: str, weight: int, now: float, *, low: bool = False) -> Lane:
        """A key's lane; its weight is what it is now."""
        lane = self._lanes.get(key)
        if lane is None:
            self._drop_idle(now)
            lane = self._lanes[key] = Lane(self, key, weight)
        lane.weight = weight
        lane.used_at = now
        return self._low(lane, now) if low else lane

    def _low(self, main: Lane, now: float) -> Lane:
        name = main.key + LOW
        lane = self._lanes.get(name)
        if lane is None or lane.main is not main:
            lane = self._lanes[name] = Lane(self, main.key, 1, main)
        lane.weight = main.weight / LOW_SHARE
        lane.used_at = now
        return lane

    def lift(self, lane: Lane) -> None:
        """A lane that had nothing waiting comes: for what it did not ask for it gets nothing now."""
        floor = min((each.had for each in self.waiting), default=self.last)
        lane.counter = max(lane.counter, floor)

    def _drop_idle(self, now: float) -> None:
        for name in [name for name, _ in zip(self._lanes, range(LOOKS), strict=False)]:
            lane = self._lanes.pop(name)
            if lane.active or now - lane.used_at < IDLE_S:
                self._lanes[name] = lane

    def rebase(self) -> None:
        """Takes all counters down by the same: only what lies between them counts."""
        for lane in self._lanes.values():
            lane.counter -= self.last
        self.last = 0.0
