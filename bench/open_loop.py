"""`make bench ARGS=--open`: calls that come when they come, and how late every token of theirs is.

The rules: (1) the schedule is made in advance and is the same for all (`open_schedule`); every wait counts from the moment in it;
(2) in a look every contender is measured under one schedule before the next schedule, each as a fresh process with nobody beside
it, and the order turns from look to look; (3) what a gateway adds is its percentile less the direct line's in the same look.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.environments import Unavailable
from bench.open_looks import TOKENS, Look, Looks, read
from bench.open_parts import FIRST_S, Programs, client_parts, engine_parts, programs
from bench.open_schedule import Schedule, always_open
from bench.open_shape import Shape
from bench.peers import Command, Contender, Direct, Hayate, LiteLLM, Nginx, SglangRouter, Site, VllmRouter
from bench.processes import Started
from bench.scenarios import Bench
from bench.standing import ROOT, Standing, Stub, start, start_stub
from bench.trees import forget, project_key

HEAVY_RATE = 10.0
LINE_S = 60.0
"""How long the direct line is measured beside streams that stand: it has nothing that could grow."""
WATCH_S = 5.0
GIVE_UP_S = 45.0
"""How long after the last call's moment it is waited for."""
START_S = 3.0


class Keyed(Hayate):
    """The gateway as in the other scenarios, called with a project's key, whose requests, tokens and calls at once are counted."""

    name, label = "hayate", "**Hayate {version}**, keys, limits, store"
    places = 16384

    def command(self, site: Site) -> Command:
        forget(site)
        return super().command(site)

    def key(self, site: Site) -> str:
        return project_key(site)


class Keeping(Keyed):
    """The same, where every call begins a conversation that is kept."""

    name, label = "hayate-history", "**Hayate {version}**, and history"

    def version(self) -> str:
        return Keyed().version()


def everyone() -> list[Contender]:
    """Who takes part, in the order of the table."""
    return [Direct(), Nginx(), SglangRouter(), VllmRouter(), LiteLLM(), Keyed(), Keeping()]


def sits_out(contender: Contender, schedule: Schedule) -> bool:
    """Nobody learns anything from a queue that only grows."""
    rate, slash, _ = schedule.name.partition("/")
    return contender.heavy and bool(slash) and float(rate) > HEAVY_RATE


class OpenLoop:
    """One run."""

    def __init__(self, wanted: Shape, contenders: Sequence[Contender], home: Path) -> None:
        self.looks = Looks()
        self._shape = wanted
        self._schedules = wanted.schedules()
        self._contenders = list(contenders)
        self._home = home
        self._key = f"sk-bench-{secrets.token_hex(24)}"
        self._programs = Programs([], [], compiled=False)
        self._began = time.perf_counter()

    def estimate_s(self) -> float:
        """About how long it takes."""
        each = [
            START_S + self._for(contender, schedule).lasts_s
            for schedule in self._schedules
            for contender in self._contenders
            if not sits_out(contender, schedule)
        ]
        return self._shape.looks * sum(each)

    async def run(self) -> Looks:
        """All looks. What was started is stopped however this ends."""
        self._prepare()
        self._say(f"about {self.estimate_s() / 60:.0f} minutes")
        parts = engine_parts(self._home / "run" / "open-engine")
        microseconds = [str(round(wait_s * 1e6)) for wait_s in (FIRST_S, self._shape.interval_s)]
        stub = await start_stub(self._home, [*self._programs.stub, str(parts), *microseconds])
        try:
            for number in range(self._shape.looks):
                for turn, schedule in enumerate(self._schedules):
                    at = (number + turn) % len(self._contenders)
                    for contender in self._contenders[at:] + self._contenders[:at]:
                        if not sits_out(contender, schedule) and contender in self._contenders:
                            await self._look(number, schedule, contender, stub)
        finally:
            stub.stop()
        return self.looks

    def _prepare(self) -> None:
        self._programs = programs(self._home)
        self.looks.compiled = self._programs.compiled
        if not self._programs.compiled:
            self._say("no C compiler: client and engine in Python stand in, and are late themselves")
        for contender in list(self._contenders):
            try:
                contender.prepare(self._home)
                self.looks.labels[contender.name] = contender.label.format(version=contender.version())
            except Unavailable as reason:
                self._skip(contender, str(reason))

    def _skip(self, contender: Contender, reason: str) -> None:
        self._say(f"{contender.name}: skipped: {reason}")
        self.looks.skipped[contender.name] = reason
        self._contenders.remove(contender)

    async def _look(self, number: int, schedule: Schedule, contender: Contender, stub: Stub) -> None:
        try:
            standing, _ = await start(contender, self._home, stub, self._key)
        except Unavailable as reason:
            self._skip(contender, str(reason))
            return
        try:
            look = await self._measure(self._for(contender, schedule), standing)
        finally:
            standing.stop()
        self.looks.add(schedule.name, contender.name, look)
        trouble = f"  errors: {dict(look.errors)}" if look.errors else ""
        late = " / ".join(f"{value:.2f}" for value in look.quantiles[TOKENS]).replace("nan", "–")
        self._say(f"look {number + 1}/{self._shape.looks}  {schedule.name:7}{contender.name:16}{late} ms{trouble}")

    def _for(self, contender: Contender, schedule: Schedule) -> Schedule:
        """The schedule, or as much of it as is measured of the direct line."""
        if not self._shape.standing or not isinstance(contender, Direct):
            return schedule
        return always_open(self._shape.standing, min(LINE_S, self._shape.seconds), self._shape.interval_s)

    async def _measure(self, schedule: Schedule, up: Standing) -> Look:
        folder = self._home / "run" / "open-client" / "parts"
        parts = client_parts(folder, up.bench.target, history=isinstance(up.contender, Keeping))
        if not self._shape.standing or up.bench.root_pid is None:
            return await drive(self._programs.client, schedule, up.bench, parts)
        idle, seen = up.bench.rss_bytes(roughly=True), list[tuple[float, float]]()

        def watch(since_s: float) -> None:
            if schedule.from_s <= since_s < schedule.until_s:
                more = up.bench.rss_bytes(roughly=True) - idle
                seen.append((since_s - schedule.from_s, more / 1024 / self._shape.standing))

        look = await drive(self._programs.client, schedule, up.bench, parts, watch=watch)
        look.memory = seen
        return look

    def _say(self, text: str) -> None:
        print(f"{time.perf_counter() - self._began:6.0f} s  {text}", flush=True)


def _files(schedule: Schedule, home: Path) -> tuple[Path, Path]:
    """The schedule as a file, and where the client is to write: nothing of an earlier run is there."""
    home.mkdir(parents=True, exist_ok=True)
    asked, out = home / "schedule", home / "out"
    asked.write_text(schedule.text(), encoding="ascii")
    for old in home.glob("out.*"):
        old.unlink()
    return asked, out


async def drive(
    client: Sequence[str],
    schedule: Schedule,
    bench: Bench,
    parts: Path,
    *,
    give_up_s: float = GIVE_UP_S,
    watch: Callable[[float], None] = lambda _: None,
) -> Look:
    """One run of the client, whose files lie beside `parts`; `watch` is told every WATCH_S how many seconds it has lasted.

    Raises RuntimeError when the client ends without having written what it saw.
    """
    home = parts.parent
    asked, out = _files(schedule, home)
    load, before, began = os.getloadavg()[0], bench.cpu_s(), time.perf_counter()
    argv = [*client, str(bench.target.port), str(parts), str(asked), str(out), f"{give_up_s:g}"]
    started = Started(argv, home=home, env={"PYTHONPATH": str(ROOT)})
    try:
        watched = 0
        while not started.exited:
            await asyncio.sleep(0.1)
            if (since_s := time.perf_counter() - began) >= watched * WATCH_S:
                watched += 1
                watch(since_s)
        lasted_s, after = time.perf_counter() - began, bench.cpu_s()
    finally:
        started.stop()
    if not out.with_suffix(".calls").exists():
        raise RuntimeError(f"the client did not finish: {started.last_words()}")
    look, client_s = read(out, schedule)
    used = {"gateway": after["gateway"] - before["gateway"], "stub": after["stub"] - before["stub"], "client": client_s}
    look.cores = {who: spent / lasted_s for who, spent in used.items()}
    look.load = load
    return look
