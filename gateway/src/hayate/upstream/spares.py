"""The connections that are open ahead of need: opened one after another, closed when nobody needs them any more.

How many there may be is `ahead`'s. They are used once those are that have carried calls; from then on each is one of those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from hayate.upstream.ahead import Ahead
from hayate.upstream.connection import Connection
from hayate.upstream_errors import UpstreamError

LOOK_S: Final = 1.0
"""How often it is asked whether they are still wanted."""
PAUSE_S: Final = 0.002
"""Before each is opened: closing one, or opening another, has kept the tokens of that turn waiting for long enough."""
AT_ONCE: Final = 16
"""How many are closed in a turn of the event loop."""


class Pool(Protocol):
    """Whoever keeps the others: `connection_pool.ConnectionPool`."""

    loop: asyncio.AbstractEventLoop

    async def connect(self) -> Connection:
        """A new connection. Raises UpstreamError."""

    def has_room(self) -> bool:
        """Whether one more may be kept."""

    def look_again(self, in_s: float) -> None:
        """`Spares.look` is to be called then, or earlier."""


class Spares:
    """Those of one pool. None is opened, and none kept, while the engine is not `usable`."""

    __slots__ = ("_opener", "_usable", "ahead", "open")

    def __init__(self, keep_s: float, usable: Callable[[], bool]) -> None:
        self.ahead = Ahead(keep_s)
        self._usable = usable
        self.open: list[Connection] = []
        """The one last opened last. `idle_since` is when a call last used that in whose place each stands."""
        self._opener: asyncio.Task[None] | None = None

    def pop(self, now: float) -> Connection | None:
        """The one opened last that the engine has not closed, for a call; None: there is none."""
        while self.open:
            connection = self.open.pop()
            if not connection.is_stale():
                connection.rested = True
                return connection
            self.ahead.refrain(now)
            connection.abort()
        return None

    def forget(self, connection: Connection, now: float) -> None:
        """It is gone: if it is one of these, by the engine's will."""
        if connection in self.open:
            self.open.remove(connection)
            self.ahead.refrain(now)

    def look(self, pool: Pool) -> None:
        """Closes some of those that are not wanted any more, and begins to open what is owed."""
        now, usable = pool.loop.time(), self._usable()
        over = [each for each in self.open if not usable or self.ahead.is_over(each.idle_since, now)]
        for connection in over[:AT_ONCE]:
            self.open.remove(connection)
            connection.abort()
        if usable and self.ahead.owes and self._opener is None:
            self._opener = pool.loop.create_task(self._open(pool))

    async def _open(self, pool: Pool) -> None:
        """One after another: an engine is never asked for more than one at a time that nobody waits for."""
        try:
            while True:
                await asyncio.sleep(PAUSE_S)
                wanted = pool.has_room() and self._usable()
                used_at = self.ahead.take(pool.loop.time()) if wanted else None
                if used_at is None:
                    return
                spare = await pool.connect()
                spare.idle_since = used_at
                self.open.append(spare)
                pool.look_again(LOOK_S)
        except UpstreamError:
            self.ahead.refrain(pool.loop.time())
        finally:
            self._opener = None

    def take_all(self) -> list[Connection]:
        """All that are open, to be closed; those that are owed are not opened any more."""
        if self._opener is not None:
            self._opener.cancel()
        taken, self.open = self.open, []
        return taken

    def close(self) -> None:
        """There will be no more."""
        self._usable = _never


def _never() -> bool:
    return False
