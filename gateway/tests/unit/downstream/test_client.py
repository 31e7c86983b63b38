"""The client's side of a call: its body in, an answer or a stream out, pings, and the watch for its leaving."""

from __future__ import annotations

import asyncio
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from hayate.downstream.stream import ClientGone
from hayate.errors import BodyTooLarge
from hayate.relay.pump import Pump
from hayate.telemetry.record import CallRecord
from tests.support.waiting import LAST_RESORT_S, NEVER_S, eventually
from tests.unit.downstream.channel import Make

pytestmark = pytest.mark.anyio


async def test_a_body_in_pieces_is_joined(channel: Make) -> None:
    server = channel()
    server.body(b"{", b'"a"', b":1}")
    assert await server.client.body(100) == b'{"a":1}'


async def test_a_body_whose_length_is_too_large_is_not_read(channel: Make) -> None:
    with pytest.raises(BodyTooLarge):
        await channel(content_length="101").client.body(100)


async def test_a_body_that_grows_too_large_is_read_no_further(channel: Make) -> None:
    server = channel()
    server.body(b"x" * 60, b"x" * 60, b"x")
    with pytest.raises(BodyTooLarge):
        await server.client.body(100)
    assert server.incoming.qsize() == 1


async def test_a_client_that_leaves_in_its_body_is_gone(channel: Make) -> None:
    server = channel()
    server.incoming.put_nowait({"type": "http.request", "body": b"{", "more_body": True})
    server.leave()
    with pytest.raises(ClientGone):
        await server.client.body(100)


async def test_a_whole_answer_is_a_head_and_a_body(channel: Make) -> None:
    server = channel()
    server.client.answer_headers.append((b"x-request-id", b"7"))
    await server.client.respond(418, [(b"content-type", b"text/plain")], b"tea")
    start, body = server.sent
    assert start["status"] == 418
    assert start["headers"] == [(b"content-type", b"text/plain"), (b"x-request-id", b"7"), (b"content-length", b"3")]
    assert (body["body"], body["more_body"]) == (b"tea", False)


async def test_a_silent_stream_gets_pings_from_before_its_start(channel: Make) -> None:
    server = channel()
    with server.client:
        server.client.expect_stream()
        await eventually(lambda: server.text.count(b": ping\n") >= 2)
        await server.client.start_stream()  # begun already
        server.client.write(b"data: 1\n\n")
        await server.client.end_stream()
    assert server.text.endswith(b"data: 1\n\n")
    assert sum(each["type"] == "http.response.start" for each in server.sent) == 1


async def test_a_stream_that_flows_gets_no_pings(channel: Make) -> None:
    server = channel()
    with server.client:
        server.client.expect_stream()
        await server.client.start_stream()
        for _ in range(20):
            server.client.write(b"data: 1\n\n")
            await asyncio.sleep(0.01)
        await server.client.end_stream()
    assert b"ping" not in server.text


async def test_a_client_that_leaves_cancels_whatever_is_awaited(channel: Make) -> None:
    server = channel()

    async def call() -> None:
        with server.client:
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await asyncio.sleep(0.01)
    server.leave()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, LAST_RESORT_S)
    assert server.client.gone


class Paused:
    """Stands where the pump is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")


async def test_a_client_that_is_behind_pauses_the_pump_until_it_has_caught_up(channel: Make) -> None:
    server, pump = channel(), Paused()
    with server.client:
        await server.client.start_stream()
        server.client.attach(as_pump(pump))
        server.taking.clear()
        for _ in range(3):
            server.client.write(b"x" * 40_000)
            await asyncio.sleep(0)
        assert pump.told == ["pause"]
        server.taking.set()
        await server.client.end_stream()
    assert pump.told == ["pause", "resume"]
    assert len(server.text) == 120_000


async def test_a_pump_that_comes_to_a_client_that_is_behind_is_paused_at_once(channel: Make) -> None:
    server, pump = channel(), Paused()
    server.client.client_full()
    server.client.attach(as_pump(pump))
    assert pump.told == ["pause"]


def as_pump(stand_in: Any) -> Pump:
    pump: Pump = stand_in
    return pump


async def test_while_a_pump_is_looked_at_its_client_is_not_looked_at_by_itself(channel: Make) -> None:
    client = channel().client
    pump: Any = SimpleNamespace(passed=0, complete=False, close_fast_path=lambda: None)
    assert client.attach(pump) is None  # nor is it otherwise: it is no stream that must not be silent
    client.expect_stream()
    ticker = client._ticker
    assert list(ticker) == [client]
    assert client.attach(pump) == client.tick
    assert list(ticker) == []
    client.attach(None)
    assert list(ticker) == [client]
    ticker.discard(client)


async def test_who_waits_for_a_stream_is_told_where_it_stands_as_comments(channel: Make) -> None:
    server = channel(CallRecord("r", "chat", 0.0, stream=True))
    with server.client:
        server.client.expect_stream()
        server.client.stands(3, None)
        server.client.stands(3, None)  # its head is just being sent
        await server.client.settled()
        server.client.stands(2, 4.25)
        await eventually(lambda: b"place=2" in server.text)
    assert server.text == b": queue place=3\n: queue place=2 wait_s=4.2\n"
    assert server.sent[0]["status"] == 200


async def test_who_waits_for_a_model_is_told_what_is_loaded_with_its_place_and_with_each_sign_of_life(
    channel: Make,
) -> None:
    record = CallRecord("r", "chat", 0.0, stream=True)
    record.standing = lambda: b": loading model=smart\n"
    server = channel(record)
    client = server.client
    with client:
        client.expect_stream()
        client.stands(1, None)
        await client.settled()
        for number in range(1, 5):  # every other look finds that something has been said since the one before
            client.tick(monotonic() + number * NEVER_S)
            if number == 2:
                record.standing = lambda: b""  # it is there now
        await eventually(lambda: b"ping" in server.text)
    assert server.text == b": queue place=1\n: loading model=smart\n: loading model=smart\n: ping\n"


async def test_who_waits_for_a_whole_answer_is_told_nothing(channel: Make) -> None:
    server = channel(CallRecord("r", "chat", 0.0))
    with server.client:
        server.client.stands(3, 1.0)
        await asyncio.sleep(0)
    assert server.sent == []
