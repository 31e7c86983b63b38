"""What is asked of every replica, how often, and what its answers mean."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.openai_compat import OpenAICompatible
from hayate.errors import UnknownModel
from hayate.fleet.fleet import Fleet
from hayate.fleet.health_checks import ANOTHER_REASON_S, MISS_S, STOOD_STILL_S, Prober
from hayate.fleet.replica import Replica
from hayate.fleet.spec import NO_PROBE
from hayate.policy.health import CLOSE_S, KNOWN, PROBES_TO_FAIL
from hayate.reasons import Reason
from hayate.settings import Probing
from hayate.upstream_errors import ConnectFailed, ConnectTimedOut, UpstreamBroke
from hayate.wire.upstream_request import UpstreamRequest
from tests.support.engine_script import answer, error, reset, silence
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.waiting import LAST_RESORT_S, NEVER_S, eventually
from tests.unit.fleet.made import QUICK, spec

pytestmark = pytest.mark.anyio


class Watched:
    """A fleet on one engine, watched; what was told of changes."""

    def __init__(self, engine: FakeEngine, backend: Any, probing: Probing, **more: Any) -> None:
        self.fleet = Fleet([spec("a", engine.url, backend=backend, **more)], {}, probing)
        self.deployment = self.fleet.deployments["a"]
        self.replica = self.deployment.replicas[0]
        self.changes: list[bool] = []
        self.prober = Prober(self.fleet, on_change=self._tell)

    def _tell(self, replica: Replica, is_ready: bool) -> None:
        self.changes.append(is_ready)

    async def until(self, condition: Callable[[], object]) -> None:
        await eventually(condition)


@asynccontextmanager
async def watching(
    engine: FakeEngine, backend: Any = None, probing: Probing = QUICK, **more: Any
) -> AsyncIterator[Watched]:
    watched = Watched(engine, backend or LlamaCppClient(), probing, **more)
    task = asyncio.create_task(watched.prober.run())
    try:
        yield watched
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        watched.fleet.close()


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with running_engine() as running:
        yield running


def asked(engine: FakeEngine, path: str) -> int:
    """How often."""
    return sum(request.path == path for request in (*engine.probes, *engine.requests))


def has_asked(engine: FakeEngine, times: int) -> bool:
    return asked(engine, "/health") == times


async def test_an_engine_is_ready_when_it_answers_and_its_model_is_learned(engine: FakeEngine) -> None:
    async with watching(engine) as watched:
        assert not watched.fleet.ready(0.0)
        await watched.until(lambda: watched.changes == [True])
        assert watched.deployment.served_model == "scripted"
        assert watched.deployment.context_tokens == 4096


async def test_an_engine_that_stops_answering_is_told_of_and_so_is_its_return(engine: FakeEngine) -> None:
    async with watching(engine) as watched:
        await watched.until(lambda: watched.changes == [True])
        engine.routes["/health"] = error(503)
        await watched.until(lambda: watched.changes == [True, False])
        assert not watched.replica.available(0.0)
        assert watched.replica.last_error is not None
        assert watched.replica.last_error.text.startswith("probe: status 503 at /health")
        assert watched.replica.trouble(0.0) is Reason.REFUSED  # it was there before
        engine.routes["/health"] = answer({"status": "ok"})
        await watched.until(lambda: watched.changes == [True, False, True])
        assert watched.replica.available(0.0)


@pytest.mark.parametrize("status", [404, 405, 501, 429, 529])
async def test_an_engine_that_has_no_such_path_or_is_asked_too_often_lives(engine: FakeEngine, status: int) -> None:
    engine.routes["/health"] = engine.routes["/v1/models"] = engine.routes["/props"] = error(status)
    async with watching(engine, model="m") as watched:
        await watched.until(lambda: watched.changes == [True])
        assert watched.deployment.served_model == "m"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (500, Reason.REFUSED),
        (502, Reason.REFUSED),
        (503, Reason.LOADING),
        (401, Reason.WRONG_KEY),
        (302, Reason.NO_ENGINE),
    ],
)
async def test_an_engine_that_says_it_can_not_is_not_ready_and_that_is_told_once(
    engine: FakeEngine, status: int, reason: Reason
) -> None:
    engine.routes["/health"] = error(status)
    async with watching(engine) as watched:
        await watched.until(lambda: watched.replica.health.probe_failures >= 3)
        assert watched.changes == [False]
        assert watched.replica.trouble(0.0) is reason


async def test_another_reason_is_told_but_not_at_every_probe(engine: FakeEngine) -> None:
    engine.routes["/health"] = error(500)
    async with watching(engine) as watched:
        await watched.until(lambda: watched.changes == [False])
        engine.routes["/health"] = error(401)
        await watched.until(lambda: watched.replica.trouble(0.0) is Reason.WRONG_KEY)
        assert watched.changes == [False]
        watched.replica.told_at -= ANOTHER_REASON_S
        await watched.until(lambda: watched.changes == [False, False])


async def test_the_path_that_is_probed_is_a_setting(engine: FakeEngine) -> None:
    engine.routes["/alive?deep=1"] = engine.routes["/alive"] = answer({})
    async with watching(engine, probe="/alive?deep=1") as watched:
        await watched.until(lambda: watched.changes == [True])
        await watched.until(lambda: asked(engine, "/alive?deep=1") > 3)
        assert asked(engine, "/health") == 0


async def test_without_a_probe_only_calls_tell(engine: FakeEngine) -> None:
    async with watching(engine, probe=NO_PROBE) as watched:
        await watched.until(lambda: watched.deployment.served_model == "scripted")
        assert watched.fleet.ready(0.0)
        seen = len(engine.probes)
        for _ in range(20):
            watched.deployment.record_failure(watched.replica, UpstreamBroke("500"), 0.0)
            await asyncio.sleep(0.01)
        assert watched.fleet.ready(0.0)
        assert len(engine.probes) == seen == 2  # what it serves, once


async def test_without_a_probe_an_engine_that_comes_late_is_asked_what_it_serves(engine: FakeEngine) -> None:
    await engine.refuse()
    async with watching(engine, probe=NO_PROBE) as watched:
        await asyncio.sleep(0.1)
        await engine.listen()
        await watched.until(lambda: watched.deployment.served_model == "scripted")


async def test_without_a_probe_an_engine_that_comes_between_two_questions_is_asked_again(engine: FakeEngine) -> None:
    models, engine.routes["/v1/models"] = engine.routes["/v1/models"], [reset]
    async with watching(engine, probe=NO_PROBE) as watched:
        await eventually(lambda: asked(engine, "/props"))
        engine.routes["/v1/models"] = models
        await watched.until(lambda: watched.deployment.served_model == "scripted")


async def test_a_call_that_fails_has_the_engine_probed_at_once(engine: FakeEngine) -> None:
    async with watching(engine, probing=Probing(probe_interval_s=600, probe_timeout_s=30)) as watched:
        await watched.until(lambda: watched.changes == [True])
        for number in (2, 3):
            watched.deployment.record_failure(watched.replica, UpstreamBroke("500"), 0.0)
            await eventually(partial(has_asked, engine, number))


async def test_however_many_calls_fail_it_is_probed_four_times_a_second_at_most(engine: FakeEngine) -> None:
    async with watching(engine, probing=Probing(probe_interval_s=600, probe_timeout_s=30)) as watched:
        await watched.until(lambda: watched.changes == [True])
        loop = asyncio.get_running_loop()
        began = loop.time()
        while asked(engine, "/health") < 4:
            watched.deployment.record_failure(watched.replica, UpstreamBroke("500"), 0.0)
            await asyncio.sleep(0.001)
        assert loop.time() - began > 2 * CLOSE_S


async def test_an_engine_killed_under_many_calls_is_back_with_its_first_answer(engine: FakeEngine) -> None:
    async with watching(engine, probing=Probing(probe_interval_s=600, probe_timeout_s=30)) as watched:
        await watched.until(lambda: watched.changes == [True])
        await engine.refuse()
        for _ in range(150):
            watched.deployment.record_failure(watched.replica, UpstreamBroke("cut"), 0.0)
        await watched.until(lambda: watched.changes == [True, False])
        await engine.listen()
        await watched.until(lambda: watched.changes == [True, False, True])
        assert watched.replica.available(0.0)


# Busy, not dead.


@asynccontextmanager
async def call_under_way(watched: Watched, engine: FakeEngine) -> AsyncIterator[None]:
    """One call at the replica that gets nothing."""
    engine.script = [silence]
    request = UpstreamRequest("/v1/chat/completions", b"{}")
    watched.replica.enter(asyncio.get_running_loop().time())
    task = asyncio.create_task(watched.replica.pool.send(request, first_byte_s=NEVER_S))
    await watched.until(lambda: engine.open == 1)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        watched.replica.leave()


async def test_an_engine_that_works_on_one_call_at_a_time_stays_ready(engine: FakeEngine) -> None:
    async with watching(engine, probing=Probing(probe_interval_s=0.05, probe_timeout_s=0.25)) as watched:
        await watched.until(lambda: watched.changes == [True])
        engine.routes["/health"] = [silence]
        async with call_under_way(watched, engine):
            seen = asked(engine, "/health")
            await watched.until(lambda: asked(engine, "/health") > seen + 5)
            assert watched.changes == [True]
            assert watched.replica.available(0.0)
        watched.replica.succeeded(1.0, 0.0)
        assert watched.replica.health.serial


async def test_an_engine_that_always_answered_beside_calls_and_stops_is_found(engine: FakeEngine) -> None:
    probing = Probing(probe_interval_s=0.05, probe_timeout_s=0.25)
    async with watching(engine, probing=probing) as watched, call_under_way(watched, engine):
        await watched.until(lambda: watched.replica.health.beside == KNOWN)
        engine.routes["/health"] = [silence]
        await watched.until(lambda: watched.changes[-1:] == [False])


async def test_bytes_that_flow_excuse_it(engine: FakeEngine) -> None:
    probing = Probing(probe_interval_s=0.05, probe_timeout_s=0.25)
    async with watching(engine, probing=probing) as watched, call_under_way(watched, engine):
        await watched.until(lambda: watched.replica.health.beside == KNOWN)
        engine.routes["/health"] = [silence]
        seen = asked(engine, "/health")
        loop = asyncio.get_running_loop()
        while asked(engine, "/health") < seen + 6:
            watched.replica.progress.moved(loop.time())
            await asyncio.sleep(0.01)
        assert watched.changes == [True]


async def test_connections_that_a_busy_engine_does_not_take_are_no_failures(engine: FakeEngine) -> None:
    """Its queue of connections is full; without a call that it works on, nobody is there."""
    late, refused = ConnectTimedOut("nobody took it"), ConnectFailed("refused")
    async with watching(engine) as watched:
        await watched.until(lambda: watched.changes == [True])
        deployment, replica = watched.deployment, watched.replica
        async with call_under_way(watched, engine):
            assert not any(deployment.record_failure(replica, late, 0.0) for _ in range(20))
        await watched.until(lambda: not replica.pool.busy_connections)  # nor a probe
        assert any(deployment.record_failure(replica, late, 0.0) for _ in range(20))
        replica.health.succeeded(1.0)
        async with call_under_way(watched, engine):
            assert any(deployment.record_failure(replica, refused, 2.0) for _ in range(20))


# What engines serve.


async def test_an_engine_that_is_restarted_with_another_model_is_asked_again(engine: FakeEngine) -> None:
    async with watching(engine) as watched:
        await watched.until(lambda: watched.deployment.served_model == "scripted")
        await engine.refuse()
        await watched.until(lambda: watched.changes[-1:] == [False])
        engine.routes["/v1/models"] = answer({"data": [{"id": "another"}]})
        await engine.listen()
        await watched.until(lambda: watched.deployment.served_model == "another")


async def test_a_model_loaded_or_swapped_meanwhile_is_learned_with_the_probes(engine: FakeEngine) -> None:
    async with watching(engine, OpenAICompatible()) as watched:
        await watched.until(lambda: watched.changes == [True])
        engine.routes["/v1/models"] = answer({"data": [{"id": "scripted"}, {"id": "my-lora"}]})
        await watched.until(lambda: watched.deployment.models == {"scripted", "my-lora"})
        assert watched.deployment.served_model == "scripted"
        engine.routes["/v1/models"] = answer({"data": [{"id": "other"}]})
        await watched.until(lambda: watched.deployment.served_model == "other")
        assert watched.fleet.route("other") == [watched.deployment]
        assert watched.changes == [True]


async def test_a_list_that_is_not_answered_for_once_changes_nothing(engine: FakeEngine) -> None:
    async with watching(engine) as watched:
        await watched.until(lambda: watched.changes == [True])
        engine.routes["/v1/models"] = error(500)
        seen = asked(engine, "/v1/models")
        await watched.until(lambda: asked(engine, "/v1/models") > seen + 3)
        assert watched.deployment.served_model == "scripted"


async def test_a_thousand_misses_are_one_question(engine: FakeEngine) -> None:
    async with watching(engine, OpenAICompatible(), Probing(probe_interval_s=600, probe_timeout_s=30)) as watched:
        await watched.until(lambda: watched.changes == [True])
        engine.routes["/v1/models"] = answer({"data": [{"id": "scripted"}, {"id": "my-lora"}]})
        seen = asked(engine, "/v1/models")
        with pytest.raises(UnknownModel):
            watched.fleet.route("my-lora")
        await asyncio.gather(*(watched.prober.refresh() for _ in range(1000)))
        assert watched.fleet.route("my-lora") == [watched.deployment]
        assert asked(engine, "/v1/models") == seen + 1
        for _ in range(1000):
            await watched.prober.refresh()
        assert asked(engine, "/v1/models") <= seen + 2
        await asyncio.sleep(MISS_S + 0.1)
        await watched.prober.refresh()
        assert asked(engine, "/v1/models") > seen + 1


async def test_a_miss_waits_no_longer_than_a_probe_may_take(engine: FakeEngine) -> None:
    async with watching(engine, probing=Probing(probe_interval_s=600, probe_timeout_s=0.2)) as watched:
        await watched.until(lambda: watched.changes == [True])
        engine.routes["/v1/models"] = engine.routes["/props"] = [silence]
        async with asyncio.timeout(LAST_RESORT_S):
            await watched.prober.refresh()


# The watch itself.


async def test_what_was_late_because_this_process_stood_still_is_not_held_against_the_engine(
    engine: FakeEngine,
) -> None:
    async with watching(engine) as watched:
        await watched.until(lambda: watched.changes == [True])
        engine.routes["/health"] = [silence]
        for _ in range(PROBES_TO_FAIL + 1):
            seen = asked(engine, "/health")
            await watched.until(lambda seen=seen: asked(engine, "/health") > seen)  # type: ignore[misc]
            time.sleep(QUICK.probe_timeout_s + STOOD_STILL_S)
        seen = asked(engine, "/health")
        await watched.until(lambda: asked(engine, "/health") > seen)
        assert watched.changes == [True]
        assert watched.replica.health.probe_failures == 0


async def test_an_engine_that_hangs_does_not_hold_up_the_watch_over_the_others(engine: FakeEngine) -> None:
    async with running_engine() as hanging:
        hanging.routes["/health"] = [silence]
        probing = Probing(probe_interval_s=0.05, probe_timeout_s=LAST_RESORT_S)
        fleet = Fleet([spec("a", hanging.url, engine.url, backend=LlamaCppClient())], {}, probing)
        task = asyncio.create_task(Prober(fleet, on_change=lambda *_: None).run())
        _, fine = fleet.deployments["a"].replicas
        await eventually(lambda: asked(engine, "/health") > 5)
        assert fine.available(0.0)
        assert asked(hanging, "/health") == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        fleet.close()


async def test_replicas_that_come_and_go_with_a_reload_are_watched_and_no_longer(engine: FakeEngine) -> None:
    async with watching(engine) as watched, running_engine() as other:
        await watched.until(lambda: watched.changes == [True])
        watched.fleet.apply([spec("a", other.url, backend=LlamaCppClient())], {})
        await watched.until(lambda: asked(other, "/health") > 2)
        seen = asked(engine, "/health")
        before = asked(other, "/health")
        await watched.until(lambda: asked(other, "/health") > before + 3)
        assert asked(engine, "/health") <= seen + 1


async def test_probes_leave_no_connections_behind(engine: FakeEngine) -> None:
    async with watching(engine) as watched:
        await watched.until(lambda: len(engine.probes) > 20)
        assert watched.replica.pool.open_connections < 30
    await eventually(lambda: engine.connections == 0)
