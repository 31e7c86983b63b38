"""What is done to one contender, and the figures it yields. Nothing here knows which contender it is."""

from __future__ import annotations

import asyncio
import gc
import math
import time
from collections import Counter
from dataclasses import dataclass, field

from bench.dialogue import TOKENS, Asked
from bench.load import Load, Target, Window, watch
from bench.processes import tree_cpu_s, tree_rss_bytes

PACED_STREAMS, PACED_RATE = 64, 100.0
CONNECTIONS = 16
CROWD_RATE = 3.2
"""Tokens per second of each of the 2,000 streams: together 6,400 a second, what 64 streams of 100 make."""
SETTLE_S = 0.4


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how much."""

    rounds: int = 3
    times: int = 4
    """How often in a round what is told in microseconds of CPU is measured (`REPEATED`): its figures spread furthest."""
    warm_s: float = 0.5
    paced_s: float = 2.0
    burst_s: float = 1.5
    latency_s: float = 1.5
    held: int = 1000
    crowd: int = 2000
    crowd_s: float = 4.0


REPEATED = ("paced", "burst", "plain")
QUICK = Plan(rounds=2, times=1, warm_s=0.3, paced_s=2.0, burst_s=1.2, latency_s=1.0, held=500, crowd=0)


@dataclass(frozen=True, slots=True)
class Bench:
    """One contender standing in front of the stub, ready to be asked."""

    target: Target
    root_pid: int | None
    """The process tree that is measured; None on the direct line."""
    stub_pid: int
    heavy: bool = False

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far of each side."""
        gateway = tree_cpu_s(self.root_pid) if self.root_pid else 0.0
        return {"gateway": gateway, "stub": tree_cpu_s(self.stub_pid), "client": time.process_time()}

    def rss_bytes(self, *, roughly: bool = False) -> int:
        """Resident memory of the contender."""
        return tree_rss_bytes(self.root_pid, roughly=roughly) if self.root_pid else 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one scenario yields."""

    values: dict[str, float]
    errors: Counter[str] = field(default_factory=Counter)
    round: int = 0


def percentile(values: list[int], share: float) -> float:
    """The value that `share` of all values do not exceed."""
    return float(sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]) if values else math.nan


def _figures(bench: Bench, load: Load, window: Window, count: int) -> Figures:
    values = {f"{who}_share": spent / window.wall_s for who, spent in window.cpu_s.items()}
    values |= {f"{who}_us": spent * 1e6 / count if count else math.nan for who, spent in window.cpu_s.items()}
    if bench.root_pid is None:
        values["gateway_us"] = math.nan
    values["per_s"] = count / window.wall_s
    values["identical"] = load.tally.identical / load.tally.answers if load.tally.answers else math.nan
    values["answers"] = load.tally.answers
    return Figures(values, load.tally.errors)


async def paced(bench: Bench, plan: Plan) -> Figures:
    """64 open streams, 100 tokens a second each: the cost of one token that comes alone."""
    load = Load(bench.target, Asked(stream=True, rate=PACED_RATE), PACED_STREAMS)
    await load.open(ramp_s=TOKENS / PACED_RATE, random_first=True)
    await asyncio.sleep(plan.warm_s)
    window = await watch(load, plan.paced_s, bench.cpu_s)
    await load.drain(30)
    return _figures(bench, load, window, window.events)


async def burst(bench: Bench, plan: Plan) -> Figures:
    """16 connections, tokens as fast as they go: the cost of one token among many."""
    load = Load(bench.target, Asked(stream=True), CONNECTIONS)
    await load.open()
    await asyncio.sleep(plan.warm_s)
    window = await watch(load, plan.burst_s, bench.cpu_s)
    await load.drain(30)
    return _figures(bench, load, window, window.events)


async def plain(bench: Bench, plan: Plan) -> Figures:
    """16 connections, answers that are not streamed: the cost of one request."""
    load = Load(bench.target, Asked(stream=False), CONNECTIONS)
    await load.open()
    await asyncio.sleep(plan.warm_s)
    window = await watch(load, plan.burst_s, bench.cpu_s)
    await load.drain(30)
    return _figures(bench, load, window, window.answers)


async def latency(bench: Bench, plan: Plan) -> Figures:
    """One connection, one plain request at a time: from the request's last byte out to the answer's last byte in."""
    load = Load(bench.target, Asked(stream=False), 1)
    await load.open()
    await asyncio.sleep(plan.warm_s)
    window = await watch(load, plan.latency_s, bench.cpu_s)
    await load.drain(30)
    figures = _figures(bench, load, window, window.answers)
    figures.values["p50_us"] = percentile(window.latencies_ns, 0.50) / 1000
    figures.values["p99_us"] = percentile(window.latencies_ns, 0.99) / 1000
    return figures


async def held(bench: Bench, plan: Plan) -> Figures:
    """What one open stream holds: resident memory with 1,000 of them, less that of the idle, warmed process."""
    streams = plan.held // 10 if bench.heavy else plan.held
    warm = Load(bench.target, Asked(stream=True), CONNECTIONS)
    await warm.open()
    await asyncio.sleep(plan.warm_s)
    await warm.drain(30)
    await asyncio.sleep(SETTLE_S)
    idle = bench.rss_bytes()
    load = Load(bench.target, Asked(stream=True, rate=CROWD_RATE), streams)
    await load.open(ramp_s=streams / 1000)
    deadline = time.perf_counter() + 10
    while load.open_streams < streams and time.perf_counter() < deadline:
        await asyncio.sleep(0.05)
    await asyncio.sleep(2 / CROWD_RATE)
    open_streams, rss = load.open_streams, bench.rss_bytes()
    if open_streams < streams:
        load.tally.errors["streams that never opened"] += streams - open_streams
    await load.hang_up()
    await asyncio.sleep(SETTLE_S)
    kb = (rss - idle) / 1024 / open_streams if bench.root_pid and open_streams else math.nan
    return Figures({"kb_per_stream": kb, "open": open_streams, "idle_mb": idle / 1e6}, load.tally.errors)


async def crowd(bench: Bench, plan: Plan) -> Figures:
    """2,000 open streams that together send as many tokens as the 64 do: does one of them cost more among many?"""
    load = Load(bench.target, Asked(stream=True, rate=CROWD_RATE), plan.crowd)
    await load.open(ramp_s=plan.crowd / 700, random_first=True)
    await asyncio.sleep(1 + plan.warm_s)
    window = await watch(load, plan.crowd_s, bench.cpu_s)
    figures = _figures(bench, load, window, window.events)
    figures.values["open"] = window.open_streams
    figures.values["rss_mb"] = bench.rss_bytes() / 1e6 if bench.root_pid else math.nan
    await load.hang_up()
    await asyncio.sleep(SETTLE_S)
    return figures


async def measure(name: str, bench: Bench, plan: Plan) -> Figures:
    """One scenario by name, with the client's garbage collector out of the way."""
    run = {"held": held, "paced": paced, "burst": burst, "plain": plain, "latency": latency, "crowd": crowd}[name]
    gc.collect()
    gc.disable()
    try:
        return await run(bench, plan)
    finally:
        gc.enable()
