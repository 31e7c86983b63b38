"""The tables behind the names: what a name leads to, and what a new configuration changes."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from hayate.errors import UnknownModel
from hayate.fleet.fleet import Fleet
from hayate.fleet.spec import NO_PROBE
from tests.support.waiting import LAST_RESORT_S
from tests.unit.fleet.made import entered, spec, waiting

pytestmark = pytest.mark.anyio


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


async def test_fast_and_smart_are_there_from_the_first_start_until_an_engine_serves_them_or_a_file_names_others() -> (
    None
):
    fleet = Fleet([spec("a"), spec("b")], {})
    b = fleet.deployments["b"]
    assert [fleet.route(name)[0].name for name in (None, "fast", "smart")] == ["a", "a", "a"]
    assert list(fleet.aliases) == ["default", "fast", "smart"]

    b.describe(b.replicas[0], [{"data": [{"id": "fast"}]}])
    fleet.refresh(b)
    assert fleet.route("fast") == [b], "an engine's own model"
    assert list(fleet.aliases) == ["default", "smart"]

    fleet.apply([spec("a"), spec("b")], {"quick": ("b",)})
    assert list(fleet.aliases) == ["default", "quick"]
    with pytest.raises(UnknownModel):
        fleet.route("smart")

    fleet.apply([spec("a")], {})
    assert [each.name for each in fleet.route("fast")] == ["a"], "whoever served it is gone"


async def test_names_that_mean_nothing_are_not_remembered() -> None:
    fleet = Fleet([spec("a")], {})
    for number in range(100):
        with suppress(UnknownModel):
            fleet.route(f"nonsense-{number}")
    assert not any(fleet.knows(f"nonsense-{number}") for number in range(100))
    fleet.route("a")
    assert fleet.knows("a")


async def test_a_new_configuration_keeps_what_stays() -> None:
    fleet = Fleet([spec("a", "http://a:1", "http://b:1"), spec("gone")], {"default": ("a",)})
    a, old = fleet.deployments["a"], fleet.deployments["a"].replicas
    old[1].in_flight = 3
    await entered(a)

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
    await entered(a)
    (second,) = await waiting(a)
    fleet.apply([spec("a", max_in_flight=2)], {})
    await asyncio.wait_for(second, LAST_RESORT_S)


def lanes_of(fleet: Fleet) -> list[int]:
    """Which lanes each deployment has, as numbers in the order of first use."""
    found = [each.gate.lanes for each in fleet.deployments.values()]
    return [next(number for number, each in enumerate(found) if each is lanes) for lanes in found]


async def test_deployments_that_share_a_gpu_share_lanes_and_a_reload_keeps_them() -> None:
    gpus = {"a": ("gpu0",), "b": ("gpu1",), "c": ("gpu0",), "d": (), "e": ("gpu1", "gpu2"), "f": ()}
    fleet = Fleet([spec(name, gpu=gpu) for name, gpu in gpus.items()], {})
    assert lanes_of(fleet) == [0, 1, 0, 3, 1, 5]
    before = fleet.deployments["a"].gate.lanes
    fleet.apply([spec(name, gpu=gpu) for name, gpu in gpus.items()], {})
    assert fleet.deployments["a"].gate.lanes is before


async def test_a_reload_to_other_gpus_loses_nobody_who_waits() -> None:
    fleet = Fleet([spec("a", max_in_flight=1, gpu=("gpu0",)), spec("b", gpu=("gpu0",))], {})
    a = fleet.deployments["a"]
    first = await entered(a)
    (second,) = await waiting(a)
    for gpus, together in (((("gpu0",), ("gpu1",)), False), (((), ()), False), ((("x",), ("x",)), True)):
        fleet.apply([spec("a", max_in_flight=1, gpu=gpus[0]), spec("b", gpu=gpus[1])], {})
        assert (lanes_of(fleet) == [0, 0]) is together
        assert (a.gate.in_flight, a.gate.queued) == (1, 1)
    a.waiting.leave(first, 0)
    a.waiting.leave(await asyncio.wait_for(second, LAST_RESORT_S), 0)
    assert (a.gate.in_flight, a.gate.queued, a.gate.lanes.active) == (0, 0, 0)
