"""A soak: callers of every kind, engines that fail, an operator who reloads and changes keys. The gateway must keep nothing of it.

    make soak ARGS="--minutes 30"          # some 70 callers, under half a core

Every so often it is written down what the gateway holds; at the end there is a verdict, and the exit status is 1 if it is not good:
no fault, memory flat, no file and no task left, nothing of ours in circles. The same seed makes the same callers ask for the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.flat import growth

from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.garbage import KEEPING_CIRCLES, circles, tasks
from tests.support.gateway import COMPLAINTS, RunningGateway, running_gateway
from tests.support.http import fetch
from tests.support.scene import Stage, settings
from tests.support.soak_callers import CALLERS, Soak
from tests.support.soak_scripts import FAULTY, GOOD, scripted
from tests.support.waiting import NEVER_S, eventually

SEED: Final = 20_261_129
ENDING_S: Final = 120.0
"""What the answers under way at the end may take."""
RELOAD_S: Final = 5.0
SHORT: Final = {"first_byte_s": 5, "silence_s": 5, "whole_s": 5}
"""How long a call waits for an engine that says nothing."""
SMALL: Final = {"cache_bytes": 1 << 20}
"""Of conversations in memory: full within minutes, or half an hour of new ones would look like memory that is lost."""
PAGE_BYTES: Final = resource.getpagesize()
MB: Final = 1 << 20
WARM_UP_S: Final = 120.0
"""While the heap still grows to what so many callers need: a soak whose first half is shorter sees gross leaks only."""
FLAT_MB, GROSS_MB = 4.0, 20.0
SPARE_FDS, SPARE_TASKS = 8, 4
"""Who reads from the database opens it when it is first needed: three connections more than at the start, two files each."""


@dataclass(frozen=True)
class Sample:
    """What the gateway holds at one moment."""

    rss_mb: float
    fds: int
    threads: int
    streams: int
    upstream: int

    @classmethod
    async def of(cls, gateway: RunningGateway) -> Sample:
        text = (await fetch(gateway.url, "/metrics", key=gateway.key)).text

        def gauge(name: str) -> int:
            return int(sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name}{{")))

        process = Path(f"/proc/{gateway.pid}")
        return cls(
            rss_mb=int((process / "statm").read_text().split()[1]) * PAGE_BYTES / MB,
            fds=sum(1 for _ in (process / "fd").iterdir()),
            threads=sum(1 for _ in (process / "task").iterdir()),
            streams=gauge("hayate_in_flight"),
            upstream=gauge("hayate_upstream_connections"),
        )


@dataclass
class Found:
    """What a soak has shown."""

    seconds: float
    before: Sample
    tasks_before: int
    after: Sample
    tasks_after: int
    done: Counter[str]
    faults: Counter[str]
    samples: list[tuple[float, Sample]]
    circled: Counter[str]
    reloads: int

    @property
    def grown_mb(self) -> float:
        """By how much memory grew in the second half."""
        return growth([(since_s, each.rss_mb) for since_s, each in self.samples])

    @property
    def may_grow_mb(self) -> float:
        return FLAT_MB if self.seconds / 2 >= WARM_UP_S else GROSS_MB

    def complaints(self) -> list[str]:
        """Everything that is not as it must be."""
        found = [f"{count} × {what}" for what, count in self.faults.most_common()]
        found += [f"left in circles: {count} × {what}" for what, count in self.circled.most_common()]
        if self.grown_mb > self.may_grow_mb:
            found.append(f"memory grew by {self.grown_mb:.1f} MB in the second half, over {self.may_grow_mb:g} MB")
        if self.after.fds > self.before.fds + SPARE_FDS:
            found.append(f"{self.after.fds} files are open, {self.before.fds} were before")
        if self.tasks_after > self.tasks_before + SPARE_TASKS:
            found.append(f"{self.tasks_after} tasks run, {self.tasks_before} did before")
        missing = [visit.__name__ for visit in CALLERS if not self.done[visit.__name__]]
        return found + [f"nobody was done {name}" for name in missing]

    def text(self) -> str:
        """The verdict."""
        before, after = self.before, self.after
        lines = [
            f"{self.seconds:.0f} s, {sum(CALLERS.values())} callers; done: {dict(self.done)}; reloads {self.reloads}",
            f"faults {sum(self.faults.values())}; of ours in circles {sum(self.circled.values())}",
            f"memory {before.rss_mb:.1f} MB before, {after.rss_mb:.1f} after",
            f"by a straight line {self.grown_mb:+.2f} MB over the second half, at most {self.may_grow_mb:g}",
            f"files {before.fds} before, {after.fds} after; threads {before.threads}, {after.threads}",
            f"tasks {self.tasks_before} before, {self.tasks_after} after",
            *(f"NOT GOOD: {each}" for each in self.complaints()),
        ]
        return "\n".join([*lines, *([] if self.complaints() else ["good"])])


@dataclass
class Watch:
    """What is looked at while the callers are there."""

    soak: Soak
    engines: tuple[FakeEngine, ...]
    every_s: float
    say: Callable[[str], None]
    samples: list[tuple[float, Sample]] = field(default_factory=list)
    circled: Counter[str] = field(default_factory=Counter)
    reloads: int = 0

    async def look(self) -> None:
        """A sample each second, and a line every so often."""
        began, told = time.monotonic(), 1
        while not self.soak.over:
            await asyncio.sleep(1)
            for engine in self.engines:
                engine.requests.clear()
                engine.probes.clear()
                engine.abandoned_at_s.clear()
            since_s = time.monotonic() - began
            self.samples.append((since_s, await Sample.of(self.soak.gateway)))
            if since_s >= told * self.every_s:
                told += 1
                await self.tell(since_s, self.samples[-1][1])

    async def tell(self, since_s: float, last: Sample) -> None:
        """What is left in circles is looked for, and everything told."""
        gateway = self.soak.gateway
        self.circled.update(await circles(gateway))
        complaint = next((each for each in COMPLAINTS if each in gateway.stderr()), None)
        if complaint:
            self.soak.fault(f"in the log: {complaint}")
        self.say(
            f"{since_s / 60:5.1f} min  {last.rss_mb:6.1f} MB  {last.fds} files  {last.threads} threads  {tasks(gateway)} tasks  "
            f"{last.streams} calls under way  {last.upstream} connections to engines  {sum(self.soak.done.values())} visits  "
            f"circles {sum(self.circled.values())}  faults {sum(self.soak.faults.values())}"
        )

    async def reload(self, configs: tuple[str, str]) -> None:
        """The configuration changes and changes back, told by a signal and by a call in turn."""
        file = self.soak.gateway.data.parent / "config.yaml"
        while not self.soak.over:
            await asyncio.sleep(RELOAD_S)
            self.reloads += 1
            file.write_text(configs[self.reloads % 2], encoding="utf-8")
            if self.reloads % 4 < 2:
                self.soak.gateway.process.send_signal(signal.SIGHUP)
            else:
                self.soak.expect("a reload", (await self.soak.operators("/admin/reload", {})).status, 200)


async def come_again(soak: Soak, visit: Callable[[Soak], Awaitable[None]]) -> None:
    """One caller: it comes in at some moment of the first two seconds, and again and again until the end."""
    await soak.pause(2)
    while not soak.over:
        try:
            await visit(soak)
            soak.done[visit.__name__] += 1
        except (
            OSError,
            EOFError,
            TimeoutError,
            ValueError,
            KeyError,
            AssertionError,
        ) as error:  # EOFError: an answer that was cut
            soak.fault(f"{visit.__name__}: {type(error).__name__}: {error!s:.80}")
        await soak.pause(1)


def configs(good: FakeEngine, faulty: FakeEngine) -> tuple[str, str]:
    """Two that differ in what a running gateway takes over."""
    others = {FAULTY: {"model": FAULTY, "replicas": [faulty.url], "timeouts": SHORT}}
    health = {"eject_after": 1_000_000, "canary_s": NEVER_S}
    first, second = (
        settings(good.url, others=others, health=health, history=SMALL, server={"heartbeat_s": beat})
        for beat in (15, 16)
    )
    return first, second


async def soaked(seconds: float, every_s: float, seed: int = SEED, say: Callable[[str], None] = print) -> Found:
    """One soak."""
    async with running_engine(scripted, model=GOOD) as good, running_engine(scripted, model=FAULTY) as faulty:
        files = configs(good, faulty)
        async with running_gateway(config=files[0], through=KEEPING_CIRCLES) as gateway:
            await gateway.ready()
            stage = Stage(good, gateway)
            limited = await stage.new_key(limits={"requests_per_minute": 30})
            await circles(gateway)
            before, tasks_before = await Sample.of(gateway), tasks(gateway)
            dice = random.Random(seed)
            until_s = time.monotonic() + seconds
            soak = Soak(gateway, stage.operators_key, limited["key"], until_s, dice)
            watch = Watch(soak, (good, faulty), every_s, say)
            async with asyncio.timeout(seconds + ENDING_S), asyncio.TaskGroup() as group:
                group.create_task(watch.look())
                group.create_task(watch.reload(files))
                for visit, count in CALLERS.items():
                    for _ in range(count):
                        own = random.Random(dice.random())
                        group.create_task(come_again(_with(soak, own), visit))
            after = await _let_go(gateway, before, (good, faulty))
            await watch.tell(seconds, after)
            return Found(
                seconds, before, tasks_before, after, tasks(gateway), soak.done, soak.faults, watch.samples, watch.circled,
                watch.reloads,
            )  # fmt: skip


def _with(soak: Soak, dice: random.Random) -> Soak:
    """The same soak for a caller with dice of its own: what others do meanwhile does not change what it does."""
    return Soak(
        soak.gateway, soak.operators_key, soak.limited_key, soak.until_s, dice, soak.done, soak.faults, soak.number
    )


async def _let_go(gateway: RunningGateway, before: Sample, engines: tuple[FakeEngine, ...]) -> Sample:
    """When all have left: what the gateway holds once it holds no more than before, or will not let go."""
    await eventually(lambda: not any(engine.open for engine in engines))
    for engine in engines:
        engine.drop_connections()
    after = before

    async def let_go() -> bool:
        nonlocal after
        after = await Sample.of(gateway)
        return after.streams == after.upstream == 0 and after.fds <= before.fds + SPARE_FDS

    try:
        await eventually(let_go, every_s=0.2)
    except AssertionError:
        return after  # the verdict names it
    return after


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, help="a file for the figures, as JSON")
    asked = parser.parse_args()
    found = asyncio.run(soaked(asked.minutes * 60, min(60.0, asked.minutes * 15), asked.seed, _say))
    if asked.out:
        rows = [[round(since_s, 1), *vars(each).values()] for since_s, each in found.samples]
        figures = {"columns": ["s", *vars(found.after)], "samples": rows, "verdict": found.text().split("\n")}
        asked.out.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    _say(found.text())
    sys.exit(bool(found.complaints()))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
