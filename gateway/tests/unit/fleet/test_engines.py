"""The driver: what the arbiter decides is done, calls wait meanwhile, and whoever waits in vain is told."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from hayate.engines.base import LoadFailed
from hayate.engines.refusals import NotSwitched, UnknownEngine
from hayate.errors import Overloaded
from hayate.policy.waits import Waits
from hayate.reasons import Reason
from tests.support.waiting import eventually
from tests.unit.fleet.made import spec
from tests.unit.fleet.switched import GIB, managed, switching

pytestmark = pytest.mark.anyio

FULL = LoadFailed("smart needs more than there is.", "smartのメモリーが足りません。", Reason.OUT_OF_MEMORY)


async def test_a_model_is_loaded_when_somebody_calls_and_stays() -> None:
    async with switching(managed("fast")) as switched:
        assert not switched.happened
        for _ in range(3):
            switched.over("fast", await switched.call("fast"))
        assert switched.happened == ["load fast"]
        assert switched.told == [("engine_loading", "fast"), ("engine_loaded", "fast")]


async def test_what_is_not_run_here_has_no_door() -> None:
    async with switching(spec("plain")) as switched:
        assert switched.fleet.deployments["plain"].door is None
        with pytest.raises(NotSwitched, match="plain is not loaded and unloaded by the gateway"):
            await switched.driver.load("plain")
        with pytest.raises(UnknownEngine, match="no deployment named 'none'"):
            await switched.driver.load("none")


async def test_two_that_do_not_fit_together_take_turns_and_nobody_is_cut_off() -> None:
    async with switching(managed("fast"), managed("smart")) as switched:
        first = await switched.call("fast")
        waiting = asyncio.create_task(switched.call("smart"))
        await eventually(lambda: not switched.fleet.deployments["fast"].door.open)  # type: ignore[union-attr]
        assert switched.happened == ["load fast"]  # for as long as its call goes on
        switched.over("fast", first)
        switched.over("smart", await waiting)
        assert switched.happened == ["load fast", "unload fast", "load smart"]
        assert switched.loaded() == {"smart"}


async def test_those_that_fit_together_stay_together() -> None:
    async with switching(managed("a", memory=10 * GIB), managed("b", memory=10 * GIB)) as switched:
        for name in ("a", "b", "a", "b"):
            switched.over(name, await switched.call(name))
        assert switched.happened == ["load a", "load b"]


async def test_many_calls_at_once_are_three_loads() -> None:
    async with switching(managed("a"), managed("b"), managed("c")) as switched:

        async def called(name: str) -> None:
            switched.over(name, await switched.call(name))

        await asyncio.gather(*(called(name) for name in "ABAACABC".lower()))
        assert [each for each in switched.happened if each.startswith("load")] == ["load a", "load b", "load c"]


async def test_who_wants_to_know_is_told_when_the_loading_begins() -> None:
    async with switching(managed("fast"), managed("smart")) as switched:
        talking = await switched.call("fast")
        told: list[bytes] = []
        smart = switched.fleet.deployments["smart"]
        assert smart.door is not None
        say = smart.door.comment
        waits = Waits(tell=lambda place, wait_s: told.append(say()))
        waiting = asyncio.create_task(switched.call("smart", waits))
        await eventually(lambda: told)
        switched.engines["smart"].holds.clear()
        switched.over("fast", talking)
        await eventually(lambda: len(told) == 2)
        switched.engines["smart"].holds.set()
        switched.over("smart", await waiting)
        assert told[0] == b": waiting model=smart\n"
        assert told[1].startswith(b": loading model=smart for_s=")


async def test_a_load_that_fails_is_told_to_all_who_wait_and_the_other_goes_on() -> None:
    async with switching(managed("fast", memory=10 * GIB), managed("smart", memory=10 * GIB)) as switched:
        switched.engines["smart"].fails = FULL
        talking = await switched.call("fast")
        told = await asyncio.gather(*(switched.call("smart") for _ in range(3)), return_exceptions=True)
        for each in told:
            assert isinstance(each, Overloaded)
            assert "its engine is out of memory" in each.english
            assert each.retry_after_s is not None
        with pytest.raises(Overloaded):  # at once: nobody waits for what is known to fail
            await switched.call("smart")
        assert switched.fleet.deployments["smart"].trouble(monotonic()) is Reason.OUT_OF_MEMORY
        switched.over("fast", talking)
        switched.over("fast", await switched.call("fast"))
        assert switched.loaded() == {"fast"}


async def test_one_that_never_fits_is_told_as_that_and_with_no_time_to_come_back() -> None:
    async with switching(managed("fast"), managed("large", memory=30 * GIB)) as switched:
        with pytest.raises(Overloaded) as refused:
            await switched.call("large")
        assert "large can't be used: it does not fit into memory" in refused.value.english
        assert refused.value.retry_after_s is None
        [_, view] = switched.driver.view(monotonic())
        assert view.last_error is not None
        assert "large: it does not fit on gpu0, also when all is unloaded that may go" in view.last_error.en
        assert switched.fleet.deployments["large"].trouble(monotonic()) is Reason.TOO_LARGE


async def test_an_engine_that_crashes_twice_is_told_with_when_it_is_tried_again() -> None:
    async with switching(managed("fast")) as switched:
        for _ in range(2):  # the first time it is loaded again at once
            switched.over("fast", await switched.call("fast"))
            switched.engines["fast"].dies()
        with pytest.raises(
            Overloaded, match=r"fast can't be used at the moment: its engine broke off\. Try again in 2 s"
        ):
            await switched.call("fast")


async def test_who_gave_way_for_one_that_can_not_be_loaded_comes_back() -> None:
    async with switching(managed("fast"), managed("smart")) as switched:
        switched.over("fast", await switched.call("fast"))
        switched.engines["smart"].fails = FULL
        with pytest.raises(Overloaded):
            await switched.call("smart")
        await eventually(lambda: switched.loaded() == {"fast"})


async def test_an_engine_that_dies_is_loaded_again_and_who_waits_is_served() -> None:
    async with switching(managed("fast", max_in_flight=1)) as switched:
        first = await switched.call("fast")
        waiting = asyncio.create_task(switched.call("fast"))
        await asyncio.sleep(0)
        switched.engines["fast"].dies()
        assert not switched.fleet.deployments["fast"].loaded
        switched.over("fast", first)  # with an error of its own
        switched.over("fast", await waiting)
        assert switched.happened == ["load fast", "load fast"]
        assert ("engine_failed", "fast") in switched.told


async def test_an_idle_model_goes_and_a_pinned_one_does_not() -> None:
    idle = managed("idle", memory=GIB, idle_unload_s=0.05)
    async with switching(idle, managed("pinned", memory=GIB, pin=True)) as switched:
        for name in ("pinned", "idle"):
            switched.over(name, await switched.call(name))
        await eventually(lambda: switched.happened[-1] == "unload idle")
        assert switched.loaded() == {"pinned"}


async def test_what_is_wanted_from_the_start_is_loaded_without_a_call() -> None:
    async with switching(managed("fast"), managed("smart"), preload=("smart",)) as switched:
        await eventually(lambda: switched.loaded() == {"smart"})


async def test_the_operator_loads_and_unloads() -> None:
    async with switching(managed("fast"), managed("smart")) as switched:
        await switched.driver.load("fast")
        assert switched.loaded() == {"fast"}
        await switched.driver.unload("fast")
        assert not switched.loaded()
        talking = await switched.call("smart")
        unloading = asyncio.create_task(switched.driver.unload("smart"))
        await eventually(lambda: not switched.fleet.deployments["smart"].door.open)  # type: ignore[union-attr]
        assert switched.loaded() == {"smart"}
        switched.over("smart", talking)
        await unloading
        assert not switched.loaded()
        switched.engines["fast"].fails = FULL
        with pytest.raises(Overloaded, match="out of memory"):
            await switched.driver.load("fast")


async def test_the_operator_is_told_of_an_engine_that_does_not_let_go() -> None:
    async with switching(managed("fast")) as switched:
        await switched.driver.load("fast")
        switched.engines["fast"].keeps = FULL
        with pytest.raises(NotSwitched, match="needs more than there is"):
            await switched.driver.unload("fast")
        assert switched.loaded() == {"fast"}
        switched.engines["fast"].keeps = None
        await switched.driver.unload("fast")
        assert not switched.loaded()


async def test_a_reload_keeps_what_did_not_change_and_replaces_what_did() -> None:
    async with switching(managed("same", memory=GIB), managed("other", memory=GIB)) as switched:
        for name in ("same", "other"):
            switched.over(name, await switched.call(name))
        talking = await switched.call("other")
        switched.fleet.apply([managed("same", memory=2 * GIB), managed("other", memory=GIB, context_tokens=99)], {})
        switched.driver.configure(switched.gpus)
        waiting = asyncio.create_task(switched.call("other"))
        await asyncio.sleep(0.02)
        assert switched.happened == ["load same", "load other"]  # its call goes on with the engine that it has
        switched.over("other", talking)
        switched.over("other", await waiting)
        assert switched.happened == ["load same", "load other", "unload other", "close other", "load other"]


async def test_a_deployment_that_is_gone_is_ended_and_who_waits_there_is_told() -> None:
    async with switching(managed("gone", max_in_flight=1), managed("stays", memory=GIB)) as switched:
        talking = await switched.call("gone")
        waiting = asyncio.create_task(switched.call("gone"))
        await asyncio.sleep(0)
        old = switched.fleet.deployments["gone"]
        switched.fleet.apply([managed("stays", memory=GIB)], {})
        switched.driver.configure(switched.gpus)
        with pytest.raises(Overloaded):
            await waiting
        old.waiting.leave(talking, 0)
        await eventually(lambda: switched.happened[-1] == "close gone")


async def test_engines_end_with_the_gateway() -> None:
    async with switching(managed("fast", memory=GIB), managed("smart", memory=GIB)) as switched:
        await switched.driver.load("fast")
        switched.engines["smart"].holds.clear()
        loading = asyncio.create_task(switched.call("smart"))
        await eventually(lambda: "load smart" in switched.happened)
    loading.cancel()
    await asyncio.gather(loading, return_exceptions=True)
    assert {"close fast", "close smart"} <= set(switched.happened)


async def test_what_others_have_loaded_is_found_and_stays_if_it_fits() -> None:
    async with switching(managed("fast"), managed("smart"), how="keep_alive") as switched:
        switched.engines["fast"].in_memory = True
        await eventually(lambda: switched.fleet.deployments["fast"].loaded)
        switched.over("fast", await switched.call("fast"))
        assert not switched.happened
        switched.engines["smart"].in_memory = True  # there is no room for it, and nobody wants it
        await eventually(lambda: switched.happened == ["unload smart"])
        assert switched.loaded() == {"fast"}


async def test_what_others_have_unloaded_is_loaded_when_somebody_calls() -> None:
    async with switching(managed("fast"), how="sleep") as switched:
        switched.over("fast", await switched.call("fast"))
        switched.engines["fast"].in_memory = False
        await eventually(lambda: not switched.fleet.deployments["fast"].loaded)
        switched.over("fast", await switched.call("fast"))
        assert switched.happened == ["load fast", "load fast"]


async def test_of_an_engine_that_can_not_be_asked_nothing_is_concluded() -> None:
    async with switching(managed("fast"), how="sleep") as switched:
        switched.over("fast", await switched.call("fast"))
        switched.engines["fast"].in_memory = None
        await asyncio.sleep(0.1)
        assert switched.fleet.deployments["fast"].loaded


async def test_a_fault_of_ours_is_told_and_nobody_waits_for_ever() -> None:
    async with switching(managed("fast")) as switched:
        faults: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: faults.append(told["message"]))
        switched.engines["fast"].fails = ValueError("not foreseen")  # type: ignore[assignment]
        with pytest.raises(Overloaded):
            await switched.call("fast")
        assert faults == ["switching fast failed"]
        switched.engines["fast"].fails = None
        await switched.driver.load("fast")
        assert switched.loaded() == {"fast"}


async def test_an_engine_that_ends_right_after_it_was_loaded_is_not_taken_for_loaded() -> None:
    async with switching(managed("fast")) as switched:
        switched.dies_when_met = "fast"
        switched.over("fast", await switched.call("fast"))
        assert switched.happened == ["load fast", "load fast"]
