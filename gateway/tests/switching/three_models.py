"""Three models of which two fit: real llama.cpp servers that a real gateway runs, loads and unloads, and 20 callers who each ask
for any of the three, on their own clock, whether or not they have been answered. What comes out is measured by the fewest loads
there could have been.

    PYTHONPATH=src python -m tests.switching.three_models --seconds 180
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from tests.engines.launch import HERE, widened_gguf
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import fetch, fetch_frames
from tests.support.scene import CHAT_PATH
from tests.support.waiting import NEVER_S, eventually
from tests.switching.schedules import Unmet, fewest_loads, loads_on_each_change
from tests.switching.trace import Call

CONTEXTS = {"small": 512, "middle": 1024, "large": 2048}
"""Tokens for each call, of each model."""
PRELOAD = ("small", "middle")
SLOTS = 32
FIT = 2
CALLERS = 20
PAUSE_S = 1.5
"""Of a caller from one call to its next, in the mean."""
TOKENS = 120
"""Of an answer, in the mean."""
READ_S = 2.0
"""What reading weights takes, which are tiny here: long enough that none of the models has nothing to do for as long."""
LOOK_S = 0.05
SLOW_START = Path(__file__).parent / "slow_start.py"
GIB = 1 << 30


@dataclass(frozen=True)
class Swap:
    """One model gave way to another: when calls of the one were no longer let in, and when those of the other were."""

    shut: float
    ready: float

    @property
    def took_s(self) -> float:
        """What drain, unload and load took together."""
        return self.ready - self.shut


@dataclass
class Figures:
    """What came out; times in seconds."""

    max_wait_s: float
    asked: int = 0
    broken: list[str] = field(default_factory=list)
    """Calls without a whole answer, and why."""
    calls: list[Call] = field(default_factory=list)
    loads: list[tuple[float, str]] = field(default_factory=list)
    load_times_s: list[float] = field(default_factory=list)
    swaps: list[Swap] = field(default_factory=list)

    @property
    def swap_s(self) -> float:
        """In the mean."""
        return fmean(swap.took_s for swap in self.swaps)

    @property
    def longest_swap_s(self) -> float:
        return max(swap.took_s for swap in self.swaps)

    @property
    def longest_s(self) -> float:
        """Of all waits."""
        return max(call.wait_s for call in self.calls)

    @property
    def bound_s(self) -> float:
        """Of a wait: for its turn, which on a busy machine may be for another's load, and for its swap."""
        return max(self.max_wait_s, self.longest_swap_s) + self.longest_swap_s

    @property
    def fewest(self) -> int:
        """Loads, where no call waits longer than max_wait_s and for a swap as long as these were in the mean. Raises Unmet."""
        return fewest_loads(
            self.calls,
            FIT,
            max_wait_s=self.max_wait_s + self.swap_s,
            swap_s=self.swap_s,
            load_s=fmean(self.load_times_s),
            grid_s=0.05,
            loaded=PRELOAD,
        )

    @property
    def plain(self) -> tuple[int, float]:
        """Loads, and the longest wait, of the same calls where models change whenever the next call wants it."""
        load_s = fmean(self.load_times_s)
        return loads_on_each_change(self.calls, FIT, swap_s=load_s, load_s=load_s, loaded=PRELOAD)

    def told(self) -> str:
        """One line for whoever reads the output."""
        plain, plain_s = self.plain
        fewest = math.inf
        with suppress(Unmet):
            fewest = self.fewest
        waits = sorted(call.wait_s for call in self.calls)
        found: dict[str, Any] = {
            "asked": self.asked,
            "without_a_whole_answer": len(self.broken),
            "loads": len(self.loads),
            "fewest": fewest,
            "on_each_change": plain,
            "max_wait_s": self.max_wait_s,
            "wait_mean_s": fmean(waits),
            "wait_p50_s": waits[len(waits) // 2],
            "wait_max_s": waits[-1],
            "wait_max_on_each_change_s": plain_s,
            "answer_mean_s": fmean(call.service_s for call in self.calls),
            "load_s": fmean(self.load_times_s),
            "swap_mean_s": self.swap_s,
            "swap_max_s": self.longest_swap_s,
        }
        return json.dumps({name: round(each, 3) for name, each in found.items()})


def config(folder: Path, max_wait_s: float) -> str:
    """The gateway's, as JSON, which is YAML."""
    gguf = widened_gguf(folder)
    server = [sys.executable, str(HERE / "llamacpp_server.py"), str(gguf), "{port}"]
    server = [sys.executable, str(SLOW_START), str(READ_S), *server]
    deployments = {
        name: {
            "backend": "llamacpp",
            "model": name,
            "gpu": "gpu0",
            "memory": "1GiB",
            "max_in_flight": SLOTS,
            "queue_timeout_s": NEVER_S,
            "run": {"command": [*server, str(tokens), str(SLOTS)]},
        }
        for name, tokens in CONTEXTS.items()
    }
    gpu = {"memory": f"{FIT}GiB", "quantum_s": max_wait_s, "max_wait_s": max_wait_s}
    return json.dumps(
        {"gpus": {"gpu0": gpu}, "deployments": deployments, "preload": PRELOAD, "server": {"heartbeat_s": 1}}
    )


class Watch:
    """Looks at the engines, and notes when each was in which state."""

    def __init__(self, gateway: RunningGateway, key: str) -> None:
        self._gateway, self._key = gateway, key
        self.states: dict[str, tuple[str, float]] = {}
        self._shut: list[float] = []
        self.swaps: list[Swap] = []

    async def look(self) -> None:
        """One look: a state is told with how long it has lasted."""
        answer = (await fetch(self._gateway.url, "/admin/engines", key=self._key)).json
        now = time.time()
        for engine in answer["engines"]:
            name, state, since = engine["name"], engine["state"], now - engine["since_s"]
            before = self.states.get(name, ("unloaded", 0.0))[0]
            self.states[name] = state, since
            if before == "ready" and state != "ready":
                self._shut.append(since)
            elif before != "ready" and state == "ready" and self._shut:
                self.swaps.append(Swap(self._shut.pop(0), since))

    async def preloaded(self) -> bool:
        """Whether those are there that callers need not wait for at first."""
        await self.look()
        return all(self.states[name][0] == "ready" for name in PRELOAD)

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)


async def ask(gateway: RunningGateway, model: str, tokens: int, figures: Figures) -> None:
    """One call, whose answer has to be whole."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "むかしむかし"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": tokens,
        "ignore_eos": True,
    }
    figures.asked += 1
    try:
        frames = await fetch_frames(gateway.url, CHAT_PATH, body, key=gateway.key)
    except (AssertionError, OSError, EOFError, TimeoutError) as error:
        figures.broken.append(f"{model}: {error}"[:300])
        return
    said = [frame for frame in frames if frame.data]
    made: dict[str, Any] = next((each.json["usage"] for each in reversed(said[:-1]) if each.json.get("usage")), {})
    if said[-1].data != "[DONE]" or made.get("completion_tokens") != tokens:
        figures.broken.append(f"{model}: {said[-1].data} after {made}"[:300])


async def caller(number: int, gateway: RunningGateway, seconds: float, figures: Figures) -> None:
    """One of the 20: asks for any of them, as the dice fall."""
    random, ends_at = Random(number), time.monotonic() + seconds
    async with asyncio.TaskGroup() as calls:
        while True:
            await asyncio.sleep(random.expovariate(1 / PAUSE_S))
            if time.monotonic() > ends_at:
                return
            model = random.choice(sorted(CONTEXTS))
            calls.create_task(ask(gateway, model, random.randint(TOKENS // 2, TOKENS * 3 // 2), figures))


async def measure(folder: Path, seconds: float, max_wait_s: float) -> Figures:
    """All of it, with a gateway of its own."""
    figures = Figures(max_wait_s)
    async with running_gateway(config=config(folder, max_wait_s)) as gateway:
        operator = (gateway.data / "admin_key").read_text(encoding="ascii").strip()
        watch = Watch(gateway, operator)
        await eventually(watch.preloaded, every_s=0.1)
        zero = time.time()
        watching = asyncio.create_task(watch.run())
        async with asyncio.TaskGroup() as callers:
            for number in range(CALLERS):
                callers.create_task(caller(number, gateway, seconds, figures))
        watching.cancel()
        calls = await gateway.logged(figures.asked)
        events = [json.loads(line) for line in gateway.stderr().splitlines() if line.startswith("{")]
    figures.swaps = watch.swaps
    for call in calls:
        ended = datetime.fromisoformat(call["time"]).timestamp() - zero
        began, waited_s = ended - call["total_ms"] / 1000, call["queued_ms"] / 1000
        started = began + waited_s
        figures.calls.append(Call(call["model"], began, ended - started, started, ended))
    for event in events:
        at = datetime.fromisoformat(event["time"]).timestamp() - zero
        if event["event"] == "engine_loading" and at > 0:
            figures.loads.append((at, event["engine"]))
        elif event["event"] == "engine_loaded":
            figures.load_times_s.append(event["took_s"])
        elif event["event"] == "engine_failed":
            figures.broken.append(str(event))
    return figures


def main() -> None:
    """By hand, for as long as one likes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--max-wait-s", type=float, default=6.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder), asked.seconds, asked.max_wait_s))
    print(figures.told())
    print("\n".join(figures.broken[:20]))


if __name__ == "__main__":
    main()
