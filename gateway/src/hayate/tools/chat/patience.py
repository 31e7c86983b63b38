"""What an answer is waited for, on a line that counts the seconds until something comes.

The gateway says now and then what a call waits for (`events`); between that, and before it, the clock goes on here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

from hayate.language import Text

QUIET_S: Final = 2.0
"""An answer that begins by then needs no such line."""
LOOK_S: Final = 1.0


class Patience:
    """Of one answer. `show` draws a line over the one before, from a thread of its own, until `over`."""

    def __init__(self, show: Callable[[Text], None], usual: Callable[[float], Text]) -> None:
        self._show = show
        self._told = usual
        """Says it, after so many seconds."""
        self._since = monotonic()
        self._quiet_s = QUIET_S
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="patience")
        self._thread.start()

    def hear(self, told: Callable[[float], Text]) -> None:
        """What it waits for from now on."""
        self._told, self._since, self._quiet_s = told, monotonic(), 0.0
        if not self._over.is_set():
            self._show(told(0.0))

    def over(self) -> None:
        """Nothing more is drawn, once this has returned."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(LOOK_S):
            waited_s = monotonic() - self._since
            if waited_s >= self._quiet_s:
                self._show(self._told(waited_s))
