"""Waiting for a place at a deployment: who waits is told that it has one, that it gets none, or where it stands.

The gate (`policy.admission`) decides; here are the futures and the clock. Who wants to be told where it stands is told at
once, and then once a second while that changes: some in a turn of the event loop, however many ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil
from time import monotonic

from hayate.errors import DeadlineUnmet, Overloaded
from hayate.fleet.turns import by_turns
from hayate.policy.admission import Gate
from hayate.policy.places import Place
from hayate.policy.waits import Tell, Waits

Waiter = asyncio.Future[None]
"""Done when its place has been let in; failed when it was turned away."""
TELL_S = 1.0
AT_ONCE = 32
"""Who is told in one turn of the event loop."""
LATER_S = 5.0
"""When to try again after a wait that was too long."""


class Waiting:
    """Those who wait at one gate."""

    def __init__(self, name: str, gate: Gate[Waiter]) -> None:
        self.name = name
        self.gate = gate
        self.news = 0
        """Counts what changes for all who wait, beside their places."""
        self._told: dict[Place[Waiter], tuple[Tell, object]] = {}
        """Who wants to know, and what it was told last."""
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, place: Place[Waiter], waits: Waits, limit_s: float) -> None:
        """Takes a place, waiting for it at most so long. Raises Overloaded, DeadlineUnmet. Every success must `leave` once."""
        gate = self.gate
        deadline_s = waits.deadline_s
        urgent = deadline_s is not None and deadline_s < limit_s
        if deadline_s is not None and urgent:
            self._check(place, deadline_s)
            limit_s = max(deadline_s, 0.0)
        loop = asyncio.get_running_loop()
        place.waiter = loop.create_future()
        refused = gate.enter(place)
        if refused is not None:
            self._turn_away(refused)
        if refused is place:
            place.waiter.exception()  # it is told here and now
            raise self._full()
        if not gate.waits(place):
            return
        if waits.tell is not None:
            self._tell_from_now_on(place, waits.tell)
        try:
            async with asyncio.timeout(limit_s):
                await place.waiter
        except TimeoutError:
            self._step_back(place)
            raise self._too_late(limit_s, of_the_call=urgent) from None
        except BaseException:  # it was turned away, the client left, or the gateway stops
            self._step_back(place)
            raise
        finally:
            self._told.pop(place, None)

    def leave(self, place: Place[Waiter], used: int) -> None:
        """Gives a place back, which has taken so many units of work; whoever is next takes it."""
        following = self.gate.leave(place, used, monotonic())
        if following is not None:
            self.let_in(following)

    def let_in(self, place: Place[Waiter]) -> None:
        """Tells a place's owner that it is in; when that has left meanwhile, the next one."""
        following: Place[Waiter] | None = place
        while following is not None and following.waiter is not None and following.waiter.done():
            following = self.gate.leave(following, 0, monotonic())
        if following is not None and following.waiter is not None:
            following.waiter.set_result(None)

    async def turn_away_all(self, error: Callable[[], Overloaded]) -> None:
        """Tells everybody who waits that there will be no place, some in a turn of the event loop."""
        async for place in by_turns(self.gate.order(), AT_ONCE):
            if self.gate.withdraw(place) and place.waiter is not None and not place.waiter.done():
                place.waiter.set_exception(error())

    def _turn_away(self, place: Place[Waiter]) -> None:
        if place.waiter is not None and not place.waiter.done():
            place.waiter.set_exception(self._full())

    def _step_back(self, place: Place[Waiter]) -> None:
        """Undoes a wait: out of the queue, or, when let in at this very moment, out again."""
        waiter = place.waiter
        if self.gate.withdraw(place) or waiter is None or not waiter.done() or waiter.cancelled():
            return
        if waiter.exception() is None:
            self.leave(place, 0)

    def _check(self, place: Place[Waiter], deadline_s: float) -> None:
        """Raises DeadlineUnmet for a call that would be let in too late."""
        gate = self.gate
        if not gate.queued and gate.in_flight < gate.capacity:
            return
        wait_s = gate.wait_s(gate.ahead(place))
        if wait_s is not None and wait_s > deadline_s:
            left_s = max(deadline_s, 0.0)
            raise DeadlineUnmet(
                f"{self.name} is busy: this call would wait about {wait_s:.1f} s, and its deadline is in {left_s:.1f} s. "
                "Try again later, or allow it more time.",
                f"{self.name}は混み合っています。待ち時間は約{wait_s:.1f}秒の見込みで、期限（{left_s:.1f}秒）に間に合いません。"
                "後でもう一度試すか、期限を延ばしてください。",
                retry_after_s=float(ceil(wait_s - deadline_s)),
            )

    def _full(self) -> Overloaded:
        return Overloaded(
            f"{self.name} is at capacity and its queue of {self.gate.max_queued} is full. Try again shortly.",
            f"{self.name}は同時実行数の上限に達し、キュー（{self.gate.max_queued}件）も埋まっています。少し待ってからお試しください。",
            retry_after_s=1.0,
        )

    def _too_late(self, limit_s: float, *, of_the_call: bool) -> Overloaded:
        if of_the_call:
            return DeadlineUnmet(
                f"No place became free at {self.name} before this call's deadline. Try again later, or allow it more time.",
                f"期限までに {self.name} に空きができませんでした。後でもう一度試すか、期限を延ばしてください。",
                retry_after_s=LATER_S,
            )
        return Overloaded(
            f"No place became free at {self.name} within {limit_s:g} s (queue_timeout_s). Try again later.",
            f"{limit_s:g}秒待っても {self.name} に空きができませんでした。しばらくしてからお試しください。",
            retry_after_s=LATER_S,
        )

    # Where they stand.

    def _tell_from_now_on(self, place: Place[Waiter], tell: Tell) -> None:
        self._told[place] = tell, self._say(tell, self.gate.ahead(place), None)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TELL_S, self._tell_some, [])

    def _tell_some(self, left: list[Place[Waiter]]) -> None:
        """Tells some of those that are left of this second's; of the next, if none are and anybody waits."""
        left = left or list(self._told)
        for _ in range(min(AT_ONCE, len(left))):
            place = left.pop()
            found = self._told.get(place)
            if found is not None:
                self._told[place] = found[0], self._say(found[0], self.gate.ahead(place), found[1])
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(0 if left else TELL_S, self._tell_some, left) if self._told else None

    def _say(self, tell: Tell, ahead: int, before: object) -> object:
        """Tells where a call stands, if that differs from what it was told before."""
        wait_s = self.gate.wait_s(ahead)
        now = ahead, None if wait_s is None else round(wait_s, 1), self.news
        if now != before:
            tell(ahead + 1, now[1])
        return now
