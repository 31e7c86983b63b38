"""Real engines that die, freeze and come back: the documented error, and the next call is served.

What can't be provoked on a real engine (garbage, closing early …) is in test_scripted_faults.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.engines.known import HELLO, KNOWN
from tests.engines.launch import EngineProcess, running_llamacpp
from tests.engines.test_client_leaves import calling, endless, shows, some_text
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import Client, Frame, Reply, fetch
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
ENGLISH = KNOWN[3]
FROZEN_S = 1.5
"""First byte and silence: the limits that find a frozen engine."""


@asynccontextmanager
async def gateway_to(engine: EngineProcess, limit_s: float = 60.0, health: str = "") -> AsyncIterator[RunningGateway]:
    """A gateway that waits `limit_s` for a first byte and for the next one; `health` is settings more."""
    config = f"""
    deployments:
      tiny:
        backend: {engine.backend}
        model: {engine.model}
        replicas: ["{engine.url}"]
        timeouts: {{connect_s: 1, first_byte_s: {limit_s}, silence_s: {limit_s}, whole_s: {limit_s}}}
    aliases: {{default: tiny}}
    health: {{probe_interval_s: 0.5, probe_timeout_s: 0.5, eject_s: 1{health}}}
    """
    async with running_gateway(config=config) as gateway:
        await gateway.ready()
        yield gateway


def failure(frames: list[Frame]) -> dict[str, Any]:
    """The error at the end of a stream: the last frame, without `[DONE]` and without a finish before it."""
    texts = [frame.data for frame in frames if frame.comment is None]
    assert "[DONE]" not in texts
    assert not any(event.get("finish_reason") for frame in frames[:-1] for event in frame.json.get("choices", ()))
    error: dict[str, Any] = frames[-1].json["error"]
    return error


async def rest(client: Client) -> list[Frame]:
    return [frame async for frame in client.frames() if frame.comment is None]


async def hello(gateway: RunningGateway) -> Reply:
    return await fetch(gateway.url, CHAT, {**ENGLISH.request(), "model": "default"}, key=gateway.key)


async def serves_again(gateway: RunningGateway) -> None:
    async def answers() -> bool:
        reply = await hello(gateway)
        return reply.status == 200 and reply.json["choices"][0]["message"]["content"] == HELLO

    await eventually(answers, every_s=0.2)


async def refused_at_once(gateway: RunningGateway) -> None:
    """A dead engine costs a caller none of the limits: here they are a minute, and an answer that came at one would be a 504."""
    reply = await hello(gateway)
    assert (reply.status, reply.json["error"]["type"]) in ((502, "upstream_error"), (503, "overloaded"))


async def test_llamacpp_killed_mid_stream_and_started_again(own_llamacpp: EngineProcess) -> None:
    engine = own_llamacpp
    async with gateway_to(engine) as gateway:
        async with calling(gateway, endless(stream=True)) as client:
            await some_text(client)
            engine.send(signal.SIGKILL)
            error = failure(await rest(client))
            assert (error["type"], error["code"]) == ("upstream_error", "upstream_error")
        await refused_at_once(gateway)
        with running_llamacpp(engine.log.parent, engine.port):
            await serves_again(gateway)
        [first, *_] = gateway.calls()
        assert first["error"] == "upstream_error"


async def test_llamacpp_killed_before_a_whole_answer_is_complete(own_llamacpp: EngineProcess) -> None:
    async with gateway_to(own_llamacpp) as gateway:
        async with calling(gateway, endless(stream=False)) as client:
            await shows(own_llamacpp, 1, 0)
            own_llamacpp.send(signal.SIGKILL)
            reply = await client.read_reply()
        assert (reply.status, reply.json["error"]["type"]) == (502, "upstream_error")
        await refused_at_once(gateway)


def freeze(engine: EngineProcess, number: signal.Signals) -> None:
    """llama.cpp is one process; of vLLM only the core is frozen, while its API server goes on answering /health."""
    if engine.backend == "vllm":
        engine.send_to_core(number)
    else:
        engine.send(number)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_an_engine_frozen_before_it_answers(engine: EngineProcess, stream: bool) -> None:
    async with gateway_to(engine, FROZEN_S) as gateway:
        freeze(engine, signal.SIGSTOP)
        try:
            async with calling(gateway, endless("Hello", stream=stream)) as client:
                reply = await client.read_head()
                error = failure(await rest(client)) if reply.status == 200 else (await _error(client))
            assert (error["type"], error["code"]) in (("timeout", "timeout"), ("overloaded", "overloaded"))
        finally:
            freeze(engine, signal.SIGCONT)
        await serves_again(gateway)
    await shows(engine, 0, 0)


async def test_an_engine_frozen_mid_stream(engine: EngineProcess) -> None:
    async with gateway_to(engine, FROZEN_S) as gateway:
        async with calling(gateway, endless(stream=True)) as client:
            await some_text(client)
            began = time.monotonic()
            freeze(engine, signal.SIGSTOP)
            try:
                error = failure(await rest(client))
                waited_s = time.monotonic() - began
            finally:
                freeze(engine, signal.SIGCONT)
        assert (error["type"], error["code"]) == ("timeout", "timeout")
        assert waited_s > FROZEN_S - 0.5
        await serves_again(gateway)
    await shows(engine, 0, 0)


@pytest.mark.slow
@pytest.mark.vllm
async def test_vllms_core_killed_mid_stream(own_vllm: EngineProcess) -> None:
    """vLLM itself ends such a stream with an error and then `[DONE]`, as if all were well."""
    async with gateway_to(own_vllm) as gateway:
        async with calling(gateway, endless(stream=True)) as client, calling(gateway, endless(stream=False)) as whole:
            await some_text(client)
            await shows(own_vllm, 2, 0)
            own_vllm.send_to_core(signal.SIGKILL)
            error = failure(await rest(client))
            reply = await whole.read_reply()
        assert error["type"] == "upstream_error"
        assert (reply.status, reply.json["error"]["type"]) == (502, "upstream_error")
        await asyncio.sleep(1)
        await refused_at_once(gateway)


@pytest.mark.slow
@pytest.mark.vllm
async def test_vllms_frozen_core_is_found_by_a_canary_and_so_is_its_return(own_vllm: EngineProcess) -> None:
    """Its API server goes on saying 200 for as long as one likes."""

    async def unready() -> bool:
        return (await fetch(gateway.url, "/readyz")).status == 503

    async with gateway_to(own_vllm, 300, ", quiet_s: 3, canary_s: 3") as gateway:
        assert (await hello(gateway)).status == 200
        own_vllm.send_to_core(signal.SIGSTOP)
        try:
            async with (
                calling(gateway, endless(stream=True)) as client,
                calling(gateway, endless(stream=False)) as whole,
            ):
                reply = await client.read_head()
                error = failure(await rest(client)) if reply.status == 200 else (await _error(client))
                assert "canary_s" in error["message"]
                reply = await whole.read_reply()
                assert (reply.status, reply.json["error"]["code"]) == (504, "timeout")
            await eventually(unready)
            await refused_at_once(gateway)
        finally:
            own_vllm.send_to_core(signal.SIGCONT)
        await serves_again(gateway)
    await shows(own_vllm, 0, 0)


@pytest.mark.slow
@pytest.mark.vllm
async def test_vllm_told_to_stop_mid_stream(own_vllm: EngineProcess) -> None:
    """vLLM's processes race to stop, and a running call ends in one of three ways, stream or not.

    200 with a cut text and `finish_reason: abort`; an error; or silence, on connections that its API server keeps open
    for ever. None may pass for a whole answer, and the last ends at the caller's limit.
    """
    limit_s = 10.0
    async with gateway_to(own_vllm, limit_s) as gateway:
        async with calling(gateway, endless(stream=True)) as client, calling(gateway, endless(stream=False)) as whole:
            await some_text(client)
            await shows(own_vllm, 2, 0)
            own_vllm.process.send_signal(signal.SIGTERM)
            error = failure(await rest(client))
            reply = await whole.read_reply()
        if error["type"] == "timeout":
            assert (reply.status, reply.json["error"]["type"]) == (504, "timeout")
        else:
            assert error["type"] == "upstream_error"
            assert (reply.status, reply.json["error"]["type"]) == (502, "upstream_error")
        await asyncio.sleep(1)
        await refused_at_once(gateway)


@pytest.mark.slow
@pytest.mark.vllm
async def test_vllm_killed_mid_stream(own_vllm: EngineProcess) -> None:
    async with gateway_to(own_vllm) as gateway:
        async with calling(gateway, endless(stream=True)) as client, calling(gateway, endless(stream=False)) as whole:
            await some_text(client)
            await shows(own_vllm, 2, 0)
            own_vllm.send(signal.SIGKILL)
            error = failure(await rest(client))
            reply = await whole.read_reply()
        assert error["type"] == "upstream_error"
        assert (reply.status, reply.json["error"]["type"]) == (502, "upstream_error")
        await refused_at_once(gateway)


async def _error(client: Client) -> dict[str, Any]:
    await client.read_body()
    error: dict[str, Any] = client.reply.json["error"]
    assert client.reply.status in (503, 504)
    return error
