"""What can put a model into memory and take it out again: one small protocol, whether the gateway runs the engine itself or
asks one that already runs.

Rule: an engine does as it is told, and tells when it ended by itself. When it is loaded, unloaded or started again, and for
whom, is decided in one place (`policy.arbiter`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from hayate.language import BilingualError
from hayate.reasons import Reason

How = Literal["run", "sleep", "keep_alive", "router"]
"""A child of the gateway; vLLM's sleep mode; Ollama's keep_alive; llama.cpp's router mode."""


class LoadFailed(BilingualError):
    """A model could not be loaded, or what ran it has ended: why, and what the operator can do. Callers are told the reason's own
    words (`Reason.to_callers`).
    """

    def __init__(self, english: str, japanese: str, reason: Reason) -> None:
        super().__init__(english, japanese)
        self.reason = reason


class Engine(Protocol):
    """One deployment's. One thing is asked of it at a time."""

    how: How
    pid: int | None
    """Of the process that the gateway runs, while it runs."""
    log: Path | None
    """The file with the output of such a process."""
    ended: Callable[[LoadFailed], None] | None
    """Called when a loaded engine ended by itself; it stays down until `load`."""

    async def state(self) -> bool | None:
        """Whether the model is in memory; None when that can't be told."""

    async def load(self, limit_s: float) -> None:
        """Returns once it answers calls. Raises LoadFailed; then nothing of it is left in memory."""

    async def unload(self) -> None:
        """Returns once its memory is free. Raises LoadFailed when it does not let go of it."""

    async def close(self) -> None:
        """The gateway ends: a child is ended, an engine that ran before is left as it is."""
