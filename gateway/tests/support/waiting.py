"""Waiting for something to become true, without a guess at how long it takes.

What is to come is awaited for as long as `LAST_RESORT_S`: that ends a test which would hang, and says nothing of how fast anything
is. That something comes at once is shown by what it would have waited for otherwise, which is then `NEVER_S` away.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

LAST_RESORT_S = 120.0
"""More than the busiest machine needs for anything that a test waits for."""
LONGEST_PAUSE_S = 0.1
"""Between two looks, after many: who waits long need not keep the machine busy with it."""
NEVER_S = 3600.0
"""For a limit or an interval of the gateway that a test must not see the end of: longer than any test waits."""


async def eventually(
    condition: Callable[[], object | Awaitable[object]], within_s: float = LAST_RESORT_S, every_s: float = 0.01
) -> float:
    """Seconds until `condition` (plain or asynchronous) held; fails the test when it doesn't `within_s`."""
    began, pause_s = time.monotonic(), every_s
    while True:
        held = condition()
        if inspect.isawaitable(held):
            held = await held
        waited_s = time.monotonic() - began
        if held:
            return waited_s
        if waited_s > within_s:
            raise AssertionError(f"not so within {within_s} s: {inspect.getsource(condition).strip()}")
        await asyncio.sleep(pause_s)
        pause_s = max(every_s, min(1.3 * pause_s, LONGEST_PAUSE_S))
