"""RELIABILITY: a queue that is fair. Nobody waits for all that another has queued; who waits is told where it stands; a reload, an
engine's death and a drain leave nobody hanging, and nobody is served twice.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.engine_faults import CLOSE_BEFORE_HEADERS
from tests.support.engine_script import Chat, Exchange, Request, Script
from tests.support.http import Client, Reply, fetch, request_bytes
from tests.support.scene import CHAT_PATH, Stage, scene
from tests.support.waiting import NEVER_S, eventually

pytestmark = pytest.mark.anyio

PLACE = re.compile(rb"^: queue place=(\d+)(?: wait_s=\d+\.\d)?\n", re.MULTILINE)


class Held:
    """An engine's script: each call waits until it is let go, one after the other."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self._gates: asyncio.Queue[None] = asyncio.Queue()

    def __call__(self, request: Request) -> Script:
        self.came.append(request.json["messages"][0]["content"])

        async def wait(_: Exchange) -> None:
            await self._gates.get()

        return [wait, *Chat()(request)] if request.asks_for_stream else Chat()(request)

    def let_go(self, calls: int = 1) -> None:
        for _ in range(calls):
            self._gates.put_nowait(None)


def asked(what: str, **more: Any) -> dict[str, Any]:
    """llama.cpp's engines are always asked for a stream, so that the script can hold a whole answer too."""
    return {"messages": [{"role": "user", "content": what}], **more}


@pytest.fixture(scope="module")
async def narrow_stage() -> AsyncIterator[Stage]:
    others = {"short": {"max_queued": 3}}
    async with scene(
        backend="llamacpp", max_in_flight=1, queue_timeout_s=NEVER_S, others=others, health={"eject_after": 10_000}
    ) as stage:
        yield stage


@pytest.fixture
async def stage(narrow_stage: Stage) -> AsyncIterator[Stage]:
    """A gateway that sends one call at a time. Another model, same engine: `short` (three may wait)."""
    async with narrow_stage.between_tests() as fresh:
        yield fresh


async def waiting(stage: Stage, count: int) -> None:
    """Until so many wait."""

    async def are() -> bool:
        return (await stage.metrics())["hayate_queued"] == count

    await eventually(are)


async def sent(
    stage: Stage, calls: AsyncExitStack, what: str, headers: dict[str, str] | None = None, **more: Any
) -> Client:
    """A streamed call under way, with a key of the stage's unless `key` says whose."""
    key = more.pop("key", stage.key)
    client = await calls.enter_async_context(stage.connect())
    await client.send(request_bytes("POST", CHAT_PATH, asked(what, stream=True, **more), key, headers))
    return client


async def test_a_bot_waits_for_one_answer_of_a_batch_that_has_queued_twenty(stage: Stage) -> None:
    held = stage.engine.script = Held()
    bot = (await stage.new_key())["key"]
    async with AsyncExitStack() as calls:
        for number in range(20):
            await sent(stage, calls, f"batch {number}")
        await waiting(stage, 19)
        client = await sent(stage, calls, "bot", key=bot)
        await waiting(stage, 20)
        held.let_go(2)
        assert (await client.read_reply()).body.endswith(b"data: [DONE]\n\n")
        assert held.came[:3] in (["batch 0", "bot"], ["batch 0", "bot", "batch 1"])
        held.let_go(100)
        await eventually(lambda: len(held.came) == 21)
        await waiting(stage, 0)
    assert held.came[2:] == [f"batch {number}" for number in range(1, 20)]


async def test_a_call_of_low_priority_lets_others_of_its_key_go_before(stage: Stage) -> None:
    held = stage.engine.script = Held()
    async with AsyncExitStack() as calls:
        await sent(stage, calls, "first")
        await waiting(stage, 0)
        await eventually(lambda: held.came == ["first"])
        for number in range(4):
            await sent(stage, calls, f"low {number}", {"x-hayate-priority": "low"})
            await waiting(stage, number + 1)
        last = [await sent(stage, calls, f"normal {number}") for number in range(2)]
        await waiting(stage, 6)
        held.let_go(100)
        for client in last:
            assert (await client.read_reply()).status == 200
        await eventually(lambda: len(held.came) == 7)
    assert held.came.index("normal 1") < held.came.index("low 1")


async def test_a_stream_that_asks_is_told_its_place(stage: Stage) -> None:
    held = stage.engine.script = Held()
    async with AsyncExitStack() as calls:
        await sent(stage, calls, "first")
        await eventually(lambda: held.came == ["first"])
        second = await sent(stage, calls, "second", {"x-hayate-queue": "events"})
        await waiting(stage, 1)
        third = await sent(stage, calls, "third", {"x-hayate-queue": "events"})
        quiet = await sent(stage, calls, "quiet")
        await waiting(stage, 3)
        browser = await calls.enter_async_context(stage.connect())
        await browser.send(request_bytes("GET", "/generate_stream?prompt=browser", key=stage.key))
        await waiting(stage, 4)
        held.let_go(100)
        replies = [await client.read_reply() for client in (second, third, quiet, browser)]
    assert [each.status for each in replies] == [200] * 4
    places = [[int(place) for place in PLACE.findall(each.body)] for each in replies]
    assert [each[:1] for each in places] == [[1], [2], [], [4]]
    assert all(each == sorted(each, reverse=True) for each in places)
    ends = [b"[DONE]", b"[DONE]", b"[DONE]", b"event: done"]
    assert all(end in each.body for end, each in zip(ends, replies, strict=True))


async def test_a_deadline_that_can_not_be_met_is_told_in_the_callers_dialect(stage: Stage) -> None:
    held = stage.engine.script = Held()
    headers = {"x-deadline-ms": "50"}
    async with AsyncExitStack() as calls:
        await sent(stage, calls, "first")
        await eventually(lambda: held.came == ["first"])
        reply = await stage.post(asked("late"), headers=headers)
        assert (reply.status, reply.json["error"]["code"]) == (503, "deadline_unmet")
        assert int(reply.headers["retry-after"]) >= 1
        told = await stage.post({**asked("late"), "max_tokens": 9}, "/v1/messages", headers=headers)
        assert (told.status, told.json["type"]) == (529, "error")
        held.let_go(100)
        await eventually(lambda: not stage.engine.open)
    assert held.came == ["first"]
    wrong = await stage.post(asked("x"), headers={"x-deadline-ms": "soon"})
    assert (wrong.status, wrong.json["error"]["param"]) == (400, "x-deadline-ms")


async def test_a_full_queue_turns_away_who_holds_most_of_it(stage: Stage) -> None:
    held = stage.engine.script = Held()
    bot = (await stage.new_key())["key"]
    async with AsyncExitStack() as calls:
        batch = [await sent(stage, calls, "batch 0", model="short")]
        await eventually(lambda: held.came == ["batch 0"])
        for number in (1, 2, 3):
            batch.append(await sent(stage, calls, f"batch {number}", model="short"))
            await waiting(stage, number)
        client = await sent(stage, calls, "bot", model="short", key=bot)
        refused = await batch[-1].read_reply()
        assert (refused.status, refused.json["error"]["code"]) == (503, "overloaded")
        held.let_go(100)
        assert (await client.read_reply()).status == 200
        assert [(await each.read_reply()).status for each in batch[:-1]] == [200] * 3


async def test_a_reload_with_a_full_queue_serves_everybody_once(stage: Stage) -> None:
    held = stage.engine.script = Held()
    async with AsyncExitStack() as calls:
        clients = [await sent(stage, calls, f"call {number}") for number in range(10)]
        await waiting(stage, 9)
        reload = await fetch(stage.url, "/admin/reload", {}, key=stage.operators_key)
        assert reload.status == 200, reload.text
        held.let_go(100)
        replies = [await client.read_reply() for client in clients]
    assert all(each.body.endswith(b"data: [DONE]\n\n") for each in replies)
    assert sorted(held.came) == sorted(f"call {number}" for number in range(10))


async def test_an_engine_that_dies_leaves_nobody_waiting() -> None:
    async with scene(max_in_flight=1, queue_timeout_s=NEVER_S, health={"probe_interval_s": 0.1}) as stage:
        stage.engine.script = CLOSE_BEFORE_HEADERS
        replies = await asyncio.gather(*(stage.post(asked(str(number))) for number in range(30)))
        await stage.engine.refuse()
        stage.engine.drop_connections()
        replies += await asyncio.gather(*(stage.post(asked(str(number))) for number in range(30)))
        assert {each.status for each in replies} <= {502, 503}
        assert (await stage.metrics())["hayate_queued"] == 0


async def test_a_drain_lets_who_waits_be_served_and_ends_the_rest_with_an_error() -> None:
    async with scene(backend="llamacpp", max_in_flight=1, queue_timeout_s=NEVER_S, server={"drain_s": 3.0}) as stage:
        held = stage.engine.script = Held()
        async with AsyncExitStack() as calls:
            clients = [await sent(stage, calls, f"call {number}") for number in range(6)]
            await waiting(stage, 5)
            leaving = asyncio.create_task(stage.gateway.stop())
            held.let_go(3)
            replies: list[Reply] = [await client.read_reply() for client in clients]
            await leaving
        done = [each.body.endswith(b"data: [DONE]\n\n") for each in replies]
        assert done.count(True) >= 3 - 1, "whoever was served when the time was over may have been the third"
        rest = [each for each, whole in zip(replies, done, strict=True) if not whole]
        assert all(each.status == 503 or b"shutting_down" in each.body for each in rest)
        assert len(set(held.came)) == len(held.came)
