"""When Python's collector runs: not by itself, and nearly never while there are calls.

What has served a call or a connection holds no circle (tests/reliability/test_no_circles.py): it is freed the moment it is over.
So automatic collection, which would walk every open stream again and again, 46 ms at 1,300 of them, is off. What libraries leave
behind is found

1. every LOOK_S, among what was made since the look before: little, whatever else there is;
2. everywhere, when there are no calls and the event loop has had next to nothing to do for a while;
3. everywhere, when memory has grown by more than calls account for. This holds up streams; it is the bound.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

LOOK_S: Final = 0.05
IDLE_LOOKS: Final = 20
"""How many looks in a row must find the loop idle."""
MEMORY_LOOKS: Final = 20
"""In how many looks memory is asked for once: that is a system call or two."""
IDLE_SHARE: Final = 0.1
"""Of a look's time, in which the loop's thread has used the processor at most."""
LEAST_S: Final = 10.0
COST: Final = 1000
"""An idle run is LEAST_S after the one before, and this many times as late as that one was long: a thousandth of all time."""
FORCED_BYTES: Final = 64 * 1024 * 1024
CALL_BYTES: Final = 64 * 1024
"""How much memory may grow until a run is forced, and by how much for each call under way, which may hold that much."""

When = Literal["step", "idle", "forced"]


@dataclass(slots=True)
class Runs:
    """What the runs of one kind add up to."""

    count: int = 0
    seconds: float = 0.0
    found: int = 0
    """Objects in circles."""


class Sweeper(Collector):
    """One per gateway. `calls` says how many are under way."""

    def __init__(
        self,
        calls: Callable[[], int],
        *,
        now: Callable[[], float] = time.monotonic,
        busy_s: Callable[[], float] = time.thread_time,
        memory_bytes: Callable[[], int] | None = None,
    ) -> None:
        self._calls = calls
        self._now = now
        self._busy_s = busy_s
        self._memory_bytes = memory_bytes or _memory_bytes
        self.runs: dict[When, Runs] = {"step": Runs(), "idle": Runs(), "forced": Runs()}
        self._on = False
        self._looked_at = self._busy_before_s = 0.0
        self._looks = self._idle_looks = 0
        self._next_idle_at = 0.0
        self._untouched = True
        """Whether nothing has been done since the last run over everything."""
        self._memory_before = 0

    def start(self) -> None:
        """All is loaded, and stays: the collector need not walk it, nor run by itself. To be called in the loop's thread."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._on = True
        self._looked_at, self._busy_before_s = self._now(), self._busy_s()
        self._memory_before = self._memory_bytes()

    def stop(self) -> None:
        """The collector runs by itself again, if it was kept from that."""
        if self._on:
            self._on = False
            gc.enable()

    async def run(self) -> None:
        """Looks every LOOK_S, once started. Ends only when cancelled; then the collector runs by itself again."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                if self._on:
                    self.look()
        finally:
            self.stop()

    def look(self) -> None:
        """One look: a step, and more when it is time."""
        self._looks += 1
        now, busy_s, calls = self._now(), self._busy_s(), self._calls()
        idle = calls == 0 and busy_s - self._busy_before_s <= IDLE_SHARE * (now - self._looked_at)
        self._idle_looks = self._idle_looks + 1 if idle else 0
        self._untouched = self._untouched and idle
        if self._looks % MEMORY_LOOKS == 0 and self._has_grown(calls):
            self._sweep("forced")
        elif self._idle_looks >= IDLE_LOOKS and not self._untouched and now >= self._next_idle_at:
            self._sweep("idle")
        else:
            self._collect("step", 0)
        self._looked_at, self._busy_before_s = self._now(), self._busy_s()

    def _has_grown(self, calls: int) -> bool:
        return self._memory_bytes() - self._memory_before > FORCED_BYTES + calls * CALL_BYTES

    def _sweep(self, when: When) -> None:
        took_s = self._collect(when, 2)
        self._next_idle_at = self._now() + max(LEAST_S, COST * took_s)
        self._untouched = True
        self._memory_before = self._memory_bytes()

    def _collect(self, when: When, generation: int) -> float:
        runs, began = self.runs[when], self._busy_s()
        runs.found += gc.collect(generation)
        took_s = self._busy_s() - began
        runs.count += 1
        runs.seconds += took_s
        return took_s

    def collect(self) -> Iterable[Metric]:
        """For Prometheus: how often, how long and with what success."""
        runs = CounterMetricFamily("hayate_sweeps", "Runs of Python's collector.", labels=["when"])
        seconds = CounterMetricFamily("hayate_sweep_seconds", "What they took of the event loop.", labels=["when"])
        found = CounterMetricFamily("hayate_sweep_objects", "Objects they freed.", labels=["when"])
        for when, each in self.runs.items():
            runs.add_metric([when], each.count)
            seconds.add_metric([when], each.seconds)
            found.add_metric([when], each.found)
        return [runs, seconds, found]


_STATM: Final = Path("/proc/self/statm")


def _memory_bytes() -> int:
    """What the process has of the machine's memory; where the system does not say, about what Python's objects take."""
    with suppress(OSError):
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return sys.getallocatedblocks() * 64
