"""RELIABILITY: one caller can't switch a model off for everybody; an engine that is killed under load is back at once; one that
works on one thing at a time is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.engine_faults import CLOSE_BEFORE_HEADERS, GARBAGE, cut_mid_frame
from tests.support.engine_script import (
    SSE,
    Answer,
    Chat,
    Exchange,
    Request,
    Script,
    answer,
    body,
    error,
    frame,
    head,
    silence,
)
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.http import Reply
from tests.support.quick import slow
from tests.support.scene import PLAIN, STREAM, Stage, scene
from tests.support.waiting import NEVER_S, eventually

pytestmark = pytest.mark.anyio

POISONS: dict[str, Answer] = {
    "500": error(500),
    "502": error(502),
    "529": error(529),
    "400": error(400, "no such thing"),
    "not HTTP": GARBAGE,
    "not JSON": [head(framing="length", length=5), b"{oops"],
    "no completion": answer({"hello": "world"}),
    "unterminated": cut_mid_frame(),
    "a stream of garbage": [head(headers=SSE), body(frame("{]")), b"0\r\n\r\n"],
    "cut": CLOSE_BEFORE_HEADERS,
}


def poisoned(request: Request) -> Script:
    """What the engine does with a prompt: some make it fail."""
    prompt = request.json["messages"][-1]["content"]
    script = POISONS.get(prompt) or Chat()
    return script(request) if callable(script) else script


def saying(text: str, *, stream: bool) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "stream": stream}


def whole(reply: Reply) -> bool:
    """Whether the answer is the engine's, to its end."""
    return reply.status == 200 and (b"[DONE]" in reply.body or reply.body.endswith(b"}")) and b"error" not in reply.body


async def test_of_a_thousand_calls_one_callers_fifth_makes_the_engine_fail_and_the_others_are_served() -> None:
    poisons = list(POISONS)
    async with scene() as stage:  # the settings it ships with
        stage.engine.script = poisoned

        async def call(number: int) -> tuple[bool, Reply]:
            bad = number % 5 == 0
            text = poisons[number // 5 % len(poisons)] if bad else "こんにちは"
            return bad, await stage.post(saying(text, stream=number % 2 == 0))

        served = failed = 0
        for begin in range(0, 1000, 20):
            for bad, reply in await asyncio.gather(*map(call, range(begin, begin + 20))):
                assert bad or whole(reply), (reply.status, reply.text)
                served += not bad
                failed += bad and not whole(reply)
        assert served == 800
        assert failed == 200
        assert (await stage.get("/readyz")).status == 200


@pytest.fixture(scope="module")
async def quick_to_eject() -> AsyncIterator[Stage]:
    async with scene(health={"eject_after": 2}) as stage:
        yield stage


@pytest.mark.parametrize("poison", POISONS)
async def test_whatever_one_caller_gets_a_row_of_it_leaves_the_model_to_the_next(
    quick_to_eject: Stage, poison: str
) -> None:
    async with quick_to_eject.between_tests() as stage:
        stage.engine.script = poisoned
        for stream in (True, False) * 10:
            assert not whole(await stage.post(saying(poison, stream=stream)))
        assert whole(await stage.post(PLAIN))
        assert whole(await stage.post(STREAM))
        assert (await stage.get("/readyz")).status == 200


async def test_calls_that_are_too_late_leave_the_model_to_the_next() -> None:
    timeouts = {"first_byte_s": 0.2, "silence_s": 0.2}
    async with scene(health={"eject_after": 2, "eject_s": NEVER_S}, timeouts=timeouts) as stage:
        stage.engine.script = [head(headers=SSE), silence]
        replies = await asyncio.gather(*(stage.post(STREAM) for _ in range(10)))
        assert not any(whole(reply) for reply in replies)
        stage.engine.script = Chat()

        async def is_served() -> bool:
            """Nobody is turned away; on a busy machine the engine, too, may be late once more."""
            reply = await stage.post(STREAM)
            assert reply.status != 503, reply.text
            return whole(reply)

        await eventually(is_served)


async def test_an_alias_goes_on_when_the_engine_fails_its_probe_as_well() -> None:
    async with running_engine() as other:
        others = {"other": {"replicas": [other.url]}}
        aliases = {"both": ["scripted", "other"]}
        async with scene(
            others=others, aliases=aliases, health={"probe_interval_s": NEVER_S, "eject_s": NEVER_S}
        ) as stage:
            stage.engine.script = error(500)
            asked = {**PLAIN, "model": "both"}
            for _ in range(10):
                assert (await stage.post(asked)).status == 502
            assert not other.requests
            stage.engine.routes["/health"] = error(500)

            async def goes_on() -> bool:
                return (await stage.post(asked)).status == 200

            await eventually(goes_on)
            assert other.requests
            stage.engine.script, stage.engine.routes["/health"] = Chat(), answer({})
            seen = len(stage.engine.requests)

            async def is_back() -> bool:
                await stage.post(asked)
                return len(stage.engine.requests) > seen

            await eventually(is_back)


async def test_an_engine_killed_under_150_calls_serves_with_its_first_healthy_answer() -> None:
    async with scene() as stage:  # the settings it ships with: a probe every 5 s, an ejection of 30 s
        engine = stage.engine
        engine.script = Chat(["。"] * 600, gap_s=0.1)
        calls = [asyncio.create_task(stage.post(STREAM)) for _ in range(150)]
        await eventually(lambda: engine.open == 150)
        await engine.refuse()
        engine.drop_connections()
        for call in calls:
            assert not whole(await call)
        assert (await stage.post(PLAIN)).status in (502, 503)
        engine.script = Chat()
        seen = len(engine.probes)
        await engine.listen()
        await eventually(lambda: len(engine.probes) > seen, every_s=0.002)

        async def serves() -> bool:
            return whole(await stage.post(PLAIN))

        await eventually(serves)
        again = [probe for probe in list(engine.probes)[seen:] if probe.path == "/health"]
        assert len(again) <= 2, "served only after more probes than the first"


# An engine that works on one thing at a time.


class Serial:
    """Answers nothing, not even a probe, while it works on a call."""

    def __init__(self, engine: FakeEngine, busy_s: float) -> None:
        self.busy_s = busy_s
        self.late_probes = 0
        self.working = False
        self._turn = asyncio.Lock()
        self._engine = engine
        for path in ("/health", "/v1/models"):
            engine.routes[path] = self._after(engine.routes[path])
        engine.script = self._work

    def _after(self, then: Answer) -> Answer:
        async def wait(_: Exchange) -> None:
            self.late_probes += self._turn.locked()
            async with self._turn:
                pass

        return lambda request: [wait, *(then(request) if callable(then) else then)]

    def _work(self, request: Request) -> Script:
        steps = Chat()(request)

        async def work(exchange: Exchange) -> None:
            async with self._turn:
                busy_s, self.working = self.busy_s, True
                await asyncio.sleep(busy_s)
                for step in steps:
                    if isinstance(step, bytes):
                        await exchange.send(step)
                    elif callable(step):
                        await step(exchange)

        return [work]


@asynccontextmanager
async def serial_stage(busy_s: float, **more: Any) -> AsyncIterator[tuple[Stage, Serial]]:
    async with scene(**more) as stage:
        yield stage, Serial(stage.engine, busy_s)


async def ten_wait(busy_s: float, backend: str, **more: Any) -> int:
    """Ten callers of an engine that takes `busy_s` for all of them together. How many probes it was too busy for."""
    async with serial_stage(busy_s / 10, backend=backend, **more) as (stage, engine):
        asked = [PLAIN, STREAM] * 5
        replies = await asyncio.gather(*(stage.post(each) for each in asked))
        assert [reply.status for reply in replies] == [200] * 10
        assert all(map(whole, replies))
        assert (await stage.get("/readyz")).status == 200
        assert "replica_not_ready" not in stage.gateway.stderr()
        return engine.late_probes


@pytest.mark.parametrize("backend", ["openai", *slow("vllm", "llamacpp")])
async def test_ten_callers_wait_for_an_engine_that_answers_no_probe_while_it_works(backend: str) -> None:
    health = {"probe_interval_s": 0.1, "probe_timeout_s": 0.1, "quiet_s": 0.3, "canary_s": 0.3}
    assert await ten_wait(4.0, backend, health=health) > 5


@pytest.mark.slow
async def test_ten_callers_wait_for_one_that_is_busy_for_thirty_seconds_each_with_the_settings_it_ships_with() -> None:
    async with serial_stage(30.0, timeouts={"first_byte_s": 600}) as (stage, engine):
        first = asyncio.create_task(stage.post(PLAIN))
        await eventually(lambda: engine.working)
        engine.busy_s = 0.1
        replies = await asyncio.gather(*(stage.post(each) for each in [PLAIN, STREAM] * 5))
        assert [reply.status for reply in (await first, *replies)] == [200] * 11
        assert engine.late_probes >= 3
        assert "replica_not_ready" not in stage.gateway.stderr()


async def test_a_wait_for_a_busy_engine_ends_with_its_limit_and_not_with_a_503() -> None:
    health = {"probe_interval_s": 0.1, "probe_timeout_s": 0.1, "eject_after": 1}
    async with serial_stage(NEVER_S, health=health, timeouts={"first_byte_s": 1.0, "whole_s": 1.0}) as (stage, _):
        replies = await asyncio.gather(*(stage.post(each) for each in (PLAIN, STREAM, PLAIN)))
        assert [reply.status for reply in replies] == [504] * 3
