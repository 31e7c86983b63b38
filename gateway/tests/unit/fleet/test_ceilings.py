"""An engine is asked how busy it is while it matters, and its gate is as wide as what was found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import pytest

from hayate.backends.openai_compat import OpenAICompatible
from hayate.backends.vllm_client import VLLMClient
from hayate.fleet.ceilings import MAX_ANSWER_BYTES, Ceilings
from hayate.fleet.deployment import Deployment
from hayate.fleet.fleet import Fleet
from hayate.fleet.replica import Replica
from hayate.policy.ceiling import START, UNSEEN
from tests.support.engine_script import answer, error
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.waiting import eventually
from tests.unit.fleet.made import QUICK, spec

pytestmark = pytest.mark.anyio


class Looked:
    """A fleet on one engine, looked at; for whom it was told that they are not seen."""

    def __init__(self, engine: FakeEngine, **more: Any) -> None:
        self.fleet = Fleet([spec("a", **{"backend": VLLMClient(), "replicas": (engine.url,), **more})], {}, QUICK)
        self.deployment: Deployment = self.fleet.deployments["a"]
        self.replica = self.deployment.replicas[0]
        self.unseen: list[Replica] = []
        self.ceilings = Ceilings(self.fleet, on_unseen=self.unseen.append, look_s=0.02)
        self.engine = engine

    def says(self, running: int, waiting: int, kv_use: float = 0.1) -> None:
        """What the engine tells from now on."""
        text = (
            f'vllm:num_requests_running{{engine="0"}} {running}\n'
            f'vllm:num_requests_waiting{{engine="0"}} {waiting}\n'
            f'vllm:kv_cache_usage_perc{{engine="0"}} {kv_use}\n'
        )
        self.engine.routes["/metrics"] = answer(text.encode())

    def asked(self) -> int:
        return sum(each.path == "/metrics" for each in self.engine.probes)


@asynccontextmanager
async def looking(**more: Any) -> AsyncIterator[Looked]:
    async with running_engine() as engine:
        looked = Looked(engine, **more)
        task = asyncio.create_task(looked.ceilings.run())
        try:
            yield looked
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            looked.fleet.close()


async def test_an_idle_engine_is_not_asked() -> None:
    async with looking() as looked:
        await asyncio.sleep(0.1)
        looked.replica.in_flight = START // 2
        await asyncio.sleep(0.1)
        assert looked.asked() == 0
        looked.replica.in_flight = START
        await eventually(lambda: looked.asked() > 1)


async def test_the_gate_follows_what_is_found() -> None:
    async with looking() as looked:
        gate, replica = looked.deployment.gate, looked.replica
        looked.says(START - 2, 9)
        replica.in_flight = START
        await eventually(lambda: replica.ceiling.why == "engine_queue")
        assert (replica.ceiling.places, gate.capacity) == (START - 3, START - 3)
        assert gate.spare == replica.ceiling.spare


@pytest.mark.parametrize(
    "said",
    [error(501), answer(b"# nothing"), answer(b"vllm:num_requests_waiting 1\n" + b"#" * MAX_ANSWER_BYTES)],
    ids=["refuses", "says nothing of it", "says too much"],
)
async def test_one_that_tells_nothing_gets_a_number_and_that_is_told_once(said: Any) -> None:
    async with looking() as looked:
        looked.engine.routes["/metrics"] = said
        looked.replica.in_flight = START
        await eventually(lambda: looked.replica.ceiling.why == "no_signals")
        looked.replica.in_flight = UNSEEN
        asked = looked.asked()
        await eventually(lambda: looked.asked() > asked + 3)
        assert looked.unseen == [looked.replica]
        assert looked.replica.ceiling.places == UNSEEN


async def test_an_engine_without_signals_is_not_asked() -> None:
    async with looking(backend=OpenAICompatible()) as looked:
        looked.replica.in_flight = START
        await eventually(lambda: looked.replica.ceiling.why == "no_signals")
        assert looked.asked() == 0


async def test_what_is_set_is_not_looked_for() -> None:
    async with looking(max_in_flight=3) as looked:
        looked.replica.in_flight = 3
        await asyncio.sleep(0.1)
        assert (looked.asked(), looked.deployment.gate.capacity) == (0, 3)


async def test_answers_that_come_too_slowly_lower_it() -> None:
    async with looking(min_tokens_per_s=10) as looked:
        looked.says(START, 0)
        looked.replica.in_flight = START
        looked.replica.progress.paced(2, 1.0)
        looked.replica.progress.paced(0, 1.0)
        await eventually(lambda: looked.replica.ceiling.why == "too_slow")
        assert looked.replica.ceiling.places == START * 9 // 10


async def test_the_places_of_a_replica_that_is_out_are_none_until_it_is_back() -> None:
    async with looking(max_in_flight=3, replicas=("http://a:1", "http://b:1")) as looked:
        gate, replica = looked.deployment.gate, looked.replica
        assert gate.capacity == 6
        replica.health.made_nothing()
        await eventually(lambda: gate.capacity == 3)
        replica.health.made_something(monotonic())
        await eventually(lambda: gate.capacity == 6)


async def test_an_engine_that_is_not_there_is_not_asked() -> None:
    async with looking() as looked:
        looked.replica.in_flight = START
        looked.replica.health.made_nothing()
        await asyncio.sleep(0.1)
        assert looked.asked() == 0
