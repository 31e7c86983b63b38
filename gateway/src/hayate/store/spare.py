"""What is kept only while somebody waits for it: whoever gives it up is sure that it never is."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

SPARE_S: Final = 1.5
"""How long an answer waits to be kept where nobody has asked for that."""

Result = TypeVar("Result")


class GivenUp(Exception):
    """Nobody waits for it any more."""


class Spare(Generic[Result]):
    """Runs `how` within a transaction, once, unless it is given up before."""

    __slots__ = ("_how", "_taken", "within_s")

    def __init__(self, how: Callable[[sqlite3.Connection], Result], within_s: float) -> None:
        self.within_s = within_s
        """How long it is waited for."""
        self._how = how
        self._taken = threading.Lock()
        """By the first of the thread that writes and who waits; it is never given back."""

    def __call__(self, connection: sqlite3.Connection) -> Result:
        """What `how` gives. Raises GivenUp, and what `how` raises."""
        if not self._taken.acquire(blocking=False):
            raise GivenUp
        return self._how(connection)

    def give_up(self) -> bool:
        """Whether it is not made now, and never will be."""
        return self._taken.acquire(blocking=False)
