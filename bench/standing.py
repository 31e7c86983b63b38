"""Contenders that are up: the stub engine and whatever is started in front of it."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.dialogue import Asked
from bench.environments import Unavailable
from bench.load import Load, Target
from bench.peers import Contender, Site
from bench.processes import Started, free_port
from bench.scenarios import Bench, Figures

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Stub:
    """The stub engine, running."""

    started: Started
    port: int

    def stop(self) -> None:
        """Take it down."""
        self.started.stop()


@dataclass(frozen=True, slots=True)
class Standing:
    """A contender that is up."""

    contender: Contender
    bench: Bench
    started: Started | None

    def stop(self) -> None:
        """Take it down."""
        if self.started is not None:
            self.started.stop()


async def start_stub(home: Path, command: Sequence[str] = (sys.executable, "-m", "bench.stub")) -> Stub:
    """The engine behind everybody."""
    started = Started(command, home=home / "run" / "stub", env={"PYTHONPATH": str(ROOT)})
    for _ in range(500):
        words = started.stdout.read_text().split()
        if len(words) == 2:
            return Stub(started, int(words[1]))
        await asyncio.sleep(0.02)
    started.stop()
    raise RuntimeError(f"the stub engine did not start: {started.last_words()}")


async def start(contender: Contender, home: Path, stub: Stub, key: str) -> tuple[Standing, Figures | None]:
    """Starts one in front of the stub, and how long that took. Raises Unavailable."""
    site = Site(home / "run" / contender.name, free_port(), stub.port, key)
    command = contender.command(site)
    if command is None:
        return Standing(contender, Bench(Target(stub.port, key), None, stub.started.pid), None), None
    started = Started(command.argv, home=site.home, env=command.env)
    bench = Bench(Target(site.port, key), started.pid, stub.started.pid, contender.heavy)
    try:
        listen_s = await _until_listening(started, site.port, contender.start_s)
        ready_s = await _until_answering(started, bench.target, contender.start_s)
        bench = replace(bench, target=Target(site.port, contender.key(site)))
        await asyncio.sleep(0.5)
    except BaseException:
        started.stop()
        raise
    values = {"listen_s": listen_s, "ready_s": ready_s, "idle_mb": bench.rss_bytes() / 1e6}
    return Standing(contender, bench, started), Figures(values)


async def _until_listening(started: Started, port: int, timeout_s: float) -> float:
    """Seconds from the start of the process to the first connection it takes."""
    while (waited := time.perf_counter() - started.began) < timeout_s:
        if started.exited:
            raise Unavailable(f"it ended at its start: {started.last_words()}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return time.perf_counter() - started.began
        await asyncio.sleep(0.005)
    raise Unavailable(f"not listening after {waited:.0f} s: {started.last_words()}")


async def _until_answering(started: Started, target: Target, timeout_s: float) -> float:
    """Seconds from the start of the process to the first whole answer through it."""
    trouble: Counter[str] = Counter()
    while time.perf_counter() - started.began < timeout_s:
        load = Load(target, Asked(stream=False), 1)
        await load.open()
        await asyncio.sleep(0.02)
        await load.drain(5)
        if load.tally.answers:
            return time.perf_counter() - started.began
        trouble = load.tally.errors
        await asyncio.sleep(0.1)
    raise Unavailable(f"no whole answer after {timeout_s:.0f} s: {dict(trouble)}; {started.last_words()}")
