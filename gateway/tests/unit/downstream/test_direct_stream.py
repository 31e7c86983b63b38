"""One call on the client's own connection: the bytes that leave, in how many writes, and what happens once the client has gone."""

from __future__ import annotations

import asyncio

import pytest

from hayate.downstream.direct_stream import DirectStream
from hayate.downstream.stream import ClientGone, ClientStream, Endpoint
from hayate.errors import GatewayError
from hayate.wire.http1 import Headers

pytestmark = pytest.mark.anyio


class Raw(asyncio.Transport):
    """A transport that keeps each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return False


class Server:
    """`stream.ServerState` on one day, and then on another."""

    def __init__(self) -> None:
        self.default_headers: Headers = [(b"date", b"today")]


class Connection:
    """`stream.ClientConnection` without a client."""

    def __init__(self, *, expects: bool = False) -> None:
        self.headers, self.fields = [(b"host", b"here")], {b"host": b"here"}
        self.expect_100_continue = expects
        self.half_closed = False
        self.loop = asyncio.get_running_loop()
        self.kept = Raw()
        self.raw: asyncio.Transport = self.kept
        self.tasks = set[asyncio.Task[None]]()
        self.server_state = Server()
        self.ended: list[str] = []
        self.write_paused = self.read_paused = False

    @property
    def flow(self) -> Connection:
        return self

    async def drain(self) -> None: ...

    def resume_reading(self) -> None: ...

    def on_response_complete(self) -> None:
        self.ended.append("complete")

    def close(self) -> None:
        self.ended.append("close")

    def turn_away(self, error: GatewayError) -> None:
        self.ended.append(f"turned away: {error.status}")


async def nobody(_: ClientStream) -> None:
    """An endpoint that is not asked."""


def stream(
    connection: Connection,
    endpoint: Endpoint = nobody,
    *,
    method: str = "POST",
    framed: bool = True,
    keep_alive: bool = True,
) -> DirectStream:
    return DirectStream(connection, endpoint, method, b"", framed=framed, keep_alive=framed and keep_alive)


async def test_a_whole_answer_is_one_write() -> None:
    connection = Connection()
    await stream(connection).respond(200, [(b"content-type", b"application/json")], b"{}")
    assert connection.kept.writes == [
        b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    ]
    assert connection.ended == ["complete"]


async def test_a_streams_head_leaves_with_its_first_piece_and_its_end_with_the_last() -> None:
    connection = Connection()
    call = stream(connection)
    await call.start(200, [])
    call.writer()(b"one")
    assert not connection.kept.writes
    call.flush()
    call.writer()(b"two")
    call.hold()
    call.writer()(b"three")
    await call.end()
    assert connection.kept.writes == [
        b"HTTP/1.1 200 OK\r\ndate: today\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n",
        b"3\r\ntwo\r\n",
        b"5\r\nthree\r\n0\r\n\r\n",
    ]
    assert (call.chunks, connection.ended) == (3, ["complete"])


async def test_a_client_of_http10_gets_no_chunks_and_a_closed_connection() -> None:
    connection = Connection()
    call = stream(connection, framed=False)
    await call.start(200, [])
    call.writer()(b"one")
    await call.end()
    assert b"".join(connection.kept.writes) == b"HTTP/1.1 200 OK\r\ndate: today\r\nconnection: close\r\n\r\none"
    assert call.raw_writer() is None
    assert connection.ended == ["close", "complete"]


async def test_an_answer_is_of_the_day_on_which_it_is_given() -> None:
    """Not of that on which its connection, or its request, came."""
    connection = Connection()
    asked = stream(connection)
    connection.server_state.default_headers = [(b"date", b"tomorrow")]
    asked.more_headers = [(b"vary", b"Origin")]
    await asked.respond(204, [], b"")
    assert b"".join(connection.kept.writes) == b"HTTP/1.1 204 No Content\r\ndate: tomorrow\r\nvary: Origin\r\n\r\n"
    assert connection.server_state.default_headers == [(b"date", b"tomorrow")]


@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_has_no_body_has_no_framing_of_one(status: int, framed: bool) -> None:
    for whole in (True, False):
        connection = Connection()
        call = stream(connection, framed=framed)
        if whole:
            await call.respond(status, [(b"etag", b"1")], b"an engine's mistake")
        else:
            await call.start(status, [(b"etag", b"1")])
            assert call.raw_writer() is None
            call.writer()(b"an engine's mistake")
            call.flush()
            call.writer()(b"another")
            await call.end()
        (sent,) = connection.kept.writes
        assert sent.startswith(b"HTTP/1.1 %d " % status)
        assert b"etag: 1" in sent
        assert b"content-length" not in sent
        assert b"transfer-encoding" not in sent
        assert sent.endswith(b"\r\n\r\n")
        assert connection.ended[-1] == "complete"


async def test_the_answer_to_a_head_has_no_body() -> None:
    for whole in (True, False):
        connection = Connection()
        call = stream(connection, method="HEAD")
        if whole:
            await call.respond(200, [], b"{}")
            assert b"content-length: 2" in connection.kept.writes[0]
        else:
            await call.start(200, [])
            call.writer()(b"one")
            await call.end()
        assert b"".join(connection.kept.writes).endswith(b"\r\n\r\n")
        assert b"".join(connection.kept.writes).count(b"\r\n\r\n") == 1


@pytest.mark.parametrize("asked", ["by the client", "by the answer"])
async def test_a_connection_that_is_not_kept_says_so_once(asked: str) -> None:
    connection = Connection()
    call = stream(connection, keep_alive=asked == "by the answer")
    await call.respond(413, [(b"connection", b"close")] if asked == "by the answer" else [], b"")
    assert connection.kept.writes[0].count(b"connection: close") == 1
    assert connection.ended == ["close", "complete"]


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb"])
async def test_a_header_with_a_line_break_is_never_sent(value: bytes) -> None:
    connection = Connection()
    with pytest.raises(RuntimeError):
        await stream(connection).respond(200, [(b"x", value)], b"")
    assert not connection.kept.writes


async def test_a_body_is_read_as_it_comes() -> None:
    call = stream(Connection())
    reading = asyncio.create_task(call.read())
    await asyncio.sleep(0)
    assert call.arrived() is None
    for piece in (b"a", b"b", b"c"):
        call.body_received(piece)
    assert await reading == (b"abc", True)
    call.body_received(b"d")
    call.body_ended()
    assert call.arrived() == b"d"
    assert not call.body, "a long prompt is not kept twice"


async def test_to_continue_is_said_once_and_only_when_the_body_is_wanted() -> None:
    connection = Connection(expects=True)
    call = stream(connection)
    call.body_received(b"{}")
    await call.read()
    call.body_received(b"{}")
    await call.read()
    assert connection.kept.writes == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    refused = Connection(expects=True)
    await stream(refused).respond(413, [], b"")
    assert b"100 Continue" not in refused.kept.writes[0]


class Call:
    """A `stream.ClientListener`."""

    def __init__(self, *, stays: bool) -> None:
        self.stays = stays
        self.told = 0

    def client_ended_sending(self) -> bool:
        self.told += 1
        return self.stays

    def client_gone(self) -> None: ...
    def client_full(self) -> None: ...
    def client_drained(self) -> None: ...


@pytest.mark.parametrize("stays", [True, False])
async def test_a_call_says_whether_a_client_that_ended_its_sending_is_still_served(stays: bool) -> None:
    late, early = Call(stays=stays), Call(stays=stays)
    call = stream(Connection())
    call.watch(late)
    assert (call.client_ended_sending(), late.told) == (stays, 1)

    call = stream(Connection())
    assert call.client_ended_sending(), "nobody knows yet what is asked"
    if stays:
        call.watch(early)
    else:
        with pytest.raises(ClientGone):
            call.watch(early)
    assert early.told == 1


async def test_once_the_client_has_gone_nothing_is_written() -> None:
    connection = Connection()
    call = stream(connection)
    await call.start(200, [])
    reading = asyncio.create_task(call.read())
    await asyncio.sleep(0)
    call.client_gone()
    with pytest.raises(ClientGone):
        await reading
    with pytest.raises(ClientGone):
        call.watch(Call(stays=True))
    call.writer()(b"one")
    call.flush()
    await call.end()
    assert not connection.kept.writes
    assert not connection.ended
