"""What a queue looks like at a moment: for those who run the gateway. Pure; nothing is counted for it in advance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from hayate.policy.admission import Gate
from hayate.policy.lanes import IDLE_S, Lane

Waiter = TypeVar("Waiter")


@dataclass(frozen=True, slots=True)
class LaneView:
    """A key's part of the GPU that a deployment stands on. Times are seconds."""

    key: str
    low: bool
    """Whether these are its calls of low priority."""
    weight: float
    counter: float
    """What it has had more than the lane that has had least, in units of work by weight (`policy.lanes`)."""
    in_flight: int
    """On the GPU."""
    waiting: int
    """At the deployment."""
    oldest_s: float
    """How long the first of them has waited."""
    waits: tuple[float, ...]
    """Of its latest calls; none while none has had to wait."""

    @property
    def wait_p50_s(self) -> float | None:
        """What half of its latest calls have waited at most."""
        return self._part(50)

    @property
    def wait_p95_s(self) -> float | None:
        """The same of 95 % of them."""
        return self._part(95)

    def _part(self, percent: int) -> float | None:
        return sorted(self.waits)[len(self.waits) * percent // 100] if self.waits else None


@dataclass(frozen=True, slots=True)
class GateView:
    """A deployment's places and its queue."""

    capacity: int
    spare: int
    in_flight: int
    queued: int
    max_queued: int
    service_s: float | None
    """How long calls stay, in the mean."""
    lanes: tuple[LaneView, ...]
    """Those with calls in flight or waiting, the longest queue first; then those whose calls have waited lately."""


def view(gate: Gate[Waiter], now: float) -> GateView:
    """How a gate and its lanes stand at the moment `now`, on the clock that its places were given."""
    waiting = {lane: (count, now - first.since) for lane, count, first in gate.waiting()}
    lanes = [each for each in gate.lanes if each.in_flight or each in waiting]
    least = min((each.counter for each in lanes), default=0.0)
    lanes += [
        each
        for each in gate.lanes
        if each.waits and not each.in_flight and each not in waiting and now - each.used_at < IDLE_S
    ]
    views = [_lane(each, *waiting.get(each, (0, 0.0)), least) for each in lanes]
    views.sort(key=lambda each: (-each.waiting, -each.in_flight, each.key))
    return GateView(
        gate.capacity, gate.spare, gate.in_flight, gate.queued, gate.max_queued, gate.service_s, tuple(views)
    )


def _lane(lane: Lane, waiting: int, oldest_s: float, least: float) -> LaneView:
    ahead = max(0.0, lane.counter - least)  # an idle one would be lifted
    waits = tuple(lane.waits or ())
    return LaneView(lane.key, lane.low, lane.weight, ahead, lane.in_flight, waiting, oldest_s, waits)
