"""One stream through everything between an engine's socket and a client's, however its bytes are cut into reads.

The connection, its lane, the pump, the decoder and the client's framing are the real ones; the two sockets are not: a read is what
`data_received` is given.

    python -m tests.support.splits 1000000        so many random splits, the seed printed; SEED=… to run one again
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httptools

from hayate.api.assembled import AssemblingSink
from hayate.errors import GatewayError
from hayate.policy.progress import Progress
from hayate.relay.pump import Pump
from hayate.relay.ticker import Ticker
from hayate.relay.watch import Watch
from hayate.settings import Timeouts
from hayate.upstream.connection import Connection
from hayate.wire.assemble import Assembler
from hayate.wire.faults import UNREADABLE
from tests.support.streams import STREAMS, Stream


@dataclass(frozen=True)
class Outcome:
    """What came of a stream: for the client, for the books, and how it ended."""

    body: bytes
    usage: tuple[int, int, int, bool]
    finish_reason: str | None
    error: str | None


class _Socket(asyncio.Transport):
    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None: ...


class _Keeper:
    """Whose the connection is."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()

    def take_back(self, connection: Connection) -> None: ...

    def forget(self, connection: Connection) -> None: ...


class _Client:
    """A sink with HTTP's chunked framing, as a client's connection has it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.framed = 0

    def writer(self) -> Callable[[bytes], None]:
        return lambda data: self.written.append(b"%x\r\n%b\r\n" % (len(data), data))

    def raw_writer(self) -> Callable[[bytes], None] | None:
        return self._pass

    def _pass(self, chunk: bytes) -> None:
        self.framed += 1
        self.written.append(chunk)

    def hold(self) -> None: ...

    def flush(self) -> None: ...

    def attach(self, pump: Pump | None) -> None: ...

    def give_up(self) -> None: ...

    def body(self) -> bytes:
        """What a client makes of it."""
        parts: list[bytes] = []
        reader = type("Reader", (), {"on_body": staticmethod(parts.append)})()
        parser = httptools.HttpResponseParser(reader)
        parser.feed_data(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"".join(self.written))
        return b"".join(parts)


class Relay:
    """Puts streams through, many on one loop; `framed` counts the chunks that went the short way."""

    def __init__(self) -> None:
        self._keeper = _Keeper()
        self._watch = Watch(Ticker(), Timeouts(), 60, 0.0, Progress())
        self.framed = 0

    async def stream(
        self, stream: Stream, reads: Iterable[bytes], *, whole: bool = False, client: _Client | None = None
    ) -> Outcome:
        """The outcome for a client that asked for a stream, or, if `whole`, for none."""
        connection: Any = Connection(self._keeper)
        connection.connection_made(_Socket())
        exchange, head = connection.begin(b"")
        left = iter(reads)
        while not head.done():
            connection.data_received(next(left))
        head.result()
        client, assembler = client or _Client(), Assembler()
        decoder = stream.decoder()
        parts = AssemblingSink(assembler)
        pump = Pump(exchange, decoder, parts if whole else client, self._watch)
        running = asyncio.create_task(pump.run())
        await asyncio.sleep(0)
        for read in left:
            if running.done():
                break
            connection.data_received(read)
        connection.connection_lost(None)
        error = None
        try:
            await running
        except GatewayError as failure:
            error = failure.english
        finally:
            exchange.close()
        self.framed += client.framed
        usage = decoder.usage
        counts = (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.exact)
        if whole and parts.unreadable:
            error = error or "unreadable"
        body = client.body() if not whole else b"" if error else _answer(assembler)
        return Outcome(body, counts, decoder.finish_reason, error)


def _answer(assembler: Assembler) -> bytes:
    try:
        return repr(assembler.answer()).encode("utf-8", "surrogatepass")
    except UNREADABLE as error:
        return repr(error).encode()


def chunk_ends(http: bytes) -> list[int]:
    """Where an engine's own writes end, near enough: after the head, and after each empty line that ends a chunk."""
    ends, at = [], http.find(b"\r\n\r\n") + 4
    while at > 3:
        ends.append(at)
        at = http.find(b"\n\n\r\n", at) + 4
    return ends


def cut(http: bytes, at: Sequence[int]) -> list[bytes]:
    edges = sorted({0, len(http), *(each for each in at if 0 < each < len(http))})
    return [http[start:end] for start, end in pairwise(edges)]


def random_reads(http: bytes, draw: random.Random) -> list[bytes]:
    """A way in which packets may come: as they were written, some joined, some cut, or all of it in small pieces."""
    ends, size = chunk_ends(http), len(http)
    kind = draw.random()
    if kind < 0.1:
        step = draw.choice((1, 2, 3, 5, 7, 13, 64)) if size < 6000 else draw.choice((7, 64, 200))
        return cut(http, range(draw.randrange(step) + 1, size, step))
    kept = [end for end in ends if draw.random() < draw.choice((1.0, 0.9, 0.5, 0.1))]
    more = draw.choice((0, 0, 1, 1, 2, 5, 20))
    near = [draw.choice(ends) + draw.randint(-6, 6) for _ in range(draw.choice((0, 1, 3)))]
    return cut(http, [*kept, *near, *(draw.randrange(size) for _ in range(more))])


async def try_splits(count: int, seed: int, told: Callable[[int], None] = lambda _: None) -> tuple[list[str], int]:
    """Random splits of every stream in turn: those whose outcome was another, and how many chunks went the short way."""
    relay, draw = Relay(), random.Random(seed)
    names = sorted(STREAMS)
    expected: dict[tuple[str, bool], Outcome] = {}
    wrong: list[str] = []
    for n in range(count):
        name = names[n % len(names)]
        stream = STREAMS[name]
        whole = stream.whole and draw.random() < 0.25
        if (name, whole) not in expected:
            expected[name, whole] = await relay.stream(stream, [stream.http], whole=whole)
        reads = random_reads(stream.http, draw)
        got = await relay.stream(stream, reads, whole=whole)
        if got != expected[name, whole]:
            wrong.append(f"{name} (whole: {whole}) in {[*map(len, reads)]}: {got} instead of {expected[name, whole]}")
            if len(wrong) >= 5:
                break
        told(n)
    return wrong, relay.framed


def main() -> None:
    count, seed = int(sys.argv[1]), int(os.environ.get("SEED") or random.SystemRandom().randrange(2**32))
    began = time.monotonic()
    print(f"{count} splits of {len(STREAMS)} streams, SEED={seed}", flush=True)

    def told(n: int) -> None:
        if n % 50_000 == 49_999:
            print(f"{n + 1} in {time.monotonic() - began:.0f} s", flush=True)

    wrong, framed = asyncio.run(try_splits(count, seed, told))
    print(*wrong, f"{len(wrong)} wrong, {framed} chunks the short way, {time.monotonic() - began:.0f} s", sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
