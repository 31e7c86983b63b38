"""Work on many replicas, a few in a turn of the event loop: streams go on between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final, TypeVar

ASKED_AT_ONCE: Final = 1
LOOKED_AT_ONCE: Final = 64
"""In a turn: a question to an engine takes some 100 microseconds to ask, and a look at what is known of it one or two."""
PAUSE_S: Final = 0.002
"""Between two turns: a question takes more turns than one."""
_GOLDEN: Final = 0.6180339887

T = TypeVar("T")


async def by_turns(items: Sequence[T], at_once: int = ASKED_AT_ONCE) -> AsyncIterator[T]:
    """Each of them, so many in a turn."""
    for number, item in enumerate(items):
        if number and number % at_once == 0:
            await asyncio.sleep(PAUSE_S)
        yield item


def part_of_interval(number: int) -> float:
    """Which part of its first interval the watcher of this number (from 0) waits: of however many, the ends are spread evenly."""
    return 1.0 - number * _GOLDEN % 1.0
