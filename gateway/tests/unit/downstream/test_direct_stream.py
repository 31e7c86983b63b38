"""One call on the client's own connection: the bytes that leave, in how many writes, and what happens once the client has gone."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import pytest

from hayate.downstream.direct_stream import LentLine
from hayate.downstream.stream import ClientGone
from hayate.errors import GatewayError

pytestmark = pytest.mark.anyio


class Parser:
    def __init__(self, version: str, *, keep_alive: bool) -> None:
        self.version = version
        self.keep_alive = keep_alive

    def get_http_version(self) -> str:
        return self.version

    def should_keep_alive(self) -> bool:
        return self.keep_alive


class Flow:
    write_paused = False

    def resume_reading(self) -> None: ...


class Raw:
    """A transport that keeps each write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def is_closing(self) -> bool:
        return False


class Connection:
    """What a line sees of `edge.EdgeProtocol`."""

    def __init__(self, version: str = "1.1", *, keep_alive: bool = True, expects: bool = False) -> None:
        self.parser = Parser(version, keep_alive=keep_alive)
        self.expect_100_continue = expects
        self.half_closed = False
        self.loop = asyncio.get_running_loop()
        self.raw, self.flow, self.tasks = Raw(), Flow(), set[Any]()
        self.server_state = type("S", (), {"default_headers": [(b"date", b"today")]})()
        self.app_state = {"gateway": None}
        self.ended: list[str] = []

    def on_response_complete(self) -> None:
        self.ended.append("complete")

    def close(self) -> None:
        self.ended.append("close")

    def turn_away(self, error: GatewayError) -> None:
        self.ended.append(f"turned away: {error.status}")


def line(connection: Connection, endpoint: Any = None) -> LentLine:
    return LentLine(cast("Any", connection), endpoint, "POST", b"", [(b"host", b"here")], {b"host": b"here"})


async def test_a_whole_answer_is_one_write() -> None:
    connection = Connection()
    await line(connection).respond(200, [(b"content-type", b"application/json")], b"{}")
    assert connection.raw.writes == [
        b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    ]
    assert connection.ended == ["complete"]


async def test_a_streams_head_leaves_with_its_first_piece_and_its_end_with_the_last() -> None:
    connection = Connection()
    call = line(connection)
    await call.start(200, [])
    call.writer()(b"one")
    assert not connection.raw.writes
    call.flush()
    call.writer()(b"two")
    call.hold()
    call.writer()(b"three")
    await call.end()
    assert connection.raw.writes == [
        b"HTTP/1.1 200 OK\r\ndate: today\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n",
        b"3\r\ntwo\r\n",
        b"5\r\nthree\r\n0\r\n\r\n",
    ]
    assert (call.chunks, connection.ended) == (3, ["complete"])


async def test_a_client_of_http10_gets_no_chunks_and_a_closed_connection() -> None:
    connection = Connection("1.0")
    call = line(connection)
    await call.start(200, [])
    call.writer()(b"one")
    await call.end()
    assert b"".join(connection.raw.writes) == b"HTTP/1.1 200 OK\r\ndate: today\r\nconnection: close\r\n\r\none"
    assert call.raw_writer() is None
    assert connection.ended == ["close", "complete"]


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_has_no_body_has_no_framing_of_one(status: int, version: str) -> None:
    for whole in (True, False):
        connection = Connection(version)
        call = line(connection)
        if whole:
            await call.respond(status, [(b"etag", b"1")], b"an engine's mistake")
        else:
            await call.start(status, [(b"etag", b"1")])
            assert call.raw_writer() is None
            call.writer()(b"an engine's mistake")
            call.flush()
            call.writer()(b"another")
            await call.end()
        (sent,) = connection.raw.writes
        assert sent.startswith(b"HTTP/1.1 %d " % status)
        assert b"etag: 1" in sent
        assert b"content-length" not in sent
        assert b"transfer-encoding" not in sent
        assert sent.endswith(b"\r\n\r\n")
        assert connection.ended[-1] == "complete"


async def test_the_answer_to_a_head_has_no_body() -> None:
    for whole in (True, False):
        connection = Connection()
        call = LentLine(
            cast("Any", connection), cast("Any", None), "HEAD", b"", [(b"host", b"here")], {b"host": b"here"}
        )
        if whole:
            await call.respond(200, [], b"{}")
            assert b"content-length: 2" in connection.raw.writes[0]
        else:
            await call.start(200, [])
            call.writer()(b"one")
            await call.end()
        assert b"".join(connection.raw.writes).endswith(b"\r\n\r\n")
        assert b"".join(connection.raw.writes).count(b"\r\n\r\n") == 1


@pytest.mark.parametrize("asked", ["by the client", "by the answer"])
async def test_a_connection_that_is_not_kept_says_so_once(asked: str) -> None:
    connection = Connection(keep_alive=asked == "by the answer")
    await line(connection).respond(413, [(b"connection", b"close")] if asked == "by the answer" else [], b"")
    assert connection.raw.writes[0].count(b"connection: close") == 1
    assert connection.ended == ["close", "complete"]


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb"])
async def test_a_header_with_a_line_break_is_never_sent(value: bytes) -> None:
    connection = Connection()
    with pytest.raises(RuntimeError):
        await line(connection).respond(200, [(b"x", value)], b"")
    assert not connection.raw.writes


async def test_a_body_is_read_as_it_comes() -> None:
    call = line(Connection())
    reading = asyncio.create_task(call.read())
    await asyncio.sleep(0)
    assert call.arrived() is None
    for piece in (b"a", b"b", b"c"):
        call.add(piece)
    call.set()
    assert await reading == (b"abc", True)
    call.add(b"d")
    call.more_body = False
    assert call.arrived() == b"d"
    assert not call.body, "a long prompt is not kept twice"


async def test_to_continue_is_said_once_and_only_when_the_body_is_wanted() -> None:
    connection = Connection(expects=True)
    call = line(connection)
    call.add(b"{}")
    await call.read()
    call.add(b"{}")
    await call.read()
    assert connection.raw.writes == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    refused = Connection(expects=True)
    await line(refused).respond(413, [], b"")
    assert b"100 Continue" not in refused.raw.writes[0]


class Call:
    """What a line tells a call."""

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
    connection, late, early = Connection(), Call(stays=stays), Call(stays=stays)
    call = line(connection)
    assert call.ended_sending(), "nobody knows yet what is asked"
    call.watch(late)
    assert (call.ended_sending(), late.told) == (stays, 1)

    connection.half_closed = True
    call = line(connection)
    if stays:
        call.watch(early)
    else:
        with pytest.raises(ClientGone):
            call.watch(early)
    assert early.told == 1


async def test_once_the_client_has_gone_nothing_is_written() -> None:
    connection = Connection()
    call = line(connection)
    await call.start(200, [])
    reading = asyncio.create_task(call.read())
    await asyncio.sleep(0)
    call.lose()
    with pytest.raises(ClientGone):
        await reading
    with pytest.raises(ClientGone):
        call.watch(cast("Any", None))
    call.writer()(b"one")
    call.flush()
    await call.end()
    assert not connection.raw.writes
    assert not connection.ended


class Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class Faulty:
    """An endpoint with a fault, before or after its answer has begun."""

    def __init__(self, *, begun: bool) -> None:
        self.begun = begun

    async def serve(self, _: Any, call: LentLine) -> None:
        if self.begun:
            await call.start(200, [])
            call.flush()
        raise KeyError("a fault of ours")


@pytest.mark.parametrize(("begun", "ended"), [(False, "turned away: 500"), (True, "close")])
async def test_a_fault_of_ours_is_logged_and_answered(begun: bool, ended: str, monkeypatch: pytest.MonkeyPatch) -> None:
    log, kept = logging.getLogger("of this test"), Kept()  # other tests run uvicorn in this process, with other levels
    log.addHandler(kept)
    monkeypatch.setattr("hayate.downstream.direct_stream._log", log)
    connection = Connection()
    call = line(connection, Faulty(begun=begun))
    call.task = asyncio.create_task(call.run())
    connection.tasks.add(call.task)
    await call.task
    assert connection.ended[0] == ended
    assert not connection.tasks
    (record,) = kept.records
    assert record.exc_info is not None
    assert "a fault of ours" in str(record.exc_info[1])
