"""RELIABILITY: each call is served whole, or refused at once with the time to come back. What an engine refuses or loses goes to
another replica, where there is one; a replica that keeps failing is left alone for a while, and readiness says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.support.engine_faults import CLOSE_BEFORE_HEADERS
from tests.support.engine_script import Answer, Chat, Exchange, Request, Script, answer, error
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.gateway import running_gateway
from tests.support.http import fetch
from tests.support.ports import free_port
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, Stage, scene, settings
from tests.support.waiting import NEVER_S, eventually

pytestmark = pytest.mark.anyio

ENDLESS = Chat(["。"] * 1000, gap_s=0.2)
ASKED = [PLAIN, STREAM]
KINDS = ["whole", "stream"]


@pytest.fixture(scope="module")
async def narrow_stage() -> AsyncIterator[Stage]:
    others = {"line": {"max_queued": 10}, "wide": {"max_in_flight": 100}}
    health = {"eject_after": 10_000}
    async with scene(max_in_flight=1, max_queued=1, queue_timeout_s=NEVER_S, others=others, health=health) as stage:
        yield stage


@pytest.fixture
async def stage(narrow_stage: Stage) -> AsyncIterator[Stage]:
    """A gateway that takes one call at a time and lets one wait, for as long as it takes. Other models, same engine: `line`
    (ten may wait), `wide`.
    """
    async with narrow_stage.between_tests() as fresh:
        yield fresh


async def queue_of(stage: Stage, count: int) -> None:
    """Until so many wait."""

    async def is_so_long() -> bool:
        return (await stage.metrics())["hayate_queued"] == count

    await eventually(is_so_long)


@pytest.mark.parametrize("asked", ASKED, ids=KINDS)
async def test_who_finds_the_queue_full_is_refused_at_once(stage: Stage, asked: dict[str, Any]) -> None:
    stage.engine.script = ENDLESS
    async with stage.connect() as first, stage.connect() as second:
        await first.send(stage.request(STREAM))
        await first.read_head()
        await second.send(stage.request(STREAM))
        await queue_of(stage, 1)
        reply = await stage.post(asked)
        assert (reply.status, reply.json["error"]["code"]) == (503, "overloaded")
        assert int(reply.headers["retry-after"]) >= 1
        assert len(stage.engine.requests) == 1
        stage.engine.script = Chat()
        assert (await stage.post({**asked, "model": "wide"})).status == 200


async def test_the_queue_is_first_come_first_served(stage: Stage) -> None:
    gate = asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        await gate.wait()

    def held(request: Request) -> Script:
        return [wait, *Chat()(request)] if request.asks_for_stream else Chat()(request)

    stage.engine.script = held
    async with stage.connect() as first:
        await first.send(stage.request({**STREAM, "model": "line"}))
        await eventually(lambda: stage.engine.open == 1)
        waiting = []
        for number in range(6):
            body = {"messages": [{"role": "user", "content": str(number)}], "model": "line"}
            waiting.append(asyncio.create_task(stage.post(body)))
            await queue_of(stage, number + 1)
        gate.set()
        assert [reply.status for reply in await asyncio.gather(*waiting)] == [200] * 6
    order = [request.json["messages"][0]["content"] for request in stage.engine.requests[1:]]
    assert order == list("012345")
    assert stage.engine.max_open == 1


async def test_a_burst_is_served_whole_or_refused(stage: Stage) -> None:
    stage.engine.script = Chat(gap_s=0.02)
    replies = await asyncio.gather(*(stage.post(STREAM) for _ in range(40)))
    served = [reply for reply in replies if reply.status == 200]
    assert served
    assert all(reply.body.endswith(b"data: [DONE]\n\n") for reply in served)
    assert {reply.status for reply in replies} == {200, 503}
    assert stage.engine.max_open == 1


async def test_a_wait_that_is_too_long_is_a_503() -> None:
    async with scene(max_in_flight=1, queue_timeout_s=0.4) as stage, stage.connect() as first:
        stage.engine.script = ENDLESS
        await first.send(stage.request(STREAM))
        await first.read_head()
        replies = await asyncio.gather(*(stage.post(asked) for asked in ASKED))
        for reply in replies:
            assert (reply.status, reply.json["error"]["code"]) == (503, "overloaded")
            assert int(reply.headers["retry-after"]) >= 1
        assert len(stage.engine.requests) == 1


async def test_a_keys_rate_is_limited() -> None:
    async with scene(limits={"requests_per_minute": 2}) as stage:
        first, second, third = [await stage.post(PLAIN) for _ in range(3)]
        for reply, remaining in ((first, "1"), (second, "0")):
            assert reply.status == 200
            assert reply.headers["x-ratelimit-limit-requests"] == "2"
            assert reply.headers["x-ratelimit-remaining-requests"] == remaining
        assert (third.status, third.json["error"]["code"]) == (429, "rate_limit_exceeded")
        assert 1 <= int(third.headers["retry-after"]) <= 61  # no second of the minute may be counted half
        assert third.headers["x-ratelimit-remaining-requests"] == "0"
        assert third.headers["x-ratelimit-reset-requests"].endswith("s")
        assert (await stage.post(STREAM)).status == 429
        assert (await stage.get("/health/readiness")).status == 200
        assert len(stage.engine.requests) == 2


@pytest.mark.parametrize("asked", ASKED, ids=KINDS)
@pytest.mark.parametrize(("status", "code"), [(503, "overloaded"), (429, "rate_limit_exceeded")])
async def test_what_the_only_engine_says_of_when_to_come_back_is_passed_on(
    stage: Stage, asked: dict[str, Any], status: int, code: str
) -> None:
    stage.engine.script = error(status, headers={"retry-after": "7"})
    reply = await stage.post(asked)
    assert (reply.status, reply.json["error"]["code"]) == (status, code)
    assert reply.headers["retry-after"] == "7"
    assert len(stage.engine.requests) == 1


@asynccontextmanager
async def two_replicas(**more: Any) -> AsyncIterator[tuple[Stage, FakeEngine]]:
    """A gateway with two engines that were both seen to answer, and are not asked again for a while: the stage's own is the
    first choice.
    """
    health = {"probe_interval_s": NEVER_S, "eject_after": 10_000}
    async with running_engine() as first, running_engine() as second:
        config = settings(first.url, second.url, health=health, **more)
        async with running_gateway(config=config) as gateway:
            await eventually(lambda: first.probes and second.probes)
            await gateway.ready()
            yield Stage(first, gateway), second


@pytest.fixture(scope="module")
async def both() -> AsyncIterator[tuple[Stage, FakeEngine]]:
    async with two_replicas() as pair:
        yield pair


@pytest.mark.parametrize("asked", ASKED, ids=KINDS)
@pytest.mark.parametrize("script", [error(503, headers={"retry-after": "7"}), error(429)], ids=["503", "429"])
async def test_what_one_engine_refuses_the_other_serves(
    both: tuple[Stage, FakeEngine], asked: dict[str, Any], script: Answer
) -> None:
    pair, second = both
    async with pair.between_tests() as stage:
        second.requests.clear()
        stage.engine.script = script
        reply = await stage.post(asked)
        assert reply.status == 200
        assert "retry-after" not in reply.headers
        assert (len(stage.engine.requests), len(second.requests)) == (1, 1)
        assert (await stage.call())["attempts"] == 2


async def test_when_both_refuse_the_caller_is_told_when_to_come_back(both: tuple[Stage, FakeEngine]) -> None:
    pair, second = both
    async with pair.between_tests() as stage:
        stage.engine.script = error(503, headers={"retry-after": "7"})
        second.then(error(503, headers={"retry-after": "9"}))
        reply = await stage.post(PLAIN)
        assert reply.status == 503
        assert reply.headers["retry-after"] in ("7", "9")


async def test_a_failure_after_the_engine_saw_the_call_is_not_repeated(both: tuple[Stage, FakeEngine]) -> None:
    pair, second = both
    async with pair.between_tests() as stage:
        second.requests.clear()
        stage.engine.script = error(500)
        assert (await stage.post(PLAIN)).status == 502
        assert (len(stage.engine.requests), len(second.requests)) == (1, 0)


@pytest.mark.parametrize("asked", ASKED, ids=KINDS)
async def test_a_replica_that_refuses_connections_is_passed_over(asked: dict[str, Any]) -> None:
    async with two_replicas() as (stage, second):
        assert (await stage.post(asked)).status == 200
        await stage.engine.refuse()
        stage.engine.drop_connections()
        stage.engine.requests.clear()
        reply = await stage.post(asked)
        assert reply.status == 200
        assert (len(stage.engine.requests), len(second.requests)) == (0, 1)
        assert (await stage.calls(2))[1]["attempts"] == 2


async def test_a_dead_engine_is_told_at_once() -> None:
    """Whatever the limits are."""
    health = {"probe_interval_s": NEVER_S, "eject_s": NEVER_S}
    timeouts = {"connect_s": NEVER_S, "first_byte_s": NEVER_S}
    config = settings(f"http://127.0.0.1:{free_port()}", health=health, timeouts=timeouts)
    async with running_gateway(config=config) as gateway:
        for asked in ASKED:
            reply = await fetch(gateway.url, CHAT_PATH, asked, key=gateway.key)
            assert reply.status in (502, 503)
            assert reply.json["error"]["code"] in ("upstream_error", "overloaded")
        reply = await fetch(gateway.url, "/health/readiness")
        assert (reply.status, reply.json["status"]) == (503, "not_ready")


async def test_failures_together_with_a_failing_probe_throw_a_replica_out_until_it_answers() -> None:
    async with scene(health={"probe_interval_s": NEVER_S, "eject_s": NEVER_S}) as stage:
        stage.engine.script = stage.engine.routes["/health"] = CLOSE_BEFORE_HEADERS
        for _ in range(5):
            assert (await stage.post(PLAIN)).status in (502, 503)

        async def is_out() -> bool:
            return (await stage.get("/health/readiness")).status == 503

        await eventually(is_out)
        seen = len(stage.engine.requests)
        reply = await stage.post(PLAIN)
        assert (reply.status, reply.json["error"]["code"]) == (503, "overloaded")
        assert int(reply.headers["retry-after"]) >= 1
        assert len(stage.engine.requests) == seen
        stage.engine.script, stage.engine.routes["/health"] = Chat(), answer({})
        await stage.gateway.ready()
        assert (await stage.post(PLAIN)).status == 200


async def test_an_engine_that_was_restarted_is_taken_back_when_it_answers() -> None:
    async with scene(health={"probe_interval_s": NEVER_S, "eject_s": NEVER_S}) as stage:
        await stage.engine.refuse()
        stage.engine.drop_connections()
        for _ in range(5):
            assert (await stage.post(PLAIN)).status in (502, 503)
        reply = await stage.post(PLAIN)
        assert (reply.status, reply.json["error"]["code"]) == (503, "overloaded")
        reply = await stage.get("/health/readiness")
        assert (reply.status, reply.json["status"]) == (503, "not_ready")
        await stage.engine.listen()
        await stage.gateway.ready()
        assert (await stage.post(PLAIN)).status == 200


async def test_more_connections_than_allowed_are_turned_away_with_a_503() -> None:
    """Whoever comes too much has mostly sent its request already: the answer must survive that."""
    async with scene(server={"max_connections": 3}) as stage, AsyncExitStack() as held:
        for _ in range(3):
            await held.enter_async_context(stage.connect())
        for _ in range(20):
            async with stage.connect() as late:
                await late.send(stage.request(PLAIN))
                reply = await late.read_reply()
                assert reply.status == 503
                assert reply.json["error"]["code"] == "overloaded"
                assert await late.read_raw() == b""
        await held.aclose()

        async def is_served() -> bool:
            return (await stage.post(PLAIN)).status == 200

        await eventually(is_served)


async def test_idle_connections_make_room_the_longest_idle_first() -> None:
    """Connections that are kept and ask nothing keep nobody out; those at work are never closed for another."""
    async with scene(server={"max_connections": 6}) as stage, AsyncExitStack() as held:
        stage.engine.script = Chat(["。"] * 10_000, gap_s=0.02)
        busy = await held.enter_async_context(stage.connect())
        await busy.send(stage.request(STREAM))
        await busy.read_head()
        stage.engine.script = Chat()
        idle = [await held.enter_async_context(stage.connect()) for _ in range(5)]
        for client in (*idle[1:], idle[0], idle[2]):  # the order in which they begin to be idle: 1, 3, 4, 0, 2
            await client.send(stage.request(PLAIN))
            assert (await client.read_reply()).status == 200
            client.reply.body = b""
        for oldest in (1, 3, 4):
            late = await held.enter_async_context(stage.connect())
            await late.send(stage.request(PLAIN))
            assert (await late.read_reply()).status == 200
            assert await idle[oldest].read_to_end() == b""
        for client in (idle[0], idle[2]):
            await client.send(stage.request(PLAIN))
            assert (await client.read_reply()).status == 200
        assert (await busy.read_chunk()).startswith(b"data: ")


async def test_many_idle_connections_keep_nobody_out() -> None:
    async with scene(server={"max_connections": 200}) as stage, AsyncExitStack() as held:
        for number in range(400):
            client = await held.enter_async_context(stage.connect())
            path = "/health" if number % 2 else "/v1/models"  # kept by either way of serving
            await client.send(stage.request(None, path, method="GET"))
            assert (await client.read_reply()).status == 200
        assert (await stage.post(PLAIN)).status == 200
