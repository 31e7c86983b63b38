"""How long an event loop is held by what runs on it: the processor time of its longest turn, whatever else the machine does.

longest = held_s(work, 0.0005)      # `work` is a coroutine function; how long, and what took longest
"""

from __future__ import annotations

import asyncio
import gc
import selectors
import statistics
import time
from collections.abc import Callable, Coroutine
from typing import Any

YARD_S = 0.001
"""What `slowness` measures by takes this of a core of 2024 that has nothing else to do."""
MOST_SLOW = 3.0


class _Selector(selectors.DefaultSelector):
    """Waits for nothing: the loop's time is moved on instead."""

    waited_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout:
            self.waited_s += timeout
        return found


class MeasuringLoop(asyncio.SelectorEventLoop):
    """Knows its longest turn: all callbacks between two looks at the sockets, but no step of the test's own task.

    Its time is what the thread has worked and what it would have waited: nothing is late because the machine is busy, so that no
    turn has more to do for that.
    """

    def __init__(self) -> None:
        self._waits = _Selector()
        super().__init__(self._waits)
        self.worst_s, self.turns = 0.0, 0
        self.worst = ""
        """What took longest of it."""
        self.own: asyncio.Task[None] | None = None
        self.over = False
        """Set by a test that begins to clear away."""
        self._own_s, self._longest = 0.0, (0.0, "")

    def time(self) -> float:
        return time.thread_time() + self._waits.waited_s

    def call_soon(self, callback: Any, *args: Any, **more: Any) -> asyncio.Handle:  # type: ignore[override]
        return super().call_soon(self._measured, callback, args, **more)

    def call_at(self, when: float, callback: Any, *args: Any, **more: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        return super().call_at(when, self._measured, callback, args, **more)

    def _measured(self, callback: Any, args: tuple[Any, ...]) -> None:
        began = time.thread_time()
        callback(*args)
        took_s = time.thread_time() - began
        if self.own is not None and getattr(callback, "__self__", None) is self.own:
            self._own_s += took_s
        elif took_s > self._longest[0]:
            self._longest = took_s, _name(callback)

    def _run_once(self) -> None:
        self._own_s, self._longest = 0.0, (0.0, "")
        began = time.thread_time()
        super()._run_once()  # type: ignore[misc]  # asyncio's own, without a type
        took_s = time.thread_time() - began - self._own_s
        self.turns += 1
        if took_s > self.worst_s and not self.over:
            self.worst_s, self.worst = took_s, f"{self._longest[0]:.6f} s of it: {self._longest[1]}"


def clearing_away() -> None:
    """What is done from here on does not count."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, MeasuringLoop)
    loop.over = True


def held_s(work: Callable[[], Coroutine[Any, Any, None]], limit_s: float, times: int = 5) -> tuple[float, str]:
    """The longest turn of `work`, in seconds of a core with nothing else to do (`slowness`), and what took longest in it: of the
    first run that keeps the limit, or of the best; a run may have been disturbed.
    """
    best = (1e9, "")
    for _ in range(times):
        before = slowness()
        worst_s, what = _held_s(work)
        best = min(best, (worst_s / max(before, slowness()), what))
        if best[0] < limit_s:
            break
    return best


def slowness() -> float:
    """How many times its usual processor time the same work takes just now, 1 at least: what runs on the other cores takes caches
    and clock from this one. No more than MOST_SLOW: beyond that nothing can be told.
    """
    took_s = statistics.median(_yardstick_s() for _ in range(15))
    return min(max(1.0, took_s / YARD_S), MOST_SLOW)


def _yardstick_s() -> float:
    began = time.thread_time()
    table: dict[int, tuple[int, list[int]]] = {}
    for number in range(6500):
        table[number & 255] = (number, [number])
        if table[number & 127][0] > number:
            raise AssertionError
    return time.thread_time() - began


def _held_s(work: Callable[[], Coroutine[Any, Any, None]]) -> tuple[float, str]:
    loop, collects = MeasuringLoop(), gc.isenabled()
    gc.disable()  # as while serving
    try:
        loop.own = loop.create_task(work())
        loop.run_until_complete(loop.own)
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        if collects:
            gc.enable()
        loop.close()
    assert loop.turns > 10, "nothing has run but the test"
    return loop.worst_s, loop.worst


def _name(callback: Any) -> str:
    task = getattr(callback, "__self__", None)
    return f"a step of {task.get_coro()!r}" if isinstance(task, asyncio.Task) else repr(callback)
