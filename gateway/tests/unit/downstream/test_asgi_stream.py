"""A client's stream on a server that lends nothing: all of it through ASGI's `receive` and `send`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hayate.downstream.asgi_stream import AsgiStream
from hayate.downstream.stream import ClientGone
from tests.support.waiting import LAST_RESORT_S, eventually
from tests.unit.downstream.channel import Make

pytestmark = pytest.mark.anyio


async def test_a_stream_arrives_whole_and_in_order(channel: Make) -> None:
    server = channel()
    await server.client.start_stream()
    for number in range(50):
        server.client.write(b"%d," % number)
        if number % 7 == 0:
            await asyncio.sleep(0)
    await server.client.end_stream()
    assert server.text == b"".join(b"%d," % number for number in range(50))
    assert server.sent[0]["headers"][0] == (b"content-type", b"text/event-stream; charset=utf-8")
    assert [each.get("more_body") for each in server.sent[1:]] == [True] * (len(server.sent) - 2) + [False]


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_has_none_whatever_is_written(channel: Make, status: int) -> None:
    server = channel()
    await server.client.start_stream(status, [])
    server.client.write(b"an engine's mistake")
    await server.client.end_stream()
    assert server.text == b""
    assert server.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    server = channel()
    await server.client.respond(status, [], b"an engine's mistake")
    assert server.text == b""
    assert server.sent[0]["headers"] == []


async def test_a_client_that_is_found_gone_while_sending_is_gone(channel: Make) -> None:
    server = channel()

    async def call() -> None:
        with server.client:
            await server.client.start_stream()
            server.left = True
            server.client.write(b"data: 1\n\n")
            await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.create_task(call()), LAST_RESORT_S)
    assert server.client.gone


async def test_a_client_that_does_not_read_is_given_up(channel: Make) -> None:
    server = channel()

    async def call() -> None:
        with server.client:
            await server.client.start_stream()
            server.client.give_up()
            await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.create_task(call()), LAST_RESORT_S)


@pytest.mark.parametrize("ending", ["end", "leave"])
async def test_no_task_is_left_behind(channel: Make, ending: str) -> None:
    before = len(asyncio.all_tasks())
    server = channel()

    async def call() -> None:
        with server.client:
            await server.client.start_stream()
            server.client.write(b"data: 1\n\n")
            if ending == "leave":
                server.leave()
                await asyncio.Event().wait()
            await server.client.end_stream()

    await asyncio.wait([asyncio.create_task(call())], timeout=LAST_RESORT_S)
    assert server.client.gone == (ending == "leave")
    await eventually(lambda: len(asyncio.all_tasks()) <= before)  # what an earlier test left may end meanwhile


def stream_of(method: str = "POST", *messages: Any) -> tuple[AsgiStream, list[Any]]:
    """A stream whose client says these messages, and what it is sent."""
    incoming, sent = list(messages), list[Any]()

    async def receive() -> Any:
        return incoming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "query_string": b"a=b", "headers": [(b"a", b"1"), (b"a", b"2")]}
    return AsgiStream(scope, receive, send), sent


async def test_the_request_is_read_as_the_server_has_it() -> None:
    stream, _ = stream_of("GET", {"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.request"})
    assert (stream.method, stream.query, stream.fields) == ("GET", b"a=b", {b"a": b"1"})
    assert [await stream.read(), await stream.read()] == [(b"x", True), (b"", False)]


async def test_a_client_that_leaves_in_its_request_is_gone() -> None:
    stream, _ = stream_of("POST", {"type": "http.disconnect"})
    with pytest.raises(ClientGone):
        await stream.read()


async def test_a_head_gets_the_length_of_what_a_get_would_bring_and_a_stream_nothing() -> None:
    stream, sent = stream_of("HEAD")
    await stream.respond(200, [], b"four")
    assert sent[0]["headers"] == [(b"content-length", b"4")]
    stream, sent = stream_of("HEAD")
    await stream.start(200, [])
    stream.writer()(b"four")
    await stream.end()
    assert b"".join(each.get("body", b"") for each in sent) == b""


async def test_nothing_is_written_before_the_stream_has_started() -> None:
    stream, _ = stream_of()
    with pytest.raises(RuntimeError):
        stream.writer()


async def test_pieces_are_counted_however_many_messages_they_take() -> None:
    stream, sent = stream_of()
    assert stream.chunks == 0
    await stream.start(200, [])
    for _ in range(5):
        stream.writer()(b"x")
    await stream.end()
    assert stream.chunks == 5
    assert [each["body"] for each in sent[1:]] == [b"xxxxx", b""], (
        "what gathers while nothing can be sent is one message"
    )
