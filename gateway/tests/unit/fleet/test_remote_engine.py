"""Engines that already run are told what to have in memory, and asked until they say so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hayate.backends.ollama_client import OllamaClient
from hayate.backends.openai_compat import OpenAICompatible
from hayate.backends.vllm_client import VLLMClient, VLLMOptions
from hayate.engines.base import Engine, LoadFailed
from hayate.fleet import remote_engine as module
from hayate.fleet.deployment import Deployment
from hayate.fleet.remote_engine import RemoteEngine, remote_engine
from hayate.reasons import Reason
from tests.support.engine_script import Answer, Request, answer, error, reset, silence
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.ports import free_port
from tests.support.waiting import LAST_RESORT_S, eventually
from tests.unit.fleet.made import QUICK, spec

pytestmark = pytest.mark.anyio

KEY = "sk-engine-0123456789"


class Vllm:
    """Sleep mode on a scripted engine: what it has been told, in order."""

    def __init__(self, engine: FakeEngine, *, asleep: bool = False) -> None:
        self.engine = engine
        self.asleep = asleep
        self.told: list[str] = []
        self.refusal: Answer | None = None
        engine.routes["/is_sleeping"] = lambda _: answer({"is_sleeping": self.asleep})
        engine.script = self._do

    def _do(self, request: Request) -> Any:
        self.told.append(request.path)
        if self.refusal is not None:
            return self.refusal(request) if callable(self.refusal) else self.refusal
        if request.path.startswith("/sleep"):
            self.asleep = True
        elif request.path.startswith("/wake_up") and "tags=weights" not in request.path:
            self.asleep = False
        return answer({})


@asynccontextmanager
async def remote(*urls: str, backend: Any = None, **more: Any) -> AsyncIterator[RemoteEngine]:
    deployment = Deployment(spec("a", *urls, backend=backend or VLLMClient(), **more), QUICK)
    engine: RemoteEngine | None = remote_engine(deployment)
    assert engine is not None
    _: Engine = engine
    try:
        yield engine
    finally:
        for replica in deployment.replicas:
            replica.pool.close()


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with running_engine() as running:
        yield running


async def test_an_adapter_without_a_control_has_no_engine(engine: FakeEngine) -> None:
    deployment = Deployment(spec("a", engine.url, backend=OpenAICompatible()), QUICK)
    assert remote_engine(deployment) is None


async def test_it_is_woken_and_put_to_sleep_and_says_so(engine: FakeEngine) -> None:
    vllm = Vllm(engine, asleep=True)
    async with remote(engine.url) as one:
        assert (one.how, one.pid, one.log) == ("sleep", None, None)
        assert await one.state() is False
        await one.load(LAST_RESORT_S)
        assert await one.state() is True
        await one.unload()
        assert await one.state() is False
        await one.close()
    assert vllm.told == ["/wake_up", "/sleep?level=1&mode=wait"]


async def test_what_is_so_already_is_not_told_again(engine: FakeEngine) -> None:
    vllm = Vllm(engine)
    async with remote(engine.url) as one:
        await one.load(LAST_RESORT_S)
        await one.unload()
        await one.unload()
    assert vllm.told == ["/sleep?level=1&mode=wait"]


async def test_every_replica_is_told() -> None:
    async with running_engine() as first, running_engine() as second:
        each = [Vllm(first, asleep=True), Vllm(second)]
        async with remote(first.url, second.url, backend=VLLMClient(VLLMOptions(sleep_level=2))) as both:
            await both.load(LAST_RESORT_S)
            assert [one.told for one in each] == [
                ["/wake_up?tags=weights", "/collective_rpc", "/wake_up?tags=kv_cache"],
                [],
            ]
            each[1].asleep = True  # by somebody else
            assert await both.state() is False
            await both.unload()
            assert all(one.asleep for one in each)


async def test_one_of_several_that_came_back_with_its_model_lets_go_of_it() -> None:
    async with running_engine() as first, running_engine() as second:
        each = [Vllm(first, asleep=True), Vllm(second, asleep=True)]
        async with remote(first.url, second.url) as both:
            each[1].asleep = False
            assert await both.state() is False
            assert each[1].told == ["/sleep?level=1&mode=wait"]
            each[0].asleep = each[1].asleep = False
            assert await both.state() is True


async def test_an_engine_that_refuses_is_quoted_without_the_key(engine: FakeEngine) -> None:
    vllm = Vllm(engine, asleep=True)
    vllm.refusal = error(500, f"CUDA out of memory, says {KEY}")
    credentials = ((b"authorization", f"Bearer {KEY}".encode()),)
    async with remote(engine.url, credentials=credentials) as one:
        with pytest.raises(
            LoadFailed, match=r"a/0: status 500 at /wake_up: CUDA out of memory, says \[key\]"
        ) as failure:
            await one.load(LAST_RESORT_S)
    assert failure.value.reason is Reason.OUT_OF_MEMORY
    assert KEY not in failure.value.japanese
    assert vllm.told == ["/wake_up"]  # it sleeps, and says so: nothing to let go of


async def test_without_sleep_mode_the_operator_is_told_what_to_do(engine: FakeEngine) -> None:
    engine.script = answer({"detail": "Not Found"}, 404)
    async with remote(engine.url) as one:
        assert await one.state() is None
        for told in (one.load(LAST_RESORT_S), one.unload()):
            with pytest.raises(LoadFailed, match="--enable-sleep-mode and VLLM_SERVER_DEV_MODE=1"):
                await told


async def test_an_engine_that_takes_too_long_is_told_to_let_go(engine: FakeEngine) -> None:
    vllm = Vllm(engine, asleep=True)

    def hangs(request: Request) -> Any:
        vllm.asleep = request.path.startswith("/sleep")
        return [silence] if request.path.startswith("/wake_up") else answer({})

    vllm.refusal = hangs
    async with remote(engine.url) as one:
        with pytest.raises(
            LoadFailed, match="it takes too long; the last it said: no answer to /wake_up within"
        ) as failure:
            await one.load(0.3)
    assert failure.value.reason is Reason.FROZEN
    assert vllm.told == ["/wake_up", "/sleep?level=1&mode=wait"]


async def test_calls_past_the_gateway_are_waited_for_not_for_ever(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNLOAD_S", 0.3)
    vllm = Vllm(engine)

    def busy(request: Request) -> Any:
        vllm.asleep = "abort" in request.path
        return answer({}) if vllm.asleep else [silence]

    vllm.refusal = busy
    async with remote(engine.url) as one:
        await one.unload()
    assert vllm.told == ["/sleep?level=1&mode=wait", "/sleep?level=1&mode=abort"]


async def test_an_engine_that_ends_of_loading_is_told_before_the_time_is_over(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GONE_S", 0.2)
    vllm = Vllm(engine, asleep=True)

    def ends(request: Request) -> Any:
        engine.routes["/is_sleeping"] = [reset]
        return answer({})

    vllm.refusal = ends
    async with remote(engine.url) as one:
        with pytest.raises(LoadFailed) as failure:
            await one.load(LAST_RESORT_S)
    assert failure.value.reason is Reason.CUT


async def test_an_engine_that_is_not_there_has_nothing_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GONE_S", 0.2)
    async with remote(f"http://127.0.0.1:{free_port()}") as one:
        assert await one.state() is False
        await one.unload()
        with pytest.raises(LoadFailed, match="connection refused") as failure:
            await one.load(LAST_RESORT_S)
    assert failure.value.reason is Reason.NOTHING_LISTENS


async def test_an_engine_that_restarts_is_waited_for(engine: FakeEngine) -> None:
    vllm = Vllm(engine, asleep=True)
    async with remote(engine.url) as one:
        await engine.refuse()
        loading = asyncio.create_task(one.load(LAST_RESORT_S))
        await asyncio.sleep(0.3)
        await engine.listen()
        await loading
    assert vllm.told == ["/wake_up"]


class Ollama:
    """Ollama's two paths on a scripted engine."""

    def __init__(self, engine: FakeEngine) -> None:
        self.loaded: list[str] = []
        self.keeps = True
        self.told: list[dict[str, Any]] = []
        engine.routes["/api/ps"] = lambda _: answer({"models": [{"name": each} for each in self.loaded]})
        engine.script = self._do

    def _do(self, request: Request) -> Any:
        self.told.append(request.json)
        if request.json["keep_alive"]:
            self.loaded = ["qwen:latest"] if self.keeps else []
        return answer({"done": True})


async def test_a_model_goes_when_the_engine_says_so_not_when_it_agrees(engine: FakeEngine) -> None:
    ollama = Ollama(engine)
    async with remote(engine.url, backend=OllamaClient(model="qwen")) as one:
        await one.load(LAST_RESORT_S)
        unloading = asyncio.create_task(one.unload())
        await eventually(lambda: len(ollama.told) == 2 and len(engine.probes) > 5)
        assert not unloading.done()
        ollama.loaded.clear()
        await unloading
    assert [each["keep_alive"] for each in ollama.told] == [-1, 0]


async def test_a_model_that_is_gone_as_soon_as_it_was_loaded_has_failed(engine: FakeEngine) -> None:
    Ollama(engine).keeps = False
    async with remote(engine.url, backend=OllamaClient(model="qwen")) as one:
        with pytest.raises(LoadFailed, match="the model was loaded, and is gone again"):
            await one.load(LAST_RESORT_S)


async def test_a_model_that_nobody_has_named_cannot_be_loaded(engine: FakeEngine) -> None:
    Ollama(engine)
    async with remote(engine.url, backend=OllamaClient()) as one:
        with pytest.raises(LoadFailed, match="set MODEL"):
            await one.load(LAST_RESORT_S)
