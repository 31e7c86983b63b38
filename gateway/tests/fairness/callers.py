"""Who asks in the tests of fairness: light clients by the hundred, each of which notes when its tokens came.

A caller is a connection and no task. What is counted is what arrived; whatever is no whole answer is an error with its reason.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import httptools

from tests.support.http import request_bytes
from tests.support.scene import CHAT_PATH

TOKEN = b" t"
"""Once in each token of the batching engine, and nowhere else."""
END = b"data: [DONE]"


def chat(prompt: int, answer: int, **fields: Any) -> dict[str, Any]:
    """A streamed chat of so many tokens, as the batching engine counts."""
    wish = f" answer:{answer}"
    content = wish.rjust(4 * prompt, "x")
    return {"messages": [{"role": "user", "content": content}], "stream": True, **fields}


def chats(prompt: int, answer: int, **fields: Any) -> list[dict[str, Any]]:
    """Such chats, from half to one and a half times as long: alike, all that begin together would end together for ever."""
    return [chat(prompt * part // 100, max(1, answer * part // 100), **fields) for part in range(50, 151, 4)]


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer, as its client saw it; times are those of `time.monotonic`."""

    sent_s: float
    first_s: float
    ended_s: float
    tokens: int

    @property
    def ttft_s(self) -> float:
        return self.first_s - self.sent_s


@dataclass
class Crowd:
    """Those who share a key and ask for one of the same things, as the dice fall."""

    url: str
    key: str | None
    bodies: Sequence[dict[str, Any]]
    mark: bytes = TOKEN
    bucket_s: float = 1.0
    keeps: bool = True
    """Its connections, for more than one call."""
    tokens: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """That came in each piece of time (`time.monotonic() // bucket_s`)."""
    seen: list[Seen] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    running: bool = True
    _callers: set[_Caller] = field(default_factory=set)
    _returning: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._requests = [request_bytes("POST", CHAT_PATH, body, self.key) for body in self.bodies]
        self._dice = random.Random(len(self.bodies))
        host, _, port = self.url.removeprefix("http://").partition(":")
        self._address = host, int(port)

    async def gather(self, count: int) -> None:
        """So many come, and each asks again when it has been answered."""
        for _ in range(count):
            await self._connect(again=True)

    async def ask(self) -> None:
        """One comes, asks once and leaves."""
        await self._connect(again=False)

    async def every(self, pause_s: float, times: int) -> None:
        """Asks as regularly as a clock, whether or not it has been answered, and waits for the last answers."""
        begin = time.monotonic()
        for number in range(times):
            await asyncio.sleep(max(0.0, begin + number * pause_s - time.monotonic()))
            await self.ask()
        while self._callers:
            await asyncio.sleep(0.02)

    async def leave(self) -> None:
        """All hang up, in the middle of whatever it is."""
        self.running = False
        await asyncio.gather(*self._returning)
        for caller in list(self._callers):
            caller.abort()
        while self._callers:
            await asyncio.sleep(0.01)

    def between(self, began_s: float, ended_s: float) -> int:
        """The tokens that came then, in whole pieces of time."""
        first, end = math.ceil(began_s / self.bucket_s), math.floor(ended_s / self.bucket_s)
        return sum(self.tokens[piece] for piece in range(first, end))

    def come_back(self) -> None:
        """A caller has hung up and asks again on another connection."""
        task = asyncio.create_task(self._connect(again=True))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _connect(self, *, again: bool) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: _Caller(self, again=again), *self._address)

    def request(self) -> bytes:
        """What is asked next."""
        return self._dice.choice(self._requests)

    def lost(self, caller: _Caller) -> None:
        self._callers.discard(caller)

    def came(self, caller: _Caller) -> None:
        self._callers.add(caller)


class _Caller(asyncio.Protocol):
    """One connection, one answer at a time."""

    def __init__(self, crowd: Crowd, *, again: bool) -> None:
        self._crowd = crowd
        self._again = again
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._sent_s = self._first_s = 0.0
        self._tokens = 0
        self._tail = b""
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._crowd.came(self)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waits and self._crowd.running:
            self._crowd.errors["closed before the end"] += 1
        self._crowd.lost(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        mark = self._crowd.mark
        held = self._tail + body
        count = held.count(mark) - self._tail.count(mark)
        self._tail = held[-len(END) - 16 :]
        if count:
            now = time.monotonic()
            if not self._tokens:
                self._first_s = now
            self._tokens += count
            self._crowd.tokens[int(now // self._crowd.bucket_s)] += count

    def on_message_complete(self) -> None:
        crowd, status = self._crowd, self._parser.get_status_code()
        self._waits = False
        if status != 200:
            crowd.errors[f"status {status}"] += 1
        elif END not in self._tail:
            crowd.errors["no [DONE]"] += 1
        else:
            crowd.seen.append(Seen(self._sent_s, self._first_s, time.monotonic(), self._tokens))
        again = self._again and crowd.running
        if again and crowd.keeps and self._parser.should_keep_alive():
            self._ask()
            return
        self.abort()
        if again:
            crowd.come_back()

    def _ask(self) -> None:
        self._tokens, self._tail, self._waits = 0, b"", True
        self._sent_s = time.monotonic()
        cast("asyncio.Transport", self._transport).write(self._crowd.request())

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def percentile(values: Sequence[float], part: float) -> float:
    """A value that was seen, of which so many (0 to 1) are no larger."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def shares(crowds: Sequence[Crowd], began_s: float, ended_s: float) -> list[float]:
    """What part of all tokens each crowd got in that time."""
    got = [crowd.between(began_s, ended_s) for crowd in crowds]
    return [each / sum(got) for each in got]


def worst_share(
    crowds: Sequence[Crowd], weights: Sequence[int], began_s: float, ended_s: float, window_s: float
) -> float:
    """How far from its fair share any crowd was in any window of that time: 0.05 is five per cent of the share."""
    worst, at_s = 0.0, began_s
    while at_s + window_s <= ended_s:
        found = shares(crowds, at_s, at_s + window_s)
        off = [abs(share * sum(weights) / weight - 1) for share, weight in zip(found, weights, strict=True)]
        worst, at_s = max(worst, *off), at_s + crowds[0].bucket_s
    return worst


def told(title: str, **figures: float) -> str:
    """One line of figures, for whoever reads the output of a measurement."""
    return f"{title}: {json.dumps({name: round(value, 4) for name, value in figures.items()})}"
