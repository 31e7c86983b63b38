"""Engines that run by themselves and of which one fits at a time: callers of both models are served, whoever has to make room.

The stand-ins are strict: what is woken without memory for it dies, what is put to sleep or ended with calls under way breaks them
off, and Ollama puts out by itself what it finds in its way. None of this may happen.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from tests.support.engine_script import Chat
from tests.support.fake_engine import running_engine
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.gpu_memory import GpuMemory
from tests.support.http import Reply, fetch, fetch_frames
from tests.support.standin import running_standin
from tests.support.standin_ollama import ollama
from tests.support.standin_ollama_memory import Loaded
from tests.support.standin_router import RouterMode
from tests.support.standin_vllm import NONSENSE, SleepModeVLLM
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

GPU, SIZE = 10, 8
"""In GiB: one of two fits."""
MODELS = ("fast", "smart")
CALLERS, EACH = 8, 4
HELLO = [{"role": "user", "content": "Hello"}]


@dataclass
class Box:
    """One GPU with two models of one kind of engine."""

    memory: GpuMemory
    deployments: dict[str, dict[str, Any]]
    wrongs: Callable[[], Mapping[str, object]]
    """What must not have happened, by what it is: all of it empty or 0."""
    loads: Callable[[], int]
    stand_ins: dict[str, Any] = field(default_factory=dict)

    def config(self, **more: Any) -> str:
        terms = {"memory": f"{GPU}GiB", "quantum_s": 0.3, "max_wait_s": 1}
        deployments = {
            name: {**each, "gpu": "gpu0", "memory": f"{SIZE}GiB", "max_in_flight": 4}
            for name, each in self.deployments.items()
        }
        return json.dumps({"gpus": {"gpu0": terms}, "deployments": deployments, "aliases": {"default": "fast"}, **more})


async def _vllm(stack: AsyncExitStack, level: int = 1) -> Box:
    memory, engines = GpuMemory(GPU), dict[str, SleepModeVLLM]()
    for name in MODELS:
        engine = await stack.enter_async_context(running_engine(model=name))
        chat = Chat([name, "!"], gap_s=0.02, model=name)
        engines[name] = SleepModeVLLM(engine, memory, SIZE, asleep=True, takes_s=0.05, chat=chat)
    return Box(
        memory,
        {
            name: {"backend": "vllm", "replicas": each.engine.url, "options": {"sleep_level": level}}
            for name, each in engines.items()
        },
        lambda: {f"{name} broke off": each.broken_off + each.dead for name, each in engines.items()},
        lambda: sum(path.startswith("/wake_up") for each in engines.values() for path in each.told) // level,
        dict(engines),
    )


async def _llamacpp(stack: AsyncExitStack) -> Box:
    memory = GpuMemory(GPU)
    engine = await stack.enter_async_context(running_engine())
    chat = partial(_named, Chat(["", "!"], gap_s=0.02, early_headers=False))
    router = RouterMode(engine, dict.fromkeys(MODELS, SIZE), memory, takes_s=0.05, chat=chat)
    return Box(
        memory,
        {name: {"backend": "llamacpp", "replicas": engine.url, "model": name} for name in MODELS},
        lambda: {"killed": router.killed},
        lambda: sum(path == "/models/load" for path, _ in router.told),
        {"router": router},
    )


def _named(chat: Chat, request: Any) -> Any:
    return Chat([request.json["model"], "!"], chat.gap_s, early_headers=False)(request)


async def _ollama(stack: AsyncExitStack) -> Box:
    loaded = Loaded(dict.fromkeys(MODELS, SIZE), GpuMemory(GPU), takes_s=0.05)
    running = stack.enter_context(running_standin(partial(ollama, loaded=loaded)))
    return Box(
        loaded.memory,
        {name: {"backend": "ollama", "replicas": running.url, "model": name} for name in MODELS},
        lambda: {"put out by Ollama": loaded.put_out},
        lambda: len(loaded.loads),
        {"ollama": loaded},
    )


BOXES: dict[str, Callable[[AsyncExitStack], Awaitable[Box]]] = {
    "vllm": _vllm,
    "vllm-2": partial(_vllm, level=2),
    "llamacpp": _llamacpp,
    "ollama": _ollama,
}


@asynccontextmanager
async def running_box(kind: str, **more: Any) -> AsyncIterator[tuple[Box, RunningGateway]]:
    async with AsyncExitStack() as stack:
        box = await BOXES[kind](stack)
        gateway = await stack.enter_async_context(running_gateway(config=box.config(**more)))
        await gateway.ready()
        yield box, gateway
        assert box.memory.refused == []
        assert box.memory.most <= GPU
        assert not any(box.wrongs().values()), box.wrongs()


async def call(gateway: RunningGateway, model: str) -> Reply:
    return await fetch(gateway.url, "/v1/chat/completions", {"model": model, "messages": HELLO}, key=gateway.key)


async def stream(gateway: RunningGateway, model: str) -> str:
    """The text of a streamed answer, which must be whole."""
    body = {"model": model, "messages": HELLO, "stream": True}
    frames = await fetch_frames(gateway.url, "/v1/chat/completions", body, key=gateway.key)
    assert frames[-1].data == "[DONE]"
    said = [each.json for each in frames[:-1] if each.data]
    assert said[-1]["choices"][0]["finish_reason"] == "stop"
    return "".join(choice["delta"].get("content") or "" for each in said for choice in each["choices"])


@pytest.mark.parametrize("kind", BOXES)
async def test_callers_of_both_models_are_served_and_none_is_lost(kind: str) -> None:
    async with running_box(kind) as (box, gateway):

        async def caller(number: int) -> None:
            for turn in range(EACH):
                model = MODELS[(number + turn // 2) % 2]
                if number % 2:
                    text = await stream(gateway, model)
                else:
                    reply = await call(gateway, model)
                    assert reply.status == 200, reply.text
                    text = reply.json["choices"][0]["message"]["content"]
                assert NONSENSE not in text
                if kind != "ollama":  # whose stand-in says the same for both
                    assert text == f"{model}!"

        await asyncio.gather(*(caller(number) for number in range(CALLERS)))
        assert 2 <= box.loads() < CALLERS * EACH, "in turns, not a swap for each call"


@pytest.mark.parametrize("kind", BOXES)
async def test_a_model_that_is_preloaded_is_there_before_it_is_called(kind: str) -> None:
    async with running_box(kind, preload=["smart"]) as (box, gateway):
        await eventually(lambda: box.memory.used == SIZE and box.loads() == 1)
        assert (await call(gateway, "smart")).status == 200
        assert box.loads() == 1
        assert (await call(gateway, "fast")).status == 200
        assert box.loads() == 2


async def engines(gateway: RunningGateway) -> dict[str, dict[str, Any]]:
    """What `hayate ps` would show."""
    key = (gateway.data / "admin_key").read_text(encoding="ascii").strip()
    reply = await fetch(gateway.url, "/admin/engines", key=key)
    return {each["name"]: each for each in reply.json["engines"]}


async def test_a_vllm_that_comes_back_awake_is_noticed_and_gives_way() -> None:
    async with running_box("vllm") as (box, gateway):
        box.stand_ins["smart"].restart()

        async def noticed() -> bool:
            return bool((await engines(gateway))["smart"]["state"] == "ready")

        await eventually(noticed)
        assert (await engines(gateway))["smart"]["why"] == "found"
        assert (await call(gateway, "fast")).status == 200
        assert box.stand_ins["smart"].told == ["/sleep?level=1&mode=wait"]


async def test_a_model_that_ollama_unloaded_by_itself_is_loaded_again_when_it_is_called() -> None:
    async with running_box("ollama") as (box, gateway):
        assert (await call(gateway, "fast")).status == 200
        box.stand_ins["ollama"].expire("fast")

        async def noticed() -> bool:
            return bool((await engines(gateway))["fast"]["state"] == "unloaded")

        await eventually(noticed)
        assert (await engines(gateway))["fast"]["why"] == "lost"
        assert (await call(gateway, "fast")).status == 200
        assert box.loads() == 2


async def test_a_model_that_can_not_be_loaded_is_told_and_the_other_one_comes_back() -> None:
    async with AsyncExitStack() as stack:
        box = await _llamacpp(stack)
        router = box.stand_ins["router"]
        router.models["smart"].size = GPU + 1  # more than was written
        gateway = await stack.enter_async_context(running_gateway(config=box.config()))
        await gateway.ready()
        assert (await call(gateway, "fast")).status == 200
        refused = await call(gateway, "smart")
        assert (refused.status, int(refused.headers["retry-after"]) >= 1) == (503, True)
        assert "router" not in refused.text

        async def is_back() -> bool:
            return bool((await engines(gateway))["fast"]["state"] == "ready")

        await eventually(is_back)
        assert (await call(gateway, "fast")).status == 200
        failed = (await engines(gateway))["smart"]
        assert failed["state"] == "failed"
        assert "ended with status 1" in json.dumps(failed)
        assert not router.killed


async def test_another_model_in_the_file_has_the_one_before_unloaded() -> None:
    async with AsyncExitStack() as stack:
        box = await _ollama(stack)
        box.deployments = {"fast": box.deployments["fast"]}
        loaded = box.stand_ins["ollama"]
        gateway = await stack.enter_async_context(running_gateway(config=box.config()))
        await gateway.ready()
        assert (await call(gateway, "fast")).status == 200
        assert list(loaded.runners) == ["fast"]
        box.deployments["fast"] |= {"model": "smart"}
        (gateway.data.parent / "config.yaml").write_text(box.config(), encoding="utf-8")
        gateway.process.send_signal(signal.SIGHUP)
        await eventually(lambda: '"reloaded"' in gateway.stderr())
        await eventually(lambda: not loaded.runners)
        assert (await call(gateway, "fast")).status == 200
        assert list(loaded.runners) == ["smart"]
        assert (box.memory.refused, loaded.put_out) == ([], [])
