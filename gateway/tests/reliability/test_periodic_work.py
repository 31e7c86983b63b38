"""RELIABILITY: nothing that is done now and then holds the event loop, and with it every stream, for more than half a millisecond:
with 10,000 streams, 256 replicas and 200 deployments. Counted in processor time, in terms of what the same core takes for other
work just then (`tests.support.held`).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hayate.backends.openai_compat import OpenAICompatible
from hayate.fleet.canary import Canaries
from hayate.fleet.ceilings import Ceilings
from hayate.fleet.fleet import Fleet
from hayate.fleet.health_checks import Prober
from hayate.fleet.replica import Replica
from hayate.fleet.spec import DeploymentSpec
from hayate.relay.pump import Pump
from hayate.relay.ticker import Ticker
from hayate.relay.watch import Watch
from hayate.serve.figures import Watching
from hayate.serve.sweeper import Sweeper
from hayate.settings import Probing, Timeouts
from hayate.telemetry.calls import EndedCalls
from hayate.telemetry.exposition import in_slices
from hayate.telemetry.figures import LOOKS
from hayate.telemetry.metrics import Metrics
from hayate.upstream.exchange import Exchange
from hayate.wire.usage import Usage
from tests.support.held import clearing_away, held_s
from tests.support.waiting import eventually
from tests.unit.telemetry.records import record

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
]  # it looks at the processor's clock, which neighbours make tick faster

STREAMS, REPLICAS, DEPLOYMENTS = 10_000, 256, 200
LIMIT_S = 0.0005
INTERVAL_S = 5.0
BUSY = 1_000_000
"""Calls at a replica: more than it is given."""
NOWHERE = "http://127.0.0.1:1"


class Stream:
    """As much to look at as a stream has."""

    def __init__(self) -> None:
        self.passed, self.seen, self.last = 0, 0, 0.0
        self.looks = 0

    def tick(self, now: float) -> None:
        self.looks += 1
        for _ in range(2):  # the engine's side, and the client's
            progress = self.passed + self.looks
            if progress != self.seen:
                self.seen, self.last = progress, now
            elif now - self.last > 1e9:
                raise AssertionError


class Call:
    """About as many objects as a call has."""

    def __init__(self) -> None:
        self.has = [{"a": [each], "b": (each, [each])} for each in range(25)]


def replicas(watched: Fleet) -> list[Replica]:
    return [replica for each in watched.deployments.values() for replica in each.replicas]


async def rows(metrics: Metrics) -> int:
    return sum([part.count(b"\n") async for part in in_slices(metrics.pieces())])


def fleet(deployments: int, replicas: int) -> Fleet:
    urls = [f"{NOWHERE}/{number}" for number in range(replicas)]
    specs = [
        DeploymentSpec(f"model-{number}", OpenAICompatible(), "m", tuple(urls[number::deployments]), canary=True)
        for number in range(deployments)
    ]
    return Fleet(specs, {}, Probing(probe_interval_s=INTERVAL_S))


@asynccontextmanager
async def closing(watched: Fleet, *tasks: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        clearing_away()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        watched.close()


def test_looks_at_streams() -> None:
    async def work() -> None:
        ticker, streams = Ticker(0.5), [Stream() for _ in range(STREAMS)]
        for each in streams:
            ticker.add(each)
        await eventually(lambda: all(each.looks for each in streams), every_s=0.1)
        clearing_away()
        ticker.close()

    assert held_s(work, LIMIT_S) < (LIMIT_S, "")


@pytest.mark.parametrize("deployments", [1, DEPLOYMENTS])
def test_probes(deployments: int) -> None:
    async def work() -> None:
        watched = fleet(deployments, REPLICAS)
        prober = Prober(watched, on_change=lambda _, __: None)
        async with closing(watched, asyncio.create_task(prober.run())):
            await eventually(lambda: all(each.last_error is not None for each in replicas(watched)), every_s=0.05)
            await asyncio.sleep(2 * INTERVAL_S)  # until all have been asked again, each at a time of its own

    assert held_s(work, LIMIT_S) < (LIMIT_S, "")


def test_looks_at_engines() -> None:
    async def work() -> None:
        watched = fleet(DEPLOYMENTS, REPLICAS)
        canaries = Canaries(watched, on_change=lambda _, __: None)
        ceilings = Ceilings(watched, on_unseen=lambda _: None, look_s=0.2)
        for each in replicas(watched):
            each.health.probe_succeeded(monotonic(), beside=False)
            each.in_flight = BUSY
        async with closing(watched, asyncio.create_task(canaries.run()), asyncio.create_task(ceilings.run())):
            await asyncio.sleep(1.0)

    assert held_s(work, LIMIT_S) < (LIMIT_S, "")


def test_metrics() -> None:
    async def work() -> None:
        watched = fleet(DEPLOYMENTS, REPLICAS)
        metrics = Metrics(watched)
        for number, name in enumerate(watched.deployments):
            usage = Usage(5, 7, exact=True)
            facts = {"deployment": name, "usage": usage, "ttft_s": 0.5, "attempts": 2, "queued_s": 0.1}
            for status in (200, 400, 499, 503):
                ended = [record(key=f"key-{number}", status=status, **facts)]
                metrics.calls.calls_ended(ended)
                metrics.keys.calls_ended(ended)
        async with closing(watched):
            assert await asyncio.create_task(rows(metrics)) > 10_000

    assert held_s(work, LIMIT_S) < (LIMIT_S, "")


def test_looks_at_figures_a_minute_of_them() -> None:
    async def work() -> None:
        watched = fleet(DEPLOYMENTS, REPLICAS)
        metrics, ticker = Metrics(watched), Ticker(3600.0)
        for number in range(STREAMS):
            ticker.add(stream_of(replicas(watched)[number % REPLICAS]))
        kept: list[int] = []
        watching = Watching(watched, metrics, EndedCalls([]), ticker, lambda _, rows: kept.append(len(rows)), 0.1)
        async with closing(watched, asyncio.create_task(watching.run())):
            for _ in range(2 * LOOKS):
                for each in replicas(watched):
                    name, usage = each.label.rpartition("/")[0], Usage(5, 7, exact=True)
                    metrics.calls.calls_ended([record(deployment=name, replica=each.label, usage=usage, ttft_s=0.5)])
                await asyncio.sleep(0.1)
            await eventually(lambda: kept == [DEPLOYMENTS], every_s=0.1)
        assert len(metrics.figures.samples) >= LOOKS
        ticker.close()

    assert held_s(work, LIMIT_S) < (LIMIT_S, "")


def stream_of(replica: Replica) -> Pump:
    """A stream that has made something."""
    timeouts, place = Timeouts(), None
    ticker = cast("Ticker", SimpleNamespace(loop=SimpleNamespace(create_future=lambda: None)))
    decoder = SimpleNamespace(usage=Usage(5, 7, exact=False))
    watch = Watch(ticker, timeouts, 120.0, 0.0, replica.progress, place)
    return Pump(cast("Exchange", SimpleNamespace(passed=3)), cast("Any", decoder), cast("Any", None), watch)


def test_the_collectors_steps() -> None:
    """Ten times a second, with a hundred calls a second that begin and end, beside all that are there."""

    async def work() -> None:
        there = [Call() for _ in range(STREAMS)]
        sweeper = Sweeper(lambda: len(there))
        sweeper.start()
        looks = asyncio.create_task(sweeper.run())
        try:
            for _ in range(10):
                there = [*there[10:], *(Call() for _ in range(10))]
                await asyncio.sleep(0.1)
        finally:
            clearing_away()
            looks.cancel()
            gc.unfreeze()
        assert sweeper.runs["step"].count >= 5

    assert held_s(work, LIMIT_S) < (LIMIT_S, "")
