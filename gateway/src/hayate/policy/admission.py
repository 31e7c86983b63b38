"""Who may go in, who waits, who is turned away: a gate with a bounded queue in front of a deployment, fair to keys. Pure; time
is an argument, in seconds, and work is counted in units (`policy.lanes`).

(1) With room and nobody waiting, a call goes in. Else it waits in its key's lane, in order; the lane with the lowest counter
    is let in next, of two alike the one with fewer calls in flight, then the one that was let in longer ago.
(2) A call is charged when it goes in, with what it is expected to take; more as its answer grows beyond that; and settled to
    what it took when it leaves.
    Where half of the places are free and nobody waits, nothing is charged: who asks more then takes nobody anything. If
    somebody waits when such a call ends, it is charged then.
(3) Some spare places above the capacity are for lanes with less than half their share in flight: whoever asks seldom need
    not wait until another's long answer has come to its end.
(4) When the queue is full, the latest call of the lane that holds most of it is turned away; a lane with nothing waiting
    there never is. So there may wait as many more as there are keys.

The gate holds places and decides; waiting, and telling who waits, is the caller's business. The code carries these numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from hayate.policy.lanes import HIGH, Lane, Lanes
from hayate.policy.places import Place, Queue

Waiter = TypeVar("Waiter")

RECENT: Final = 0.05
"""Weight of the latest call in the mean time that calls stay."""


class Gate(Generic[Waiter]):
    """One per deployment. Every place that is in, because `try_enter` or `enter` let it or because `leave`, `withdraw` or
    `resize` returned it, must `leave` once.
    """

    def __init__(self, lanes: Lanes, capacity: int, max_queued: int, spare: int = 0) -> None:
        self.lanes = lanes
        self.capacity = capacity
        self.spare = spare
        """Places above the capacity, for lanes with less than half their share (3)."""
        self.max_queued = max_queued
        self.in_flight = 0
        self.queued = 0
        self.service_s: float | None = None
        """How long calls stay, in the mean; None before the first has left."""
        self._queues: dict[Lane, Queue[Waiter]] = {}

    def step_in(self, lane: Lane, now: float) -> Place[Waiter] | None:
        """A place that is taken, and not charged, where half of them are free and nobody waits (2); else none."""
        every = lane.all
        if self.queued or 2 * self.in_flight >= self.capacity or every.waiting:
            return None
        if not lane.in_flight:
            every.active += 1
        lane.in_flight += 1
        self.in_flight += 1
        if lane.waits is not None:
            lane.waited(0.0)
        return Place(lane, 0, 0, now)

    def step_out(self, place: Place[Waiter], now: float) -> bool:
        """Gives a place back where it makes no difference what its call has taken; false, with nothing done, where it does (2):
        then it has to `leave`.
        """
        if place.charged or self.queued or place.lane.all.waiting:
            return False
        self._give_back(place, place.lane, now)
        return True

    def try_enter(self, place: Place[Waiter]) -> bool:
        """Goes in if there is room and nobody waits: the common case (1)."""
        if self.queued or self.in_flight >= self.capacity:
            return False
        lane = place.lane
        lane.counter = max(lane.counter, lane.all.last)
        self._let_in(place, lane, place.since)
        return True

    def enter(self, place: Place[Waiter]) -> Place[Waiter] | None:
        """Takes a place, or one in the queue: `waits` tells which. Returns the place that is turned away for it, which may be
        itself (4).
        """
        lane = place.lane
        if not lane.waiting:
            lane.all.lift(lane)
        room = self.in_flight < self.capacity and not self.queued
        if room or (lane not in self._queues and self._spare_for(lane)):
            self._let_in(place, lane, place.since)
            return None
        refused = self._too_many(lane)
        if refused is lane:
            return place
        turned_away = None if refused is None else next(reversed(self._queues[refused].places))
        if turned_away is not None:
            self.withdraw(turned_away)
        self._queue(place, lane)
        return turned_away

    def waits(self, place: Place[Waiter]) -> bool:
        """Whether it is in the queue here, and neither in nor out."""
        queue = self._queues.get(place.lane)
        return queue is not None and place in queue.places

    def withdraw(self, place: Place[Waiter]) -> bool:
        """Takes a waiting place out. False when it was not waiting (it may have been let in)."""
        if not self.waits(place):
            return False
        self._unqueue(place, place.lane)
        if not place.lane.active:
            place.lane.all.active -= 1
        return True

    def leave(self, place: Place[Waiter], used: int, now: float) -> Place[Waiter] | None:
        """Gives a place back, which has taken so many units; returns the place that is let in instead, if any."""
        lane, charged = place.lane, place.charged
        if charged or used:
            lane.charge(used - charged, -charged)
        self._give_back(place, lane, now)
        return self.next(now) if self.queued else None

    def next(self, now: float) -> Place[Waiter] | None:
        """Lets in whoever is next, if there is room for it (1), (3)."""
        full, lane, lowest = self.in_flight >= self.capacity, None, 0.0
        if full and self.in_flight >= self.capacity + self.spare:
            return None
        for each in self._queues:
            counter = each.counter
            if lane is None or counter < lowest or (counter == lowest and each.asks_less(lane)):
                if full and not self._spare_for(each):
                    continue
                lane, lowest = each, counter
        if lane is None:
            return None
        place = next(iter(self._queues[lane].places))
        self._let_in(place, lane, now)
        self._unqueue(place, lane)
        return place

    def resize(self, capacity: int, max_queued: int, spare: int, now: float) -> list[Place[Waiter]]:
        """New bounds; returns the waiting places that are let in now."""
        self.capacity, self.max_queued, self.spare = capacity, max_queued, spare
        let_in = []
        while (place := self.next(now)) is not None:
            let_in.append(place)
        return let_in

    def ahead(self, place: Place[Waiter]) -> int:
        """How many calls are let in before one that waits, or would wait from now on: about, and if nobody else came."""
        lane, turn, count = place.lane, place.lane.counter, 0
        own = self._queues.get(lane)
        if own is not None:
            count = held = len(own.places)
            if place in own.places:
                count = min(held - 1, place.number - next(iter(own.places)).number)
            turn += own.units * count / held / lane.weight
        for each, other in self._queues.items():
            if each is not lane and each.counter < turn:
                waiting = len(other.places)
                count += min(waiting, int((turn - each.counter) * each.weight * waiting / other.units) + 1)
        return count

    def wait_s(self, ahead: int) -> float | None:
        """How long that takes, by how long calls stay; None before one has left."""
        if self.service_s is None:
            return None
        return (ahead + 1) * self.service_s / max(1, self.capacity)

    def order(self) -> list[Place[Waiter]]:
        """All that wait, in the order in which they would be let in if nobody else came."""
        turns: list[tuple[float, int, int, int, Place[Waiter]]] = []
        for lane, queue in self._queues.items():
            counter = lane.counter
            for place in queue.places:
                turns.append((counter, lane.in_flight, lane.turn, len(turns), place))
                counter += place.charged / lane.weight
        return [each[-1] for each in sorted(turns, key=lambda each: each[:-1])]

    def waiting(self) -> Iterator[tuple[Lane, int, Place[Waiter]]]:
        """The lanes that wait here, how many calls of each, and the one that has waited longest."""
        for lane, queue in self._queues.items():
            yield lane, len(queue.places), next(iter(queue.places))

    def move(self, lanes: Lanes, now: float) -> None:
        """Another set of lanes from now on: the deployment stands on other GPUs. Calls in flight are settled with the old ones."""
        waiting = self.order()
        for place in waiting:
            self.withdraw(place)
        self.lanes = lanes
        for place in waiting:
            old = place.lane
            weight = round(old.main.weight if old.main is not None else old.weight)
            place.lane = lanes.of(old.key, weight, now, low=old.low)
            if not place.lane.waiting:
                lanes.lift(place.lane)
            self._queue(place, place.lane)

    def _give_back(self, place: Place[Waiter], lane: Lane, now: float) -> None:
        lane.in_flight -= 1
        lane.used_at = now
        self.in_flight -= 1
        if not lane.in_flight and not lane.waiting:
            lane.all.active -= 1
        stayed_s, service_s = now - place.in_since, self.service_s
        self.service_s = stayed_s if service_s is None else service_s + RECENT * (stayed_s - service_s)

    def _let_in(self, place: Place[Waiter], lane: Lane, now: float) -> None:
        lanes = lane.all
        if not lane.in_flight and not lane.waiting:
            lanes.active += 1
        lane.in_flight += 1
        self.in_flight += 1
        lanes.turns += 1
        lane.turn = lanes.turns
        lanes.last = lane.had if lane.main is None else lane.main.had
        lane.charge(place.charged, place.charged)
        place.in_since = now
        if lane.waits is not None or now > place.since:
            lane.waited(now - place.since)
        if lanes.last > HIGH:
            lanes.rebase()

    def _queue(self, place: Place[Waiter], lane: Lane) -> None:
        if not lane.active:
            lane.all.active += 1
        queue = self._queues.get(lane)
        if queue is None:
            queue = self._queues[lane] = Queue()
        queue.add(place)
        if not lane.waiting:
            lane.all.waiting[lane] = None
        lane.waiting += 1
        self.queued += 1

    def _unqueue(self, place: Place[Waiter], lane: Lane) -> None:
        queue = self._queues[lane]
        queue.take(place)
        if not queue.places:
            del self._queues[lane]
        lane.waiting -= 1
        if not lane.waiting:
            del lane.all.waiting[lane]
        self.queued -= 1

    def _spare_for(self, lane: Lane) -> bool:
        """Whether one of the spare places is for a lane (3)."""
        if not self.spare or self.in_flight >= self.capacity + self.spare or lane.low:
            return False
        return lane.in_flight < max(1.0, self.capacity / (2 * max(1, self.lanes.active)))

    def _too_many(self, lane: Lane) -> Lane | None:
        """The lane of which a call is turned away for another of `lane` (4); None while there is room."""
        if self.queued < self.max_queued:
            return None
        if not self.max_queued:
            return lane
        own = self._queues.get(lane)
        most = max(self._queues, key=lambda each: len(self._queues[each].places))
        held = len(self._queues[most].places)
        if own is None:
            return most if held > 1 else None
        return most if held > len(own.places) else lane
