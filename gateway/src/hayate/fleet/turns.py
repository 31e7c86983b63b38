"""Work on many replicas, a few in a turn of the event loop: streams go on between. And a task for each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from functools import partial
from typing import Any, Final, TypeVar

from hayate.fleet.replica import Replica

ASKED_AT_ONCE: Final = 1
LOOKED_AT_ONCE: Final = 64
"""In a turn: a question to an engine takes some 100 microseconds to ask, and a look at what is known of it one or two."""
PAUSE_S: Final = 0.002
"""Between two turns: a question takes more turns than one."""
_GOLDEN: Final = 0.6180339887

T = TypeVar("T")


async def by_turns(items: Iterable[T], at_once: int = ASKED_AT_ONCE) -> AsyncIterator[T]:
    """Each of them, so many in a turn."""
    for number, item in enumerate(items):
        if number and number % at_once == 0:
            await asyncio.sleep(PAUSE_S)
        yield item


def part_of_interval(number: int) -> float:
    """Which part of its first interval the watcher of this number (from 0) waits: of however many, the ends are spread evenly."""
    return 1.0 - number * _GOLDEN % 1.0


class Tasks:
    """A task for each replica at most. `failure`, with `{}` for the replica, is said of one that failed, by a fault of ours."""

    def __init__(self, failure: str) -> None:
        self._failure = failure
        self._running: dict[Replica, asyncio.Task[None]] = {}

    def __contains__(self, replica: Replica) -> bool:
        return replica in self._running

    def start(self, replica: Replica, work: Coroutine[Any, Any, None]) -> None:
        """Has `work` done for a replica that has no task."""
        task = self._running[replica] = asyncio.create_task(work)
        task.add_done_callback(partial(self._over, replica))

    async def end(self) -> None:
        """Cancels them all, and waits until they have ended."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _over(self, replica: Replica, done: asyncio.Task[None]) -> None:
        self._running.pop(replica, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": self._failure.format(replica.label), "exception": error}
            )
