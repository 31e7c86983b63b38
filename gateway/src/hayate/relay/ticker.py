"""One timer for all the streams that must be looked at now and then, so that a stream costs no timer of its own.

A timer per stream is some 500 bytes and two heap operations; a look at each stream once a second is less. However many there are, a
turn of the event loop has few looks: the rest have theirs later, and each still has one a second.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterator
from time import monotonic
from typing import Final, Protocol

TICK_S = 1.0
MIN_TICK_S = 0.02
"""How often, and how often at most, where a limit is so short that its end would be noticed too late."""
AT_ONCE: Final = 16
"""How many looks a turn has at most: about a tenth of a millisecond, for what they look at is in no cache."""


class Ticked(Protocol):
    """What wants to be looked at."""

    def tick(self, now: float) -> None:
        """Called about every `Ticker.tick_s`; `now` is `time.monotonic()`. Must not raise."""


class Ticker:
    """One per gateway. Runs only while there is something to look at."""

    def __init__(self, tick_s: float = TICK_S) -> None:
        self.tick_s = tick_s
        self._members: OrderedDict[Ticked, None] = OrderedDict()
        """Who has waited for longest comes first."""
        self._all: dict[Ticked, None] = {}
        """The same, for who wants to see them all: it takes a quarter of the time."""
        self.loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: Ticked) -> None:
        """Looks at `member` from now on."""
        self._members[member] = self._all[member] = None
        if self._timer is None:
            self._timer = self.loop.call_later(self.tick_s, self._tick)

    def discard(self, member: Ticked) -> None:
        """Looks at it no longer; a timer that has nobody to look at ends by itself."""
        self._members.pop(member, None)
        self._all.pop(member, None)

    @property
    def members(self) -> Collection[Ticked]:
        """All that is looked at now, and as it changes."""
        return self._all

    def __iter__(self) -> Iterator[Ticked]:
        """All that is looked at now."""
        return iter(tuple(self._all))

    def close(self) -> None:
        """Forgets all members: nobody is looked at once the gateway goes down."""
        self._members.clear()
        self._all.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        now, members = monotonic(), self._members
        for _ in range(min(AT_ONCE, len(members))):
            if not members:  # the last one left at a look
                break
            member = next(iter(members))
            members.move_to_end(member)
            try:
                member.tick(now)
            except Exception as error:  # noqa: BLE001  one stream's fault must not end the watch over all the others
                self.discard(member)
                self.loop.call_exception_handler({"message": "a look at a stream failed", "exception": error})
        self._timer = self.loop.call_later(self._pause_s(), self._tick) if members else None

    def _pause_s(self) -> float:
        """To the next turn: as many turns in `tick_s` as it takes for everybody to have a look."""
        return self.tick_s * min(1.0, AT_ONCE / len(self._members))
