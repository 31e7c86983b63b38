"""Calls under way are found by their own ids and by their key; each is stopped once, for the first reason."""

from __future__ import annotations

import asyncio

import pytest

from hayate.api.in_flight import InFlight, Running, stopped
from hayate.errors import CallStopped, NotAuthenticated
from hayate.telemetry.record import CallRecord
from tests.support.engine_script import Chat, silence
from tests.support.http import Client, fetch, request_bytes
from tests.support.scene import CHAT_PATH, STREAM, Stage, scene
from tests.support.waiting import NEVER_S, eventually

pytestmark = pytest.mark.anyio

REVOKED = NotAuthenticated("revoked")


def begin(calls: InFlight, name: str = "a", upstream: str = "", key: str = "main") -> Running:
    """A call that goes on until it is stopped."""
    record = CallRecord(name, "chat", 1.0, (upstream or name).encode(), key=key)
    return calls.add(record, asyncio.ensure_future(asyncio.sleep(NEVER_S)))


async def ended(*running: Running) -> list[bool]:
    """Which of them were cancelled; the rest is by then."""
    await asyncio.sleep(0)
    tasks = [each.task for each in running if each.task is not None]
    found = [bool(task.cancelling()) for task in tasks]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def test_the_operator_stops_one_call_by_its_id() -> None:
    calls = InFlight()
    first, second = begin(calls, "a"), begin(calls, "b")
    assert calls.stop("b")
    assert not calls.stop("c")
    assert isinstance(second.stopped, CallStopped)
    assert first.stopped is None
    assert await ended(first, second) == [False, True]


async def test_of_two_calls_whose_callers_chose_one_name_each_has_an_id_of_its_own() -> None:
    calls = InFlight()
    first, second = begin(calls, "a"), begin(calls, "a", "a-0123")
    assert (first.id, second.id) == ("a", "a-0123")
    assert calls.stop("a")
    assert second.stopped is None
    assert calls.stop("a-0123")
    assert await ended(first, second) == [True, True]


async def test_all_calls_of_a_key_end_with_it_and_no_others() -> None:
    calls = InFlight()
    mine, also_mine, other = begin(calls, "a", key="k1"), begin(calls, "b", key="k1"), begin(calls, "c", key="k2")
    assert calls.stop_key("k1", REVOKED) == 2
    assert calls.stop_key("k1x", REVOKED) == calls.stop_key("", REVOKED) == 0
    assert mine.stopped is also_mine.stopped is REVOKED
    assert await ended(mine, also_mine, other) == [True, True, False]


async def test_the_first_reason_counts_and_is_told_once() -> None:
    calls = InFlight()
    call = begin(calls)
    calls.stop_key("main", REVOKED)
    calls.stop("a")
    assert call.stopped is REVOKED
    assert call.task is not None
    assert call.task.cancelling() == 1
    await ended(call)


async def test_a_call_that_has_ended_is_not_found() -> None:
    calls = InFlight()
    call = begin(calls)
    assert (len(calls), list(calls)) == (1, [call])
    calls.remove(call)
    assert (len(calls), list(calls)) == (0, [])
    assert not calls.stop("a")
    await ended(call)


async def test_a_call_without_a_task_of_its_own_is_counted_and_can_not_be_stopped() -> None:
    calls = InFlight()
    call = calls.add(CallRecord("a", "chat", 1.0, b"a"), None)
    calls.stop("a")
    assert call.stopped is None


def test_the_reason_is_told_in_both_languages() -> None:
    assert "stopped" in stopped().english
    assert "停止" in stopped().japanese


# On the wire.


async def begun(stage: Stage, client: Client, key: str, body: object = STREAM, path: str = CHAT_PATH) -> None:
    """A stream that has begun and does not end."""
    await client.send(request_bytes("POST", path, body, key, {"x-request-id": "chosen"}))
    await client.read_head()
    async for frame in client.frames():
        if frame.data:
            return


ENDLESS = Chat(["x"] * 3, finish_reason=None, done=False, last=(silence,))


async def test_a_stream_that_the_operator_stops_is_told_so_and_its_engine_stops() -> None:
    async with scene() as stage:
        stage.engine.script = ENDLESS
        mine, other = await stage.new_key(), await stage.new_key()
        async with stage.connect() as first, stage.connect() as second:
            await begun(stage, first, mine["key"])
            await begun(stage, second, other["key"])
            told = (await fetch(stage.url, "/admin/calls", key=stage.operators_key)).json
            assert told["in_flight_count"] == 2
            assert [each["request_id"] for each in told["in_flight"]] == ["chosen", "chosen"]
            ids = {each["key"]: each["id"] for each in told["in_flight"]}
            path = f"/admin/calls/{ids[mine['id']]}"
            reply = await fetch(stage.url, path, method="DELETE", key=stage.operators_key)
            assert (reply.status, reply.json) == (200, {"stopped": ids[mine["id"]]})
            frames = [each async for each in first.frames()]
            assert frames[-1].json["error"]["code"] == "call_stopped"
            await eventually(lambda: stage.engine.open == 1)
            again = await fetch(stage.url, path, method="DELETE", key=stage.operators_key)
            assert (again.status, again.json["error"]["code"]) == (404, "call_not_found")
        (call, _) = await stage.calls(2)
        assert (call["key"], call["status"], call["error"]) == (mine["id"], 503, "call_stopped")
        await eventually(lambda: stage.engine.open == 0)


async def test_a_revoked_key_s_stream_ends_with_an_error_and_others_go_on() -> None:
    async with scene() as stage:
        stage.engine.script = ENDLESS
        mine, other = await stage.new_key(), await stage.new_key()
        async with stage.connect() as first, stage.connect() as second:
            await begun(stage, first, mine["key"])
            await begun(stage, second, other["key"])
            reply = await fetch(stage.url, f"/admin/keys/{mine['id']}", method="DELETE", key=stage.operators_key)
            assert (reply.status, reply.json["state"]) == (200, "revoked")
            frames = [each async for each in first.frames()]
            assert frames[-1].json["error"]["code"] == "invalid_api_key"
            await eventually(lambda: stage.engine.open == 1)
            refused = await fetch(stage.url, CHAT_PATH, STREAM, key=mine["key"])
            assert refused.status == 401
            stranger = await fetch(stage.url, CHAT_PATH, STREAM, key=mine["key"][:-1])
            assert refused.text == stranger.text, "what was a key once is told as what never was"
            told = (await fetch(stage.url, "/admin/calls", key=stage.operators_key)).json["in_flight"]
            assert [each["key"] for each in told] == [other["id"]]
            assert len(stage.engine.abandoned_at_s) == 1


async def test_a_call_that_waits_for_its_engine_is_stopped_with_a_status() -> None:
    async with scene() as stage:
        stage.engine.script = Chat(prefill_s=NEVER_S, early_headers=False)
        asked = asyncio.create_task(stage.post({**STREAM, "stream": False}, headers={"x-request-id": "slow"}))
        await eventually(lambda: stage.engine.open == 1)
        reply = await fetch(stage.url, "/admin/calls/slow", method="DELETE", key=stage.operators_key)
        assert reply.status == 200
        assert ((await asked).status, (await asked).json["error"]["code"]) == (503, "call_stopped")
        await eventually(lambda: stage.engine.open == 0)
