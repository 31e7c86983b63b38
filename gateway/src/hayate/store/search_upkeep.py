"""What the thread that writes does for search in its pauses: the words of what was said are put into the index, those of what was
deleted are taken out and overwritten, and the index is merged. Each step is short.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from time import monotonic


class Upkeep:
    """One per store; its steps are taken by the thread that writes, outside of any transaction."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock

    def step(self, connection: sqlite3.Connection) -> bool:
        """A few milliseconds of it; true when there is more to do at once. Called again a second later it finds what there is
        then. Raises sqlite3.Error, with nothing done.
        """
        return False
