"""Deployments, replicas and their places; the tables behind the names; the probes that watch."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from hayate.backends.openai_compat import OpenAICompatible
from hayate.errors import (
    AnswerTooLarge,
    ConnectFailed,
    EngineError,
    Overloaded,
    StaleConnection,
    UnknownModel,
    UpstreamBroke,
    UpstreamRefused,
)
from hayate.fleet.deployment import Deployment
from hayate.fleet.fleet import Fleet
from hayate.fleet.spec import NO_PROBE, DeploymentSpec
from hayate.settings import Probing

pytestmark = pytest.mark.anyio

QUICK = Probing(probe_interval_s=0.05, probe_timeout_s=1.0, eject_after=3, eject_s=10.0)


def spec(name: str = "qwen", *urls: str, **more: Any) -> DeploymentSpec:
    values: dict[str, Any] = {"backend": OpenAICompatible(), "model": None, "replicas": urls or ("http://a:1",), **more}
    return DeploymentSpec(name, **values)


async def waiting(*deployments: Deployment) -> list[asyncio.Task[None]]:
    """One call more for each, waiting for a place."""
    tasks = [asyncio.create_task(each.enter("key", 1)) for each in deployments]
    await asyncio.sleep(0)
    return tasks


# Places.


async def test_places_are_given_queued_and_refused() -> None:
    qwen = Deployment(spec(max_in_flight=1, max_queued=1), QUICK)
    await qwen.enter("key", 1)
    (second,) = await waiting(qwen)
    with pytest.raises(Overloaded) as full:
        await qwen.enter("key", 1)
    assert full.value.retry_after_s == 1.0
    qwen.leave("key", 1)
    await second
    assert (qwen.gate.in_flight, qwen.gate.queued) == (1, 0)


async def test_every_replica_adds_its_places() -> None:
    qwen = Deployment(spec("qwen", "http://a:1", "http://b:1", max_in_flight=2), QUICK)
    for _ in range(4):
        await qwen.enter("key", 1)
    assert not qwen.gate.try_enter("key", 1)


async def test_who_waits_too_long_is_told_and_takes_no_place() -> None:
    qwen = Deployment(spec(max_in_flight=1, queue_timeout_s=0.02), QUICK)
    await qwen.enter("key", 1)
    with pytest.raises(Overloaded, match="queue_timeout_s"):
        await qwen.enter("key", 1)
    qwen.leave("key", 1)
    assert (qwen.gate.in_flight, qwen.gate.queued) == (0, 0)


async def test_who_leaves_the_queue_takes_no_place() -> None:
    qwen = Deployment(spec(max_in_flight=1), QUICK)
    await qwen.enter("key", 1)
    first, second = await waiting(qwen, qwen)
    first.cancel()
    qwen.leave("key", 1)
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (qwen.gate.in_flight, qwen.gate.queued) == (1, 0)


async def test_who_leaves_at_the_very_moment_of_being_let_in_gives_the_place_back() -> None:
    qwen = Deployment(spec(max_in_flight=1), QUICK)
    await qwen.enter("key", 1)
    first, second = await waiting(qwen, qwen)
    qwen.leave("key", 1)  # lets the first in, who does not know yet
    first.cancel()
    await second
    with suppress(asyncio.CancelledError):
        await first
    qwen.leave("key", 1)
    assert (qwen.gate.in_flight, qwen.gate.queued) == (0, 0)


@pytest.mark.parametrize("seed", range(20))
async def test_no_place_is_lost_whatever_the_order_of_coming_and_going(seed: int) -> None:
    qwen = Deployment(spec(max_in_flight=3, max_queued=5, queue_timeout_s=0.03), QUICK)

    async def call(number: int) -> None:
        await asyncio.sleep((number * 7 + seed) % 5 / 500)
        with suppress(Overloaded):
            await qwen.enter("key", 1)
            try:
                await asyncio.sleep((number * 3 + seed) % 4 / 200)
            finally:
                qwen.leave("key", 1)

    calls = [asyncio.create_task(call(number)) for number in range(30)]
    for number, task in enumerate(calls):
        if number % 3 == seed % 3:
            asyncio.get_running_loop().call_later((number + seed) % 7 / 300, task.cancel)
    await asyncio.gather(*calls, return_exceptions=True)
    assert (qwen.gate.in_flight, qwen.gate.queued) == (0, 0)


# What is known of a deployment.


async def test_what_is_configured_comes_before_what_the_engine_says() -> None:
    said = {"object": "list", "data": [{"id": "qwen-7b", "max_model_len": 4096}, {"id": "lora", "max_model_len": 2048}]}
    plain, named = Deployment(spec(), QUICK), Deployment(spec(model="mine", context_tokens=100), QUICK)
    for each in (plain, named):
        each.describe(each.replicas[0], [said])
        each.refresh()
    assert (plain.served_model, plain.models, plain.context_tokens) == ("qwen-7b", {"qwen-7b", "lora"}, 2048)
    assert (named.served_model, named.models, named.context_tokens) == ("mine", {"qwen-7b", "lora", "mine"}, 100)


async def test_more_models_change_nothing_and_a_model_that_is_gone_is_followed() -> None:
    def said(*names: str) -> list[object]:
        return [{"data": [{"id": name} for name in names]}]

    fleet = Fleet([spec("a")], {})
    qwen = fleet.deployments["a"]
    for told, served in (
        (said("base"), "base"),
        (said("adapter", "base"), "base"),
        (list[object]([None]), "base"),  # no answer this time
        (said("other", "another"), "other"),
    ):
        qwen.describe(qwen.replicas[0], told)
        fleet.refresh(qwen)
        assert qwen.served_model == served
    assert fleet.route("another") == [qwen]
    with pytest.raises(UnknownModel):
        fleet.route("adapter")


@pytest.mark.parametrize("said", [[None], [[]], [7], ["x"], [{"data": 7}], [{"data": [None, 7, {"id": 3}]}]])
async def test_an_engine_may_say_anything_of_itself(said: list[Any]) -> None:
    qwen = Deployment(spec(), QUICK)
    qwen.describe(qwen.replicas[0], said)
    qwen.refresh()
    assert (qwen.served_model, qwen.models, qwen.context_tokens) == (None, set(), None)


async def test_what_an_engine_says_of_being_busy_or_of_the_request_counts_against_nobody() -> None:
    qwen = Deployment(spec("qwen", "http://a:1", "http://b:1"), QUICK)
    replica = qwen.replicas[0]
    for error in (
        UpstreamRefused("busy"),
        EngineError("no such field", status=400),
        AnswerTooLarge("82 MB"),
        StaleConnection("gone"),
    ):
        assert not any(qwen.record_failure(replica, error, 0.0) for _ in range(10))
    assert replica.available(0.0)
    assert not replica.doubt.is_set()
    assert [qwen.record_failure(replica, UpstreamBroke("cut"), 0.0) for _ in range(3)] == [False, False, True]
    assert replica.doubt.is_set()
    assert replica.last_error is not None
    assert replica.last_error.text == "cut"


async def test_answers_set_aside_one_replica_but_never_the_last() -> None:
    qwen = Deployment(spec("qwen", "http://a:1", "http://b:1"), QUICK)
    first, second = qwen.replicas
    for _ in range(100):
        qwen.record_failure(first, UpstreamBroke("500"), 0.0)
        qwen.record_failure(second, UpstreamBroke("500"), 0.0)
    assert [each.available(0.0) for each in qwen.replicas] == [False, True]
    assert qwen.choose([], 0.0) is second
    assert qwen.choose([second], 0.0) is first  # nothing better is left
    assert qwen.ready(0.0) is False  # nobody has seen either answer
    for _ in range(3):
        qwen.record_failure(second, ConnectFailed("refused"), 0.0)
    assert qwen.choose([], 0.0) is first


async def test_when_all_are_out_the_caller_is_told_to_come_back() -> None:
    qwen = Deployment(spec("qwen", "http://a:1", "http://b:1"), QUICK)
    for replica in qwen.replicas:
        for _ in range(3):
            qwen.record_failure(replica, ConnectFailed("refused"), 0.0)
    assert qwen.choose([], 5.0) is None
    assert qwen.no_replica().retry_after_s == 1.0  # it is probed four times a second


async def test_none_is_left_when_all_have_been_tried() -> None:
    qwen = Deployment(spec("qwen", "http://a:1"), QUICK)
    assert qwen.choose(qwen.replicas, 5.0) is None


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
    deployment.describe(deployment.replicas[0], [{"data": [{"id": "lora"}]}])
    fleet.refresh(deployment)
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
    await a.enter("key", 1)

    fleet.apply([spec("a", "http://b:1", "http://c:1", max_in_flight=7), spec("new")], {"default": ("new",)})

    assert fleet.deployments["a"] is a
    assert a.replicas[0] is old[1]
    assert (a.replicas[0].in_flight, a.gate.in_flight, a.gate.capacity) == (3, 1, 14)
    assert set(fleet.deployments) == {"a", "new"}
    assert [each.name for each in fleet.route(None)] == ["new"]


async def test_another_key_for_an_engine_is_another_replica() -> None:
    """A connection opened with the old key must not be used with the new one."""
    fleet = Fleet([spec("a", credentials=((b"authorization", b"Bearer 1"),))], {})
    old = fleet.deployments["a"].replicas[0]
    fleet.apply([spec("a", credentials=((b"authorization", b"Bearer 2"),))], {})
    assert fleet.deployments["a"].replicas[0] is not old


async def test_a_reload_changes_how_a_replica_that_stays_is_probed() -> None:
    fleet = Fleet([spec("a")], {})
    replica = fleet.deployments["a"].replicas[0]
    for probe, path in (("/alive", "/alive"), (NO_PROBE, None), (None, "/v1/models")):
        fleet.apply([spec("a", probe=probe)], {})
        deployment = fleet.deployments["a"]
        asked = deployment.probe()
        assert (asked.path if asked else None) == path
        assert deployment.replicas[0] is replica
        assert replica.health.probing is (path is not None)


async def test_more_places_let_in_who_waits() -> None:
    fleet = Fleet([spec("a", max_in_flight=1)], {})
    a = fleet.deployments["a"]
    await a.enter("key", 1)
    (second,) = await waiting(a)
    fleet.apply([spec("a", max_in_flight=2)], {})
    await asyncio.wait_for(second, 1)
