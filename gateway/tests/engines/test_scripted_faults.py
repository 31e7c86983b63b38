"""Faults no real engine can be told to make: each gives the documented error, and the next call is served.

One gateway with short limits stands in front of one fake engine for the whole file, so that every fault also shows that the one
before it left nothing behind.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

import pytest

from tests.support.engine_faults import (
    CLOSE_BEFORE_HEADERS,
    GARBAGE,
    HEADERS_THEN_SILENCE,
    HUGE_HEADER,
    NEVER_READS,
    NO_ANSWER,
    RESET_BEFORE_HEADERS,
    cut_mid_frame,
    error_then_done,
    silent_mid_stream,
)
from tests.support.engine_script import SSE, Answer, Chat, answer, body, cut, end, error, head, reset, sse
from tests.support.fake_engine import FakeEngine, running_engine, unanswered_port
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import connection, fetch, request_bytes
from tests.support.waiting import NEVER_S, eventually

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
LIMITS_S = {"connect_s": 0.5, "first_byte_s": 1.0, "silence_s": 0.7, "whole_s": 1.0}
BROKE = (502, "upstream_error", "upstream_error")
TIMEOUT = (504, "timeout", "timeout")
BUSY = (503, "overloaded", "overloaded")
LIMITED = (429, "rate_limit_error", "rate_limit_exceeded")
STREAMING = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
BACKENDS = ("vllm", "llamacpp")

HALF_A_WHOLE = [head(framing="length", length=500), b'{"choices": [{"index": 0, "mess', cut]
BEFORE_ANYTHING: Mapping[str, tuple[Answer, tuple[int, str, str]]] = {
    "garbage": (GARBAGE, BROKE),
    "closing before headers": (CLOSE_BEFORE_HEADERS, BROKE),
    "reset before headers": (RESET_BEFORE_HEADERS, BROKE),
    "half a status line": ([b"HTTP/1.1 20", cut], BROKE),
    "huge header": (HUGE_HEADER, BROKE),
    "no answer": (NO_ANSWER, TIMEOUT),
    "a web page": (answer(b"<html>hello</html>", headers={"content-type": "text/html"}), BROKE),
    "an error page": (answer(b"<html>oops</html>", 500, {"content-type": "text/html"}), BROKE),
    "server error": (error(500), BROKE),
    "engine busy": (error(503), BUSY),
    "engine limits": (error(429), LIMITED),
    "engine refuses our key": (answer({"error": "Unauthorized"}, 401), BROKE),
    "shutting down": (error(500, "cannot schedule new futures after shutdown"), BUSY),
}
MID_STREAM: Mapping[str, tuple[Answer, tuple[int, str, str]]] = {
    "cut mid-frame": (cut_mid_frame(), BROKE),
    "reset": (Chat(("こん",), finish_reason=None, done=False, last=[reset]), BROKE),
    "clean end without a finish": (Chat(("こん",), finish_reason=None, done=False), BROKE),
    "end of a close-delimited body": (
        Chat(("こん",), finish_reason=None, done=False, framing="close"),
        BROKE,
    ),
    "error, then done": (error_then_done(), BROKE),
    "abort": (Chat(("こん",), finish_reason="abort"), BROKE),
    "not JSON": (sse([b"data: {what\n\n"], last=[end]), BROKE),
    "not an object": (sse([b"data: [1]\n\n"], last=[end]), BROKE),
    "broken chunk size": ([head(headers=SSE), body(b": hi\n\n"), b"zz\r\n"], BROKE),
    "silence": (silent_mid_stream(), TIMEOUT),
    "headers, then silence": (HEADERS_THEN_SILENCE, TIMEOUT),
}


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[tuple[FakeEngine, RunningGateway]]:
    async with running_engine() as engine:
        deployments = "\n".join(
            f"  {name}: {{backend: {name}, model: scripted, replicas: ['{engine.url}'], timeouts: {LIMITS_S}}}"
            for name in BACKENDS
        )
        config = f"deployments:\n{deployments}\nhealth: {{probe_interval_s: {NEVER_S}, eject_after: 1000}}"
        async with running_gateway(config=config) as gateway:
            await gateway.ready()
            yield engine, gateway


@pytest.fixture
async def engine(shared: tuple[FakeEngine, RunningGateway]) -> AsyncIterator[FakeEngine]:
    """The fake engine, well again after each test, and then the gateway serves the next call."""
    engine, gateway = shared
    yield engine
    engine.script, engine.on_connect, engine.stale = Chat(), (), None
    for backend in BACKENDS:
        await eventually(partial(is_served, gateway, backend))
    assert engine.open == 0


@pytest.fixture
def gateway(shared: tuple[FakeEngine, RunningGateway]) -> RunningGateway:
    return shared[1]


async def ask(gateway: RunningGateway, backend: str, *, stream: bool) -> tuple[int, dict[str, Any], str]:
    """Status, error and text of one call. A stream's error comes as a frame, and no `[DONE]` after it."""
    messages = [{"role": "user", "content": "こんにちは"}]
    async with connection(gateway.url) as client:
        request = {"model": backend, "messages": messages, "stream": stream}
        await client.send(request_bytes("POST", CHAT, request, gateway.key))
        reply = await client.read_head()
        if not stream or reply.status != 200:
            await client.read_body()
            ok = reply.status == 200
            text = reply.json["choices"][0]["message"]["content"] if ok else ""
            return reply.status, {} if ok else reply.json["error"], text
        text = ""
        frames = [frame async for frame in client.frames() if frame.comment is None]
        for frame in frames[:-1]:
            text += "".join(choice["delta"].get("content") or "" for choice in frame.json["choices"])
        return 200, {} if frames[-1].data == "[DONE]" else frames[-1].json["error"], text


async def is_served(gateway: RunningGateway, backend: str) -> bool:
    """Nobody is turned away; on a busy machine the engine may be late once more."""
    status, failure, text = await ask(gateway, backend, stream=False)
    assert status in (200, 504), failure
    return (status, failure, text) == (200, {}, "こんにちは。")


async def fails(gateway: RunningGateway, backend: str, expected: tuple[int, str, str], *, stream: bool) -> str:
    """The call fails as documented; returns what text came before."""
    status, failure, text = await ask(gateway, backend, stream=stream)
    assert (failure["type"], failure["code"]) == expected[1:]
    assert failure["message"]
    assert status in ({200, expected[0]} if stream else {expected[0]})
    return text


@pytest.mark.parametrize("backend", BACKENDS)
@STREAMING
@pytest.mark.parametrize("fault", BEFORE_ANYTHING)
async def test_before_the_answer(
    engine: FakeEngine, gateway: RunningGateway, backend: str, stream: bool, fault: str
) -> None:
    engine.script, expected = BEFORE_ANYTHING[fault]
    assert not await fails(gateway, backend, expected, stream=stream)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fault", MID_STREAM)
async def test_mid_stream(engine: FakeEngine, gateway: RunningGateway, backend: str, fault: str) -> None:
    engine.script, expected = MID_STREAM[fault]
    text = await fails(gateway, backend, expected, stream=True)
    assert "こんにち".startswith(text)


@pytest.mark.parametrize("fault", MID_STREAM)
async def test_mid_stream_under_a_whole_answer(engine: FakeEngine, gateway: RunningGateway, fault: str) -> None:
    """llama.cpp is asked for a stream although the client was not: its faults have a status here."""
    engine.script, expected = MID_STREAM[fault]
    await fails(gateway, "llamacpp", expected, stream=False)


async def test_half_a_whole_answer(engine: FakeEngine, gateway: RunningGateway) -> None:
    engine.script = HALF_A_WHOLE
    await fails(gateway, "vllm", BROKE, stream=False)


@pytest.mark.parametrize("backend", BACKENDS)
@STREAMING
async def test_an_engine_that_never_reads(
    engine: FakeEngine, gateway: RunningGateway, backend: str, stream: bool
) -> None:
    engine.drop_connections()
    engine.on_connect = NEVER_READS
    await fails(gateway, backend, TIMEOUT, stream=stream)


@STREAMING
async def test_an_engine_that_accepts_and_closes(engine: FakeEngine, gateway: RunningGateway, stream: bool) -> None:
    engine.drop_connections()
    engine.on_connect = [cut]
    await fails(gateway, "vllm", BROKE, stream=stream)


@STREAMING
async def test_an_engine_that_refuses_connections(stream: bool) -> None:
    async with running_engine() as engine, _gateway_to(engine.url) as gateway:
        await engine.refuse()
        engine.drop_connections()
        status, failure, _ = await ask(gateway, "one", stream=stream)
        assert (status, failure["type"]) in ((502, "upstream_error"), (503, "overloaded"))
        await engine.listen()
        await gateway.ready()
        assert await ask(gateway, "one", stream=stream) == (200, {}, "こんにちは。")


@STREAMING
async def test_an_engine_that_is_slow_to_connect(stream: bool) -> None:
    with unanswered_port() as url:
        async with _gateway_to(url) as gateway:
            status, failure, _ = await ask(gateway, "one", stream=stream)
            assert (status, failure["type"]) in ((502, "upstream_error"), (503, "overloaded"), (504, "timeout"))


@pytest.mark.parametrize("ending", [cut, reset], ids=["closed", "reset"])
@STREAMING
async def test_a_kept_connection_that_died_under_a_call_costs_that_call_alone(
    engine: FakeEngine, gateway: RunningGateway, stream: bool, ending: Any
) -> None:
    assert (await ask(gateway, "vllm", stream=False))[0] == 200
    engine.stale = [ending]
    assert (await ask(gateway, "vllm", stream=stream))[0] == 502
    assert await ask(gateway, "vllm", stream=stream) == (200, {}, "こんにちは。")


@STREAMING
async def test_kept_connections_that_died_cost_the_caller_nothing(
    engine: FakeEngine, gateway: RunningGateway, stream: bool
) -> None:
    for _ in range(5):
        assert await ask(gateway, "vllm", stream=stream) == (200, {}, "こんにちは。")
        engine.drop_connections()


async def test_two_replicas_one_dead_and_nobody_notices() -> None:
    async with running_engine() as dead, running_engine() as well:
        await dead.refuse()
        config = f"deployments: {{two: {{backend: vllm, model: scripted, replicas: ['{dead.url}', '{well.url}']}}}}"
        async with running_gateway(config=config) as gateway:
            for _ in range(8):
                assert await ask(gateway, "two", stream=True) == (200, {}, "こんにちは。")


async def test_health_is_alive_while_no_engine_is() -> None:
    async with running_engine() as engine, _gateway_to(engine.url) as gateway:
        await gateway.ready()
        engine.routes["/health"] = error(503)
        await engine.refuse()
        engine.drop_connections()
        for _ in range(6):
            await ask(gateway, "one", stream=False)
        assert (await fetch(gateway.url, "/health")).status == 200
        assert (await fetch(gateway.url, "/health/readiness")).status == 503


def _gateway_to(url: str) -> Any:
    config = f"""
    deployments: {{one: {{backend: vllm, model: scripted, replicas: ['{url}'], timeouts: {LIMITS_S}}}}}
    health: {{probe_interval_s: 0.3, eject_s: 1}}
    """
    return running_gateway(config=config)
