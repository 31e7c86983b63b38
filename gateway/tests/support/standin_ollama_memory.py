"""How the stand-in for Ollama has its models in memory, from its scheduler (`server/sched.go`, 0.32).

Its manners: a call loads its model if need be, for five minutes unless it says how long; one that says nothing leaves a loaded
model's time as it is. Another `num_ctx` loads it anew. Where memory is short Ollama itself puts out models that are idle. To unload
is answered at once, and done when no call is left. While a model loads, `/api/ps` is not answered.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.gpu_memory import GpuMemory

DEFAULT_KEEP_S = 300.0
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class OutOfMemory(Exception):
    """The model fits nowhere."""


@dataclass
class Runner:
    """A loaded model."""

    num_ctx: int
    keep_s: float
    calls: int = 0
    timer: asyncio.TimerHandle | None = None


@dataclass
class Loaded:
    """The models that there are, with what each takes, and those in memory."""

    sizes: dict[str, int]
    memory: GpuMemory = field(default_factory=lambda: GpuMemory(1 << 40))
    takes_s: float = 0.0
    runners: dict[str, Runner] = field(default_factory=dict)
    loads: list[str] = field(default_factory=list)
    put_out: list[str] = field(default_factory=list)
    """What Ollama itself unloaded to make room."""
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def used(self, model: str, num_ctx: int, keep: Any = None) -> AsyncIterator[None]:
        """A call with it. Raises OutOfMemory."""
        runner = await self._runner(model, num_ctx, keep)
        runner.calls += 1
        try:
            yield
        finally:
            runner.calls -= 1
            self._rest(model, runner)

    def expire(self, model: str) -> None:
        """To unload it."""
        runner = self.runners.get(model)
        if runner is not None:
            runner.keep_s = 0.0
            self._rest(model, runner)

    async def listed(self) -> list[str]:
        """What is loaded, once nothing is being loaded."""
        async with self._loading:
            return list(self.runners)

    async def _runner(self, model: str, num_ctx: int, keep: Any) -> Runner:
        async with self._loading:
            runner = self.runners.get(model)
            if runner is not None and runner.num_ctx != num_ctx:
                while runner.calls:
                    await asyncio.sleep(0.005)
                self._drop(model)
                runner = None
            if runner is None:
                runner = await self._load(model, num_ctx)
        if keep is not None:
            runner.keep_s = seconds(keep)
        return runner

    async def _load(self, model: str, num_ctx: int) -> Runner:
        self.loads.append(model)
        size = self.sizes[model]
        for other in [name for name, each in self.runners.items() if not each.calls]:
            if self.memory.used + size > self.memory.total:
                self.put_out.append(other)
                self._drop(other)
        await asyncio.sleep(self.takes_s)
        if not self.memory.take(model, size):
            raise OutOfMemory
        runner = self.runners[model] = Runner(num_ctx, DEFAULT_KEEP_S)
        return runner

    def _rest(self, model: str, runner: Runner) -> None:
        if runner.timer is not None:
            runner.timer.cancel()
            runner.timer = None
        if runner.calls or self.runners.get(model) is not runner:
            return
        if runner.keep_s <= 0:
            self._drop(model)
        elif runner.keep_s < math.inf:
            runner.timer = asyncio.get_running_loop().call_later(runner.keep_s, self._drop, model)

    def _drop(self, model: str) -> None:
        runner = self.runners.pop(model)
        if runner.timer is not None:
            runner.timer.cancel()
        self.memory.free(model)


def seconds(keep: Any) -> float:
    """`keep_alive` as Ollama reads it: seconds, or text with a unit; less than 0 is for ever."""
    number = float(keep) if not isinstance(keep, str) else float(keep[:-1]) * SECONDS[keep[-1]]
    return math.inf if number < 0 else number
