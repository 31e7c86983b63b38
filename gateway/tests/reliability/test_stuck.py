"""RELIABILITY: an engine that is there and makes nothing is found: one token is asked for, its calls get an error, readiness
says so, and it is back when it makes something again. A slow engine is not taken for one.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hayate.policy.ceiling import START
from tests.support.engine_script import SSE, Answer, Chat, Request, Script, answer, body, error, head, silence
from tests.support.fake_engine import FakeEngine
from tests.support.quick import slow
from tests.support.scene import PLAIN, STREAM, Stage, scene
from tests.support.waiting import NEVER_S, eventually

pytestmark = pytest.mark.anyio

QUICK = {"probe_interval_s": 0.1, "quiet_s": 0.5, "canary_s": 0.5}
SLOW_S = 2.0
"""Longer than it takes to find out about an engine that is stuck: see QUICK."""
PATIENT = {**QUICK, "canary_s": NEVER_S}
"""For an engine that does answer its canary, however busy the machine is."""
PATHS = {"/v1/chat/completions": PLAIN, "/v1/messages": {**PLAIN, "max_tokens": 9}, "/v1/responses": {"input": "x"}}


class Frozen:
    """An engine whose server goes on saying 200, while what computes behind it can be stopped."""

    def __init__(self, engine: FakeEngine, *, head_at_once: bool = True) -> None:
        self.engine = engine
        self.frozen = asyncio.Event()
        self.works = asyncio.Event()
        self.works.set()
        self.head_at_once = head_at_once
        engine.script = self._answer

    def _answer(self, request: Request) -> Script:
        async def wait(_: Any) -> None:
            await self.works.wait()

        steps = list(Chat(model=self.engine.model)(request))
        if request.asks_for_stream and self.head_at_once:
            return [steps[0], wait, *steps[1:]]
        return [wait, *steps]

    def freeze(self) -> None:
        self.works.clear()

    def thaw(self) -> None:
        self.works.set()

    @property
    def canaries(self) -> int:
        """How often one token was asked for."""
        return sum(is_canary(request) for request in self.engine.requests)


def is_canary(request: Request) -> bool:
    return bool(request.json.get("max_tokens") == 1)


async def status(stage: Stage) -> int:
    return (await stage.get("/readyz")).status


async def is_out(stage: Stage) -> None:
    async def out() -> bool:
        return await status(stage) == 503

    await eventually(out)


@pytest.mark.parametrize("backend", ["vllm", "llamacpp", *slow("sglang", "trtllm")])
@pytest.mark.parametrize("head_at_once", [True, *slow(False)])
async def test_a_frozen_engine_is_found_and_its_return_too(backend: str, head_at_once: bool) -> None:
    async with scene(backend=backend, health=QUICK) as stage:
        engine = Frozen(stage.engine, head_at_once=head_at_once)
        engine.freeze()
        stream, plain = await asyncio.gather(stage.post(STREAM), stage.post(PLAIN))
        assert plain.status == 504
        assert plain.json["error"]["code"] == "timeout"
        assert "canary_s" in plain.json["error"]["message"]
        assert "[DONE]" not in stream.text
        assert "canary_s" in stream.text  # as an event, or as the answer where nothing had begun
        assert await status(stage) == 503
        refused = await stage.post(PLAIN)
        assert (refused.status, refused.json["error"]["code"]) == (503, "overloaded")
        assert (await stage.metrics())["hayate_replica_healthy"] == 0
        await eventually(lambda: '"state":"stuck"' in stage.gateway.stderr())
        engine.thaw()
        await stage.gateway.ready()
        assert (await stage.post(PLAIN)).status == (await stage.post(STREAM)).status == 200


@pytest.mark.parametrize("path", [*slow("/v1/chat/completions"), "/v1/messages", "/v1/responses"])
async def test_its_calls_get_the_error_in_their_dialect(path: str) -> None:
    async with scene(health=QUICK) as stage:
        Frozen(stage.engine).freeze()
        reply = await stage.post({**PATHS[path], "model": "scripted"}, path=path)
        assert reply.status == 504
        assert "canary_s" in reply.json["error"]["message"]
        stage.engine.script = Chat()


async def test_it_froze_in_the_middle_of_streams() -> None:
    async with scene(health=QUICK) as stage:
        begun = asyncio.Event()
        begun.set()

        def some_then_nothing(request: Request) -> Script:
            if is_canary(request):
                return [silence]
            frames = Chat(finish_reason=None, done=False).frames(request)
            return [head(headers=SSE), *(body(each) for each in frames), silence]

        stage.engine.script = some_then_nothing
        replies = await asyncio.gather(*(stage.post(STREAM) for _ in range(5)))
        for reply in replies:
            assert "にちは" in reply.text
            assert "canary_s" in reply.text
            assert "[DONE]" not in reply.text
        stage.engine.script = Chat()
        await stage.gateway.ready()


@pytest.mark.parametrize("said", [Chat(), error(404, "not found"), *slow(error(400, "no chat here"), error(429))])
async def test_an_engine_that_answers_the_canary_is_only_slow(said: Answer) -> None:
    async with scene(health=PATIENT) as stage:
        asked = asyncio.Event()

        def slow(request: Request) -> Script:
            if is_canary(request):
                asked.set()
                return said(request) if callable(said) else said
            return [SLOW_S, *Chat()(request)]

        stage.engine.script = slow
        replies = await asyncio.gather(stage.post(PLAIN), stage.post(STREAM))
        assert [reply.status for reply in replies] == [200, 200]
        assert asked.is_set()
        assert "replica_not_ready" not in stage.gateway.stderr()


async def test_a_canary_is_one_token_on_a_connection_of_its_own() -> None:
    async with scene(health=PATIENT, model="mine") as stage:
        stage.engine.script = lambda request: Chat()(request) if is_canary(request) else [SLOW_S, *Chat()(request)]
        assert (await stage.post(PLAIN)).status == 200
        [first, *_] = [request for request in stage.engine.requests if is_canary(request)]
        assert (first.json["model"], first.json["max_tokens"]) == ("mine", 1)
        assert first.connection != stage.engine.requests[0].connection


async def test_bytes_that_flow_need_no_canary() -> None:
    async with scene(health={**QUICK, "quiet_s": 2.0}) as stage:
        stage.engine.script = Chat(["。"] * 60, gap_s=0.05)
        replies = await asyncio.gather(stage.post(STREAM), stage.post(STREAM))
        assert all("[DONE]" in reply.text for reply in replies)
        assert not any(is_canary(request) for request in stage.engine.requests)


@pytest.mark.parametrize(
    "more",
    [
        {"backend": "openai"},  # a remote API's tokens cost money
        {"canary": False},
        {"max_in_flight": 1},  # it would wait behind the call
    ],
    ids=["openai", "canary: false", "no place"],
)
async def test_no_canary_where_it_costs_or_proves_nothing(more: dict[str, Any]) -> None:
    async with scene(health=QUICK, **more) as stage:
        stage.engine.script = [SLOW_S, *Chat()(Request(path="/v1/chat/completions"))]
        assert (await stage.post(PLAIN)).status == 200
        assert len(stage.engine.requests) == 1
        assert await status(stage) == 200


async def test_it_froze_with_every_place_taken_that_was_found_out() -> None:
    async with scene(health=QUICK, max_in_flight="auto") as stage:
        Frozen(stage.engine).freeze()
        calls = [asyncio.create_task(stage.post(STREAM)) for _ in range(START * 2)]
        await is_out(stage)
        stage.engine.script = Chat()
        await stage.gateway.ready()
        replies = await asyncio.gather(*calls)
        assert sum("canary_s" in each.text for each in replies) >= START


async def test_openai_is_asked_when_it_is_told_so() -> None:
    async with scene(health=QUICK, backend="openai", canary=True) as stage:
        engine = Frozen(stage.engine)
        engine.freeze()
        assert (await stage.post(PLAIN)).status == 504
        assert engine.canaries
        engine.thaw()
        await stage.gateway.ready()


@pytest.mark.parametrize(
    ("backend", "path", "said"),
    [("vllm", "/is_sleeping", {"is_sleeping": True}), ("llamacpp", "/props", {"is_sleeping": True, "total_slots": 9})],
)
async def test_a_model_that_sleeps_is_not_woken(backend: str, path: str, said: dict[str, Any]) -> None:
    async with scene(health=QUICK, backend=backend) as stage:
        stage.engine.routes[path] = answer(said)
        stage.engine.script = lambda request: [SLOW_S, *Chat()(request)]
        assert (await stage.post(PLAIN)).status == 200
        assert len(stage.engine.requests) == 1


async def test_an_engine_that_answers_no_probe_either_is_the_probes_business() -> None:
    async with scene(health={**QUICK, "probe_timeout_s": 0.2}) as stage:
        stage.engine.routes["/health"] = [silence]
        stage.engine.script = lambda request: [SLOW_S, *Chat()(request)]
        assert (await stage.post(PLAIN)).status == 200
        assert len(stage.engine.requests) == 1
