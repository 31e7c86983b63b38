"""Engines that load and unload their models when they are told to, each in its own way: `state`, `load` and `unload` are the same.

vLLM's CPU build has the paths of its sleep mode and frees nothing, llama.cpp's wheel is built without router mode, and Ollama is
not installed here: what memory does is seen on stand-ins that are written from their sources.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pytest

from hayate.backends.base import Asked, Backend
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.registry import Wanted, make_backend
from hayate.backends.vllm_client import VLLMClient, VLLMOptions
from hayate.engines.base import LoadFailed
from hayate.fleet.deployment import Deployment
from hayate.fleet.health_checks import Heard, ask
from hayate.fleet.remote_engine import RemoteEngine, remote_engine
from hayate.reasons import Reason
from hayate.settings import Probing
from hayate.wire.paths import CHAT
from tests.contract.declared import ENGINES, FEATURES
from tests.contract.engines import TOKENIZER
from tests.engines.launch import MODEL, EngineProcess
from tests.support.engine_script import Chat
from tests.support.fake_engine import running_engine
from tests.support.gpu_memory import GpuMemory
from tests.support.standin import running_standin
from tests.support.standin_ollama import ollama
from tests.support.standin_ollama_memory import Loaded
from tests.support.standin_router import SLOTS, RouterMode
from tests.support.standin_vllm import NONSENSE, SleepModeVLLM
from tests.support.waiting import LAST_RESORT_S, eventually
from tests.unit.fleet.made import spec

pytestmark = pytest.mark.anyio

SIZE = 8
HELLO = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3}


@dataclass
class Switched:
    """One model of an engine, and the memory that it shares."""

    engine: RemoteEngine
    deployment: Deployment
    memory: GpuMemory | None
    stand_in: Any = None

    async def call(self, limit_s: float = LAST_RESORT_S) -> Heard:
        """One call, past any gate."""
        asked = Asked(CHAT, None, dict(HELLO))
        prepared = self.deployment.backend.prepare(asked, self.deployment.served_model)
        return await ask(self.deployment.replicas[0], prepared.request, limit_s)


def _switched(url: str, backend: Backend, memory: GpuMemory | None, stand_in: Any = None) -> Switched:
    deployment = Deployment(spec("a", url, backend=backend, model=MODEL), Probing())
    engine = remote_engine(deployment)
    assert engine is not None
    return Switched(engine, deployment, memory, stand_in)


async def _vllm(stack: AsyncExitStack, level: int = 1) -> Switched:
    engine = await stack.enter_async_context(running_engine(model=MODEL))
    memory = GpuMemory(SIZE)
    stand_in = SleepModeVLLM(engine, memory, SIZE)
    options = VLLMOptions(sleep_level=2 if level == 2 else 1)
    return _switched(engine.url, VLLMClient(options), memory, stand_in)


async def _llamacpp(stack: AsyncExitStack) -> Switched:
    engine = await stack.enter_async_context(running_engine())
    memory = GpuMemory(SIZE)
    stand_in = RouterMode(engine, {MODEL: SIZE, "other": SIZE}, memory, takes_s=0.02)
    return _switched(engine.url, LlamaCppClient(model=MODEL), memory, stand_in)


async def _ollama(stack: AsyncExitStack) -> Switched:
    loaded = Loaded({MODEL: SIZE, "other": SIZE}, GpuMemory(SIZE), takes_s=0.02)
    running = stack.enter_context(running_standin(partial(ollama, loaded=loaded)))
    return _switched(running.url, make_backend(Wanted("ollama", MODEL)), loaded.memory, loaded)


MAKERS: dict[str, Callable[[AsyncExitStack], Awaitable[Switched]]] = {
    "vllm": _vllm,
    "vllm-2": partial(_vllm, level=2),
    "llamacpp": _llamacpp,
    "ollama": _ollama,
}


@pytest.fixture(params=MAKERS)
async def standing_in(request: pytest.FixtureRequest) -> AsyncIterator[Switched]:
    async with AsyncExitStack() as stack:
        yield await MAKERS[request.param](stack)


@pytest.fixture(params=[*MAKERS, pytest.param("vllm-real", marks=[pytest.mark.slow, pytest.mark.vllm])])
async def switched(request: pytest.FixtureRequest) -> AsyncIterator[Switched]:
    async with AsyncExitStack() as stack:
        if request.param in MAKERS:
            yield await MAKERS[request.param](stack)
            return
        process: EngineProcess = request.getfixturevalue("shared_vllm")
        found = _switched(process.url, VLLMClient(), None)
        yield found
        await found.engine.load(LAST_RESORT_S)


@pytest.mark.parametrize("name", ENGINES)
def test_it_is_declared_who_can_do_it(name: str) -> None:
    backend = make_backend(Wanted(name, options={"tokenizer": str(TOKENIZER)} if name == "triton" else {}))
    assert (backend.control(MODEL) is not None) is FEATURES["loading"].works(name)


async def test_a_model_is_unloaded_loaded_and_says_so(switched: Switched) -> None:
    engine, memory = switched.engine, switched.memory
    await engine.unload()
    assert await engine.state() is False
    assert memory is None or memory.used == 0
    for _ in range(2):
        await engine.load(LAST_RESORT_S)
        assert await engine.state() is True
        assert memory is None or memory.used == SIZE
        heard = await switched.call()
        assert heard.status == 200
        assert NONSENSE.encode() not in heard.body
        for _ in range(2):  # what is so already is no fault
            await engine.unload()
        assert await engine.state() is False
        assert memory is None or memory.used == 0


async def test_asking_tells_whether_it_sleeps_and_wakes_nobody(switched: Switched) -> None:
    control = switched.deployment.backend.control(MODEL)
    assert control is not None
    await switched.engine.load(LAST_RESORT_S)
    replica = switched.deployment.replicas[0]
    heard = await ask(replica, control.ask(), LAST_RESORT_S)
    assert not control.sleeps(heard.status, heard.body)
    await switched.engine.unload()
    heard = await ask(replica, control.ask(), LAST_RESORT_S)
    assert control.sleeps(heard.status, heard.body)
    assert await switched.engine.state() is False, "asking loads nothing"


async def test_a_model_without_memory_for_it_is_told(standing_in: Switched) -> None:
    engine, memory = standing_in.engine, standing_in.memory
    assert memory is not None
    await engine.unload()
    assert memory.take("somebody else", SIZE)
    with pytest.raises(LoadFailed) as failure:
        await engine.load(LAST_RESORT_S)
    assert failure.value.english.startswith("a/0: ")
    if engine.how == "router":
        assert "ended with status 1" in failure.value.english
    else:
        assert failure.value.reason is Reason.OUT_OF_MEMORY
    memory.free("somebody else")
    assert memory.used == 0


async def test_vllm_ends_the_calls_under_way_before_it_sleeps() -> None:
    async with AsyncExitStack() as stack:
        one = await _vllm(stack)
        one.stand_in.chat = Chat(gap_s=0.05)
        call = asyncio.create_task(one.call())
        await eventually(lambda: one.stand_in.running)
        await one.engine.unload()
        assert (await call).status == 200
        assert not one.stand_in.broken_off


@pytest.mark.parametrize("level", [1, 2])
async def test_one_that_has_slept_without_its_weights_never_answers_without_them(level: Literal[1, 2]) -> None:
    """Also where somebody else has put it to sleep at another level than is written."""
    async with AsyncExitStack() as stack:
        deep = await _vllm(stack, level=2)
        await deep.engine.unload()
        shallow = _switched(deep.deployment.replicas[0].url, VLLMClient(VLLMOptions(sleep_level=level)), deep.memory)
        await shallow.engine.load(LAST_RESORT_S)
        heard = await shallow.call()
        assert heard.status == 200
        assert NONSENSE.encode() not in heard.body
        assert "/collective_rpc" in deep.stand_in.told


async def test_a_model_of_a_router_is_not_loaded_by_being_asked_for() -> None:
    async with AsyncExitStack() as stack:
        one = await _llamacpp(stack)
        one.stand_in.autoloads = True
        deployment = one.deployment
        replica, backend = deployment.replicas[0], deployment.backend
        for _ in range(2):
            heard = [await ask(replica, each, LAST_RESORT_S) for each in backend.describe()]
            deployment.describe(replica, [each.parsed() for each in heard])
        assert await one.engine.state() is False
        assert replica.served.models == (MODEL,), "the other one is another deployment's"
        assert replica.served.slots is None
        await one.engine.load(LAST_RESORT_S)
        heard = [await ask(replica, each, LAST_RESORT_S) for each in backend.describe()]
        deployment.describe(replica, [each.parsed() for each in heard])
        assert replica.served.slots == SLOTS


async def test_a_late_call_does_not_keep_ollamas_model_for_ever() -> None:
    async with AsyncExitStack() as stack:
        one = await _ollama(stack)
        await one.engine.load(LAST_RESORT_S)
        runners = one.stand_in.runners
        assert runners[MODEL].keep_s == float("inf")
        assert (await one.call()).status == 200
        assert runners[MODEL].keep_s == float("inf"), "nor does a call shorten it"
        await one.engine.unload()
        assert (await one.call()).status == 200
        assert runners[MODEL].keep_s == 300
        assert await one.engine.state() is True, "which is seen"
        await one.engine.unload()
        assert one.stand_in.loads == [MODEL, MODEL]
        assert not one.stand_in.put_out
