"""The load client: one process, one connection per caller, every answer checked whole.

A caller sends its next request in the callback in which the last answer ended. What is counted is what arrived; an
answer that is cut, short, altered or refused is an error with its reason, never a smaller number.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import httptools

from bench.dialogue import TOKEN_MARK, Asked, complaint_about, plain_answer, stream_answer

CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and the key they carry."""

    port: int
    key: str
    host: str = "127.0.0.1"

    def request(self, asked: Asked) -> bytes:
        """The bytes of one request: the same for every contender."""
        return self.post(asked.body())

    def post(self, body: bytes) -> bytes:
        """The bytes of a request with this body."""
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {self.host}:{self.port}\r\nuser-agent: hayate-bench\r\n"
            f"authorization: Bearer {self.key}\r\ncontent-type: application/json\r\naccept: */*\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass(slots=True)
class Tally:
    """What all callers of one load have seen."""

    events: int = 0
    answers: int = 0
    identical: int = 0
    """Answers whose body is the engine's, byte for byte."""
    errors: Counter[str] = field(default_factory=Counter)
    latencies_ns: list[int] = field(default_factory=list)


class Caller(asyncio.Protocol):
    """One connection that asks again and again while its load runs."""

    def __init__(self, load: Load, first: Asked | None = None) -> None:
        self._load = load
        self._asked = first or load.asked
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._sent_ns = 0
        self.waiting = False
        self.receiving = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._call()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.waiting and not self._load.closing:
            self._load.tally.errors[
                "closed before the answer" if not self.receiving else "closed in the middle of the answer"
            ] += 1
        self.waiting = self.receiving = False
        self._load.lost(self)

    def data_received(self, data: bytes) -> None:
        self._load.tally.events += data.count(TOKEN_MARK)
        self.receiving = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._load.tally.errors["not HTTP"] += 1
            self.waiting = False
            self.abort()

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        now = time.perf_counter_ns()
        self._load.answered(self._asked, self._parser.get_status_code(), b"".join(self._parts), now - self._sent_ns)
        self.waiting = self.receiving = False
        if not self._parser.should_keep_alive():
            self.abort()
        elif self._load.running:
            self._asked = self._load.asked
            self._call()

    def _call(self) -> None:
        if self._transport is None:
            return
        self._parts.clear()
        self.waiting = True
        self._sent_ns = time.perf_counter_ns()
        self._transport.write(self._load.request_for(self._asked))

    def abort(self) -> None:
        """Drop the connection, whatever is on it."""
        if self._transport is not None:
            self._transport.abort()


class Load:
    """Callers that ask one target for one kind of answer."""

    def __init__(self, target: Target, asked: Asked, connections: int) -> None:
        self.target = target
        self.asked = asked
        self.connections = connections
        self.tally = Tally()
        self.running = True
        self.closing = False
        self._callers: set[Caller] = set()
        self._requests: dict[Asked, bytes] = {}
        self._reopening: set[asyncio.Task[None]] = set()

    def request_for(self, asked: Asked) -> bytes:
        """The bytes of a request, made once."""
        if asked not in self._requests:
            self._requests[asked] = self.target.request(asked)
        return self._requests[asked]

    @property
    def open_streams(self) -> int:
        """Answers of which something has arrived and more is to come."""
        return sum(caller.receiving for caller in self._callers)

    def answered(self, asked: Asked, status: int, body: bytes, took_ns: int) -> None:
        """One answer is complete as HTTP; is it whole?"""
        tally = self.tally
        expected = stream_answer(asked.tokens, asked.usage) if asked.stream else plain_answer(asked.tokens)
        if status != 200:
            tally.errors[f"status {status}"] += 1
        elif body == expected:
            tally.identical += 1
            tally.answers += 1
            tally.latencies_ns.append(took_ns)
        elif complaint := complaint_about(asked, body):
            tally.errors[complaint] += 1
        else:
            tally.answers += 1
            tally.latencies_ns.append(took_ns)

    async def open(self, ramp_s: float = 0.0, random_first: bool = False) -> None:
        """Connect all callers, evenly over `ramp_s`.

        With `random_first` each begins with an answer of random length, so that ends and new calls are spread as evenly
        from the start as they are later.
        """
        dice = random.Random(20261122)  # noqa: S311  the same dice for every contender
        began = time.perf_counter()
        for number in range(self.connections):
            first = None
            if random_first:
                first = Asked(self.asked.stream, dice.randint(1, self.asked.tokens), self.asked.rate, self.asked.usage)
            await self._connect(first)
            await asyncio.sleep(max(0.0, began + ramp_s * (number + 1) / self.connections - time.perf_counter()))

    async def _connect(self, first: Asked | None = None) -> None:
        loop = asyncio.get_running_loop()
        caller = Caller(self, first)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.create_connection(lambda: caller, self.target.host, self.target.port)
        except (OSError, TimeoutError) as error:
            self.tally.errors[f"connect: {type(error).__name__}"] += 1
        else:
            self._callers.add(caller)

    def lost(self, caller: Caller) -> None:
        """A connection is gone; while the load runs another takes its place."""
        self._callers.discard(caller)
        if self.running and not self.closing:
            task = asyncio.get_running_loop().create_task(self._reopen())
            self._reopening.add(task)
            task.add_done_callback(self._reopening.discard)

    async def _reopen(self) -> None:
        await asyncio.sleep(0.05)
        if self.running:
            await self._connect()

    async def drain(self, timeout_s: float) -> None:
        """No new calls; wait for the answers under way, then hang up. One that does not end in time is an error."""
        self.running = False
        deadline = time.perf_counter() + timeout_s
        while any(caller.waiting for caller in self._callers) and time.perf_counter() < deadline:
            await asyncio.sleep(0.02)
        if unfinished := sum(caller.waiting for caller in self._callers):
            self.tally.errors["did not end in time"] += unfinished
        await self.hang_up()

    async def hang_up(self) -> None:
        """Close every connection at once, answers under way included."""
        self.running, self.closing = False, True
        for caller in list(self._callers):
            caller.abort()
        for task in list(self._reopening):
            task.cancel()
        while self._callers:
            await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Window:
    """What passed, and what it cost, between two moments of a running load."""

    events: int
    answers: int
    latencies_ns: list[int]
    wall_s: float
    cpu_s: dict[str, float]
    open_streams: int


async def watch(load: Load, window_s: float, cpu: Callable[[], dict[str, float]]) -> Window:
    """Look at a load that is already running."""
    tally = load.tally
    events, answers, timed = tally.events, tally.answers, len(tally.latencies_ns)
    spent, began = cpu(), time.perf_counter()
    await asyncio.sleep(window_s)
    wall_s, spent_after = time.perf_counter() - began, cpu()
    return Window(
        events=tally.events - events,
        answers=tally.answers - answers,
        latencies_ns=tally.latencies_ns[timed:],
        wall_s=wall_s,
        cpu_s={who: spent_after[who] - spent[who] for who in spent},
        open_streams=load.open_streams,
    )
