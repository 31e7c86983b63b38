"""The beginnings of calls, one in a turn of the event loop or a few, where many streams are open.

What a call needs before its request is written takes longer than ten tokens. Those of two calls in one turn, each in one
piece, are what most of the tokens that are late wait for: in turns, a token waits for one piece at most.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sized
from typing import Final

MANY: Final = 100
"""From so many open streams on a turn nearly always keeps a token waiting. With fewer, a call begins at once."""
SHARE: Final = 2
"""Of those that wait one in so many has the next turn, at least one: a loop that is full has few, for ever more who wait."""


class Turns:
    """One per relay. To be asked `are_taken` first: mostly they are not, and then nothing is to be awaited."""

    def __init__(self, streams: Sized) -> None:
        self._streams = streams
        self._begun: deque[asyncio.Future[None]] = deque()
        self._new: deque[asyncio.Future[None]] = deque()
        self._next_is_taken = False
        self._loop = asyncio.get_running_loop()

    @property
    def are_taken(self) -> bool:
        """Whether calls begin in turns now."""
        return len(self._streams) >= MANY

    async def take(self, *, has_begun: bool = False) -> None:
        """The event loop's next turn that nobody else has. Who has begun goes before who has not."""
        if not self._next_is_taken:
            self._next_is_taken = True
            self._loop.call_soon(self._give)
            await asyncio.sleep(0)
            return
        turn = self._loop.create_future()
        (self._begun if has_begun else self._new).append(turn)
        await turn

    def _give(self) -> None:
        """Once a turn, as long as somebody takes them: gives the one after this."""
        left = max(1, (len(self._begun) + len(self._new)) // SHARE)
        while left and (waiting := self._begun or self._new):
            turn = waiting.popleft()
            if not turn.done():  # else its client has left
                turn.set_result(None)
                left -= 1
        self._next_is_taken = left == 0
        if self._next_is_taken:
            self._loop.call_soon(self._give)
