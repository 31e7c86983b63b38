"""Deployments, replicas and their places; the tables behind the names; the probes that watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.openai_compat import OpenAICompatible
from hayate.errors import ConnectFailed, Overloaded, UnknownModel, UpstreamBroke, UpstreamRefused
from hayate.pool import Deployment, DeploymentSpec, Fleet, Prober, Probing, Replica, blame
from tests.support.engine_script import answer, error
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

QUICK = Probing(interval_s=0.05, timeout_s=1.0, eject_after=3, eject_s=10.0)


def spec(name: str = "qwen", *urls: str, **more: Any) -> DeploymentSpec:
    values: dict[str, Any] = {"backend": OpenAICompatible(), "model": None, "replicas": urls or ("http://a:1",), **more}
    return DeploymentSpec(name, **values)


async def waiting(*deployments: Deployment) -> list[asyncio.Task[None]]:
    """One call more for each, waiting for a place."""
    tasks = [asyncio.create_task(each.enter()) for each in deployments]
    await asyncio.sleep(0)
    return tasks


# Places.


async def test_places_are_given_queued_and_refused() -> None:
    qwen = Deployment(spec(max_in_flight=1, max_queued=1), QUICK)
    await qwen.enter()
    (second,) = await waiting(qwen)
    with pytest.raises(Overloaded) as full:
        await qwen.enter()
    assert full.value.retry_after_s == 1.0
    qwen.leave()
    await second
    assert (qwen.gate.inside, qwen.gate.queued) == (1, 0)


async def test_every_replica_adds_its_places() -> None:
    qwen = Deployment(spec("qwen", "http://a:1", "http://b:1", max_in_flight=2), QUICK)
    for _ in range(4):
        await qwen.enter()
    assert not qwen.gate.try_enter()


async def test_who_waits_too_long_is_told_and_takes_no_place() -> None:
    qwen = Deployment(spec(max_in_flight=1, queue_timeout_s=0.02), QUICK)
    await qwen.enter()
    with pytest.raises(Overloaded, match="queue_timeout_s"):
        await qwen.enter()
    qwen.leave()
    assert (qwen.gate.inside, qwen.gate.queued) == (0, 0)


async def test_who_leaves_the_queue_takes_no_place() -> None:
    qwen = Deployment(spec(max_in_flight=1), QUICK)
    await qwen.enter()
    first, second = await waiting(qwen, qwen)
    first.cancel()
    qwen.leave()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (qwen.gate.inside, qwen.gate.queued) == (1, 0)


async def test_who_leaves_at_the_very_moment_of_being_let_in_gives_the_place_back() -> None:
    qwen = Deployment(spec(max_in_flight=1), QUICK)
    await qwen.enter()
    first, second = await waiting(qwen, qwen)
    qwen.leave()  # lets the first in, who does not know yet
    first.cancel()
    await second
    with suppress(asyncio.CancelledError):
        await first
    qwen.leave()
    assert (qwen.gate.inside, qwen.gate.queued) == (0, 0)


@pytest.mark.parametrize("seed", range(20))
async def test_no_place_is_lost_whatever_the_order_of_coming_and_going(seed: int) -> None:
    qwen = Deployment(spec(max_in_flight=3, max_queued=5, queue_timeout_s=0.03), QUICK)

    async def call(number: int) -> None:
        await asyncio.sleep((number * 7 + seed) % 5 / 500)
        with suppress(Overloaded):
            await qwen.enter()
            try:
                await asyncio.sleep((number * 3 + seed) % 4 / 200)
            finally:
                qwen.leave()

    calls = [asyncio.create_task(call(number)) for number in range(30)]
    for number, task in enumerate(calls):
        if number % 3 == seed % 3:
            asyncio.get_running_loop().call_later((number + seed) % 7 / 300, task.cancel)
    await asyncio.gather(*calls, return_exceptions=True)
    assert (qwen.gate.inside, qwen.gate.queued) == (0, 0)


# What is known of a deployment.


async def test_what_is_configured_comes_before_what_the_engine_says() -> None:
    said = {"object": "list", "data": [{"id": "qwen-7b", "max_model_len": 4096}, {"id": "lora", "max_model_len": 2048}]}
    plain, named = Deployment(spec(), QUICK), Deployment(spec(model="mine", context_tokens=100), QUICK)
    for each in (plain, named):
        each.listen(each.replicas[0], [said])
        each.learn()
    assert (plain.served_model, plain.models, plain.context_tokens) == ("qwen-7b", {"qwen-7b", "lora"}, 2048)
    assert (named.served_model, named.models, named.context_tokens) == ("mine", {"qwen-7b", "lora", "mine"}, 100)


@pytest.mark.parametrize("said", [[None], [[]], [7], ["x"], [{"data": 7}], [{"data": [None, 7, {"id": 3}]}]])
async def test_an_engine_may_say_anything_of_itself(said: list[Any]) -> None:
    qwen = Deployment(spec(), QUICK)
    qwen.listen(qwen.replicas[0], said)
    qwen.learn()
    assert (qwen.served_model, qwen.models, qwen.context_tokens) == (None, set(), None)


async def test_a_failure_counts_only_when_it_is_the_replicas() -> None:
    replica = Deployment(spec(), QUICK).replicas[0]
    assert not any(blame(replica, UpstreamRefused("busy"), 0.0) for _ in range(10))
    assert [blame(replica, UpstreamBroke("cut"), 0.0) for _ in range(3)] == [False, False, True]
    assert not replica.available(9.9)
    assert replica.available(10.0)


async def test_a_replica_that_refused_connections_is_back_with_its_first_probe() -> None:
    replica = Deployment(spec(), QUICK).replicas[0]
    for _ in range(3):
        blame(replica, ConnectFailed("refused"), 0.0)
    replica.health.probe_succeeded(1.0)
    assert replica.available(1.0)


async def test_when_all_are_out_the_caller_is_told_for_how_long() -> None:
    qwen = Deployment(spec("qwen", "http://a:1", "http://b:1"), QUICK)
    for at, replica in zip((0.0, 4.0), qwen.replicas, strict=True):
        for _ in range(3):
            blame(replica, UpstreamBroke("cut"), at)
    with pytest.raises(Overloaded) as refused:
        qwen.choose([], 5.0)
    assert refused.value.retry_after_s == pytest.approx(5.0)


async def test_when_none_is_left_the_caller_is_told_what_the_last_one_said() -> None:
    qwen = Deployment(spec("qwen", "http://a:1"), QUICK)
    said = UpstreamBroke("cut")
    with pytest.raises(UpstreamBroke) as failed:
        qwen.choose(qwen.replicas, 5.0, said)
    assert failed.value is said


# The tables.


async def test_a_name_leads_to_its_deployments() -> None:
    fleet = Fleet([spec("a", model="m/a"), spec("b")], {"smart": ("b", "a")})
    assert [each.name for each in fleet.route("smart")] == ["b", "a"]
    assert [each.name for each in fleet.route("m/a")] == ["a"]
    assert [each.name for each in fleet.route(None)] == ["a"]  # the first, when nothing is called default
    with pytest.raises(UnknownModel):
        fleet.route("c")


async def test_names_learned_later_are_found() -> None:
    fleet = Fleet([spec("a")], {})
    with pytest.raises(UnknownModel):
        fleet.route("lora")
    deployment = fleet.deployments["a"]
    deployment.listen(deployment.replicas[0], [{"data": [{"id": "lora"}]}])
    fleet.learned(deployment)
    assert fleet.route("lora") == [deployment]


async def test_names_that_mean_nothing_are_not_remembered() -> None:
    fleet = Fleet([spec("a")], {})
    for number in range(100):
        with suppress(UnknownModel):
            fleet.route(f"nonsense-{number}")
    assert len(fleet._routes) == 0


async def test_a_new_configuration_keeps_what_stays() -> None:
    fleet = Fleet([spec("a", "http://a:1", "http://b:1"), spec("gone")], {"default": ("a",)})
    a, old = fleet.deployments["a"], fleet.deployments["a"].replicas
    old[1].in_flight = 3
    await a.enter()

    fleet.apply([spec("a", "http://b:1", "http://c:1", max_in_flight=7), spec("new")], {"default": ("new",)})

    assert fleet.deployments["a"] is a
    assert a.replicas[0] is old[1]
    assert (a.replicas[0].in_flight, a.gate.inside, a.gate.capacity) == (3, 1, 14)
    assert set(fleet.deployments) == {"a", "new"}
    assert [each.name for each in fleet.route(None)] == ["new"]


async def test_another_key_for_an_engine_is_another_replica() -> None:
    """A connection opened with the old key must not be used with the new one."""
    fleet = Fleet([spec("a", credentials=((b"authorization", b"Bearer 1"),))], {})
    old = fleet.deployments["a"].replicas[0]
    fleet.apply([spec("a", credentials=((b"authorization", b"Bearer 2"),))], {})
    assert fleet.deployments["a"].replicas[0] is not old


async def test_more_places_let_in_who_waits() -> None:
    fleet = Fleet([spec("a", max_in_flight=1)], {})
    a = fleet.deployments["a"]
    await a.enter()
    (second,) = await waiting(a)
    fleet.apply([spec("a", max_in_flight=2)], {})
    await asyncio.wait_for(second, 1)


# The probes.


class Watched:
    """A fleet on one engine, watched; what was told of changes."""

    def __init__(self, engine: FakeEngine, backend: Any, **more: Any) -> None:
        self.fleet = Fleet([spec("a", engine.url, backend=backend, **more)], {}, QUICK)
        self.told: list[bool] = []
        self.task = asyncio.create_task(Prober(self.fleet, on_change=self._tell).run())

    def _tell(self, replica: Replica, is_ready: bool) -> None:
        self.told.append(is_ready)

    async def until(self, condition: Callable[[], object]) -> None:
        await eventually(condition, within_s=10)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.fleet.close()


@pytest.fixture
async def engine() -> Any:
    async with running_engine() as running:
        yield running


async def test_an_engine_is_ready_when_it_answers_and_its_model_is_learned(engine: FakeEngine) -> None:
    watched = Watched(engine, LlamaCppClient())
    assert not watched.fleet.ready(0.0)
    await watched.until(lambda: watched.told == [True])
    await watched.until(lambda: watched.fleet.deployments["a"].served_model == "scripted")
    assert watched.fleet.deployments["a"].context_tokens == 4096
    await watched.stop()


async def test_an_engine_that_stops_answering_is_told_of_and_so_is_its_return(engine: FakeEngine) -> None:
    watched = Watched(engine, LlamaCppClient())
    await watched.until(lambda: watched.told == [True])
    engine.routes["/health"] = error(503)
    await watched.until(lambda: watched.told == [True, False])
    replica = watched.fleet.deployments["a"].replicas[0]
    await watched.until(lambda: not replica.available(0.0))
    engine.routes["/health"] = answer({"status": "ok"})
    await watched.until(lambda: watched.told == [True, False, True])
    assert replica.available(0.0)
    await watched.stop()


async def test_an_engine_that_is_restarted_with_another_model_is_asked_again(engine: FakeEngine) -> None:
    watched = Watched(engine, LlamaCppClient())
    await watched.until(lambda: watched.fleet.deployments["a"].served_model == "scripted")
    await engine.refuse()
    await watched.until(lambda: watched.told[-1:] == [False])
    engine.routes["/v1/models"] = answer({"data": [{"id": "another"}]})
    await engine.listen()
    await watched.until(lambda: watched.fleet.deployments["a"].served_model == "another")
    await watched.stop()


async def test_an_engine_that_hangs_does_not_hold_up_the_watch_over_the_others(engine: FakeEngine) -> None:
    async with running_engine() as hanging:
        hanging.routes["/health"] = [30.0]
        probing = Probing(interval_s=0.05, timeout_s=0.3)
        fleet = Fleet([spec("a", hanging.url, engine.url, backend=LlamaCppClient())], {}, probing)
        task = asyncio.create_task(Prober(fleet, on_change=lambda *_: None).run())
        slow, fine = fleet.deployments["a"].replicas
        await eventually(lambda: fine.health.probed and slow.health.probe_failures >= 2, within_s=10)
        assert fine.available(0.0)
        assert not slow.available(0.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        fleet.close()


async def test_probes_leave_no_connections_behind(engine: FakeEngine) -> None:
    watched = Watched(engine, LlamaCppClient())
    await watched.until(lambda: len(engine.probes) > 20)
    assert watched.fleet.deployments["a"].replicas[0].pool.open_connections < 30
    await watched.stop()
    await eventually(lambda: engine.connections == 0)
