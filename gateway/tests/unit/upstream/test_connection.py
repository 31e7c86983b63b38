"""A connection that passes whole chunks on: whatever the reads look like, the client gets the engine's bytes, once and in order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from itertools import pairwise

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.policy.progress import Progress
from hayate.relay.pump import Pump
from hayate.relay.ticker import Ticker
from hayate.relay.watch import Watch
from hayate.settings import Timeouts
from hayate.upstream.connection import Connection
from hayate.upstream.connection_pool import ConnectionPool
from hayate.wire.http1 import chunk_size
from hayate.wire.openai_stream import OpenAIStream
from tests.support.tables import table
from tests.support.waiting import LAST_RESORT_S

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
FIRST = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}\n\n'
PLAIN = 'data: {{"choices":[{{"index":0,"delta":{{"content":"{}"}},"finish_reason":null}}]}}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


class Socket(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        """Nothing to cut."""


class Client:
    """A sink with HTTP's chunked framing, as a client's connection has it."""

    def __init__(self) -> None:
        self.sent = b""
        self.framed = 0
        self.deltas = 0
        self.first_at = 0.0

    def writer(self):  # type: ignore[no-untyped-def]
        return lambda data: self._add(b"%x\r\n%b\r\n" % (len(data), data))

    def raw_writer(self):  # type: ignore[no-untyped-def]
        def write(chunk: bytes) -> None:
            self.framed += 1
            self._add(chunk)

        return write

    def _add(self, data: bytes) -> None:
        self.sent += data

    def hold(self) -> None: ...

    def flush(self) -> None: ...

    def attach(self, pump: Pump | None) -> None: ...

    def give_up(self) -> None: ...


class Body:
    """What a client makes of chunked framing."""

    def __init__(self, sent: bytes) -> None:
        self.data = b""
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(HEAD + sent)

    def on_body(self, data: bytes) -> None:
        self.data += data


async def relayed(reads: list[bytes], head_reads: Sequence[bytes] = (HEAD,)) -> Client:
    pool = ConnectionPool("http://127.0.0.1:1", connect_s=1)
    connection, client = Connection(pool), Client()
    connection.connection_made(Socket())
    exchange, head = connection.begin(b"")
    for read in head_reads:
        connection.data_received(read)
    await head
    decoder = OpenAIStream(keep_usage=False)
    pump = Pump(exchange, decoder, client, Watch(Ticker(), Timeouts(), 60, 0.0, Progress()))
    running = asyncio.create_task(pump.run())
    await asyncio.sleep(0)
    for read in reads:
        connection.data_received(read)
    await asyncio.wait_for(running, LAST_RESORT_S)
    assert decoder.finished
    client.deltas = decoder.usage.completion_tokens
    client.first_at = pump.first_delta_at
    return client


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='"\\'), max_size=40), max_size=12
    ),
    cuts=st.lists(st.integers(0, 5000), max_size=12),
)
def test_the_client_gets_the_engines_bytes_whatever_the_reads(texts: list[str], cuts: list[int]) -> None:
    events = [FIRST, *(PLAIN.format(text).encode() for text in texts), LAST, DONE]
    wire = b"".join(chunk(event) for event in events) + b"0\r\n\r\n"
    places = sorted({0, len(wire), *(cut % len(wire) for cut in cuts)})

    client = asyncio.run(relayed([wire[start:end] for start, end in pairwise(places)]))

    assert Body(client.sent).data == b"".join(events)


def one_empty_line(stream: bytes) -> bytes:
    """More than one after an event say nothing, and are left out."""
    return re.sub(rb"\n(?:\r?\n)+", b"\n\n", stream)


async def _one_read_a_chunk() -> Client:
    events = [FIRST, *(PLAIN.format(n).encode() for n in range(10)), LAST, DONE]
    return await relayed([*map(chunk, events), b"0\r\n\r\n"])


def test_plain_chunks_go_the_short_way_the_first_text_included() -> None:
    client = asyncio.run(_one_read_a_chunk())

    assert (client.framed, client.deltas) == (11, 11)
    assert client.first_at


@table("cut", range(len(HEAD) - 5, len(HEAD)))
@table("more", range(7))
def test_a_chunk_begins_after_the_head_wherever_its_last_read_begins_and_ends(cut: int, more: int) -> None:
    first, rest = chunk(FIRST), [*(chunk(PLAIN.format(n).encode()) for n in range(3)), chunk(LAST), chunk(DONE)]

    client = asyncio.run(
        relayed([first[more:], *rest, b"0\r\n\r\n"], head_reads=(HEAD[:cut], HEAD[cut:] + first[:more]))
    )

    assert Body(client.sent).data == FIRST + b"".join(PLAIN.format(n).encode() for n in range(3)) + LAST + DONE
    assert client.deltas == 4


def test_no_chunk_begins_after_the_head_of_an_answer_without_chunks() -> None:
    """What looks like one is text."""
    events = chunk(FIRST) + LAST + DONE
    head = HEAD.replace(b"transfer-encoding: chunked", b"content-length: %d" % len(events))

    client = asyncio.run(relayed([chunk(FIRST), LAST, DONE], head_reads=(head,)))

    assert client.framed == 0
    assert Body(client.sent).data == one_empty_line(events)


def test_a_chunk_shaped_piece_after_a_size_line_is_not_taken_for_one() -> None:
    """The size line comes alone: the reader is inside a chunk then, whatever the next bytes look like."""
    inner = chunk(PLAIN.format("inner").encode())
    outer = inner + b": the rest of a comment\n\n"
    wire = [
        chunk(FIRST),
        chunk(PLAIN.format("a").encode()),
        b"%x\r\n" % len(outer),
        inner,
        outer[len(inner) :] + b"\r\n",
    ]

    client = asyncio.run(relayed([*wire, chunk(LAST), chunk(DONE), b"0\r\n\r\n"]))

    assert client.framed == 2
    assert Body(client.sent).data == one_empty_line(FIRST + PLAIN.format("a").encode() + outer + LAST + DONE)


def test_a_chunk_shaped_piece_in_the_middle_of_a_chunk_is_not_taken_for_one() -> None:
    inner = chunk(PLAIN.format("inner").encode())
    outer = b": comment\n: " + inner + b"\n\n"
    wire = chunk(FIRST) + b"%x\r\n" % len(outer)
    rest = outer.removeprefix(b": comment\n: ").removeprefix(inner)

    client = asyncio.run(
        relayed([wire, b": comment\n: ", inner, rest + b"\r\n", chunk(LAST), chunk(DONE), b"0\r\n\r\n"])
    )

    assert client.framed == 0
    assert Body(client.sent).data == one_empty_line(FIRST + outer + LAST + DONE)


@table(
    "data",
    [
        b"",
        b"0\r\n\r\n",
        b"5\r\nhell\r\n",
        b"4;a=b\r\nhell\r\n",
        b"+4\r\nhell\r\n",
        b"4\r\nhell",
        b"zz\r\nhell\r\n",
        b"4_\r\nhell\r\n",
    ],
)
def test_what_is_not_exactly_one_chunk_has_no_size(data: bytes) -> None:
    assert chunk_size(data) == 0


def test_one_whole_chunk_has_its_size() -> None:
    assert chunk_size(b"4\r\nhell\r\n") == 4


@pytest.mark.anyio
async def test_a_connection_that_nobody_waits_for_any_more_holds_nothing_and_hears_of_its_end_all_the_same() -> None:
    never, come = (Connection(ConnectionPool("http://127.0.0.1:1", connect_s=1)) for _ in range(2))
    never.abandon()
    come.connection_made(Socket())
    come.abandon()
    come.connection_lost(None)
    assert not hasattr(come._reader, "_parser")
