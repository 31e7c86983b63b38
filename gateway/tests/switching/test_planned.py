"""What `hayate plan --models` writes, with a gateway: the sizes that it says are those with which nobody runs out of memory.

The engines are stand-ins of vLLM's sleep mode that share a GPU of the planned size and take of it, awake, what the plan says a
real one takes; one that is woken without memory for it dies.
"""

from __future__ import annotations

import json
from contextlib import AsyncExitStack

import pytest

from hayate.tools.planner.gateway_yaml import gateway_values
from tests.support.engine_script import Chat
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.gpu_memory import GpuMemory
from tests.support.http import fetch
from tests.support.standin_vllm import SleepModeVLLM
from tests.unit.tools.planner.sharing import PAIR, room, shared

pytestmark = pytest.mark.anyio
THREE = "qwen2.5-7b,qwen2.5-14b,bakeneko-32b"


@pytest.mark.parametrize(
    ("names", "called", "wakings"),
    [
        (PAIR, "fast smart fast", 3),
        # The small ones stay beside each other; the large one takes turns with both.
        (THREE, "fast qwen2.5-14b fast smart fast qwen2.5-14b fast", 5),
    ],
)
async def test_the_planned_models_are_served_in_turns_by_their_planned_sizes(
    names: str, called: str, wakings: int
) -> None:
    plan = shared(names, room("24GiB"))
    assert plan.arrangement is not None
    values = gateway_values(plan)
    values["gpus"]["gpu0"] |= {"quantum_s": 0.05, "max_wait_s": 0.5}
    asleep = sum(each.candidate.asleep_bytes for each in plan.arrangement.placed)
    memory = GpuMemory(plan.room.wish.gpu.memory_bytes - asleep)
    engines: dict[str, SleepModeVLLM] = {}
    async with AsyncExitStack() as stack:
        for each in plan.arrangement.placed:
            name = each.candidate.name
            engine = await stack.enter_async_context(running_engine(model=name))
            takes = each.loaded_bytes - each.candidate.asleep_bytes
            engines[name] = SleepModeVLLM(engine, memory, takes, asleep=True, chat=Chat([name], model=name))
            values["deployments"][name] |= {"replicas": engine.url, "model": name}
        gateway = await stack.enter_async_context(running_gateway(config=json.dumps(values)))
        await gateway.ready()
        first, *_, last = engines
        said = {"fast": first, "smart": last}
        for model in called.split():
            call = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
            reply = await fetch(gateway.url, "/v1/chat/completions", call, key=gateway.key)
            assert reply.status == 200, reply.text
            assert reply.json["choices"][0]["message"]["content"] == said.get(model, model)
    assert not memory.refused
    assert not any(each.dead or each.broken_off for each in engines.values())
    woken = [path for each in engines.values() for path in each.told if path.startswith("/wake_up")]
    assert len(woken) == wakings, "the first was loaded at the start, before it was called"
