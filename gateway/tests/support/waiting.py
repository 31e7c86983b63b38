"""Waiting for something to become true, without a guess at how long it takes."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def eventually(
    condition: Callable[[], object | Awaitable[object]], within_s: float = 5.0, every_s: float = 0.01
) -> float:
    """Seconds until `condition` (plain or asynchronous) held; fails the test when it doesn't `within_s`."""
    began = time.monotonic()
    while True:
        held = condition()
        if inspect.isawaitable(held):
            held = await held
        waited_s = time.monotonic() - began
        if held:
            return waited_s
        if waited_s > within_s:
            raise AssertionError(f"not so within {within_s} s: {inspect.getsource(condition).strip()}")
        await asyncio.sleep(every_s)
