"""Everything goes to a client whose content is kept as to any other, and a copy aside: of text, without signs of life."""

from __future__ import annotations

import asyncio

import pytest

from hayate.downstream.kept_client import KeptClient
from hayate.relay.pump import Sink
from hayate.telemetry.content import Content
from hayate.wire.error_bodies import JSON
from tests.support.waiting import eventually
from tests.unit.downstream.channel import Channel, Make

pytestmark = pytest.mark.anyio

AUDIO = [(b"content-type", b"audio/mpeg")]


def kept(server: Channel, max_bytes: int = 10_000) -> tuple[KeptClient, Content]:
    content = Content(max_bytes, 60)
    server.client.answer_headers.append((b"x-request-id", b"1"))
    return KeptClient(server.client, content), content


async def test_a_body_and_a_whole_answer(channel: Make) -> None:
    server = channel(content_type="application/json")
    client, content = kept(server)
    server.body(b'{"a":', b"1}")
    assert await client.body(100) == b'{"a":1}'
    await client.respond(200, JSON, b'{"b":2}')
    assert (content.prompt, content.answer) == (b'{"a":1}', b'{"b":2}')
    assert server.text == b'{"b":2}'
    assert (b"x-request-id", b"1") in server.sent[0]["headers"]


async def test_a_body_that_was_packed_is_kept_as_it_was_meant(channel: Make) -> None:
    import gzip

    server = channel(content_encoding="gzip")
    client, content = kept(server)
    server.body(gzip.compress(b'{"a":1}'))
    await client.body(100)
    assert content.prompt == b'{"a":1}'


async def test_a_stream_by_whatever_way_without_its_pings(channel: Make) -> None:
    server = channel()
    client, content = kept(server)
    server.body(b"{}")
    await client.body(100)
    with client:
        client.opening = b"id: 0\n\n"
        client.expect_stream()
        await eventually(lambda: b": ping\n" in server.text)
        await client.start_stream()
        client.write(b"data: 1\n\n")
        client.writer()(b"data: 2\n\n")  # a pump's way
        await client.end_stream()
    sink: Sink = client
    assert sink.raw_writer() is None
    assert content.answer == b"id: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert server.text.endswith(b"data: 1\n\ndata: 2\n\n")


async def test_recordings_and_sound_are_not_kept(channel: Make) -> None:
    server = channel(content_type="multipart/form-data; boundary=x")
    client, content = kept(server)
    server.body(b"\0\1")
    await client.body(100)
    await client.start_stream(200, AUDIO)
    client.writer()(b"\0\1")
    await client.end_stream()
    assert (content.prompt, content.answer) == (b"", b"")
    other, kept_of_it = kept(channel())
    await other.respond(200, AUDIO, b"\0\1")
    assert kept_of_it.answer == b""


async def test_a_client_that_leaves_cancels_its_task_as_any_other(channel: Make) -> None:
    server = channel()
    client, _ = kept(server)
    server.body(b"{}")
    await client.body(100)

    async def wait() -> None:
        with client:
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    server.leave()
    await asyncio.wait([task])
    assert task.cancelled()
    assert client.gone
