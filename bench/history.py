"""`python -m bench.history`: what a call costs that goes on with a conversation, in terms of one that does not.

One gateway, one run; the rules are those of `bench.against`: looks alternate, and only what lies within a pair counts. Then 200
calls a second end with a turn that is kept: how long `[DONE]` waits for the commit, and whether other streams notice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

from bench.dialogue import TOKEN_MARK, Asked
from bench.load import Load, Target, watch
from bench.pairs import ratio
from bench.peers import Hayate
from bench.standing import Standing, start, start_stub

PLAIN: Final = Asked(stream=False)
SHORT, LONG = Asked(stream=True, tokens=64), Asked(stream=True, tokens=1024)
CONNECTIONS: Final = 16
LOOK_S: Final = 1.5
MOST_TURNS: Final = 10
"""Of one conversation: then another is begun."""
CALLS_PER_S: Final = 200
BYSTANDERS, PACE = 50, 50.0
"""Other streams, without history, and their tokens a second."""
ID: Final = re.compile(rb'"conversation":\{"id":"(conv_\w+)"')


def request(target: Target, asked: Asked, conversation: str | None) -> bytes:
    """The bytes of one call; `conversation` is an id, `new`, or None for a call without."""
    plain = target.request(asked)
    if conversation is None:
        return plain
    head, _, body = plain.partition(b"\r\n\r\n")
    fields = json.loads(body)
    fields["conversation"] = conversation
    if conversation != "new":
        fields["messages"] = fields["messages"][1:]
    body = json.dumps(fields).encode()
    return re.sub(rb"content-length: \d+", b"content-length: %d" % len(body), head) + b"\r\n\r\n" + body


class Talking(Load):
    """A load whose calls go on with conversations, each a few turns long; or begin one each (`turns=1`)."""

    def __init__(self, target: Target, asked: Asked, turns: int) -> None:
        super().__init__(target, asked, CONNECTIONS)
        self._turns = turns
        self._open: deque[tuple[str, int]] = deque()
        self._under_way: dict[str, int] = {}
        self._new = request(target, asked, "new")

    def request_for(self, asked: Asked) -> bytes:
        if not self._open:
            return self._new
        name, turns = self._open.popleft()
        self._under_way[name] = turns
        return request(self.target, asked, name)

    def answered(self, asked: Asked, status: int, body: bytes, took_ns: int) -> None:
        super().answered(asked, status, body, took_ns)
        found = ID.search(body)
        if found is not None:
            name = found[1].decode()
            turns = self._under_way.pop(name, 0) + 1
            if turns < self._turns:
                self._open.append((name, turns))


async def look(up: Standing, load: Load, *, tokens: bool) -> float:
    """Microseconds a call, or a token, of a short look."""
    await load.open()
    await asyncio.sleep(0.3)
    window = await watch(load, LOOK_S, up.bench.cpu_s)
    await load.drain(10)
    if load.tally.errors:
        raise RuntimeError(str(dict(load.tally.errors)))
    came = window.events if tokens else window.answers
    if not came:
        raise RuntimeError(f"nothing came in {LOOK_S} s")
    return window.cpu_s["gateway"] / came * 1e6


def plainly(up: Standing, asked: Asked, *, tokens: bool) -> Awaitable[float]:
    """What calls cost without history."""
    return look(up, Load(up.bench.target, asked, CONNECTIONS), tokens=tokens)


def talk(up: Standing, asked: Asked, turns: int, *, tokens: bool) -> Awaitable[float]:
    """What they cost with it."""
    return look(up, Talking(up.bench.target, asked, turns), tokens=tokens)


class Timed(asyncio.Protocol):
    """One stream: when its tokens came, and how long after its finish `[DONE]` did."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.tokens_at: list[float] = []
        self.finish_at = 0.0
        self.done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        """Resolves with that wait, in seconds."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if TOKEN_MARK in data:
            self.tokens_at.append(now)
        if b'"finish_reason":"length"' in data:
            self.finish_at = now
        if b"[DONE]" in data and not self.done.done():
            self.done.set_result(now - self.finish_at)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("closed before its end"))


async def timed(target: Target, body: bytes) -> Timed:
    """A stream under way."""
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(lambda: Timed(body), target.host, target.port))[1]


async def crowd(target: Target, conversation: str | None, for_s: float) -> tuple[list[float], list[float]]:
    """Calls that end so often: how long each `[DONE]` waited, and by how much other streams' tokens were late, in milliseconds."""
    short = request(target, Asked(stream=True, tokens=8), conversation)
    long = target.request(Asked(stream=True, tokens=round((for_s + 2) * PACE), rate=PACE))
    others = [await timed(target, long) for _ in range(BYSTANDERS)]
    await asyncio.sleep(1)
    began, calls = time.perf_counter(), []
    for number in range(round(for_s * CALLS_PER_S)):
        await asyncio.sleep(max(0.0, began + number / CALLS_PER_S - time.perf_counter()))
        calls.append(await timed(target, short))
    waits = [await asyncio.wait_for(each.done, 30) for each in calls]
    ended = time.perf_counter()
    late = []
    for each in others:
        await asyncio.wait_for(each.done, 60)
        at = [moment for moment in each.tokens_at if began <= moment <= ended]
        late += [max(0.0, after - before - 1 / PACE) * 1e3 for before, after in pairwise(at)]
    return [wait * 1e3 for wait in waits], late


def at(values: list[float], part: float) -> float:
    """The value below which so many hundredths lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part / 100))]


async def calls(up: Standing, pairs: int) -> None:
    """What a call costs more."""
    for name, turns in (("a new conversation each", 1), (f"going on, {MOST_TURNS} turns each", MOST_TURNS)):
        without, using = partial(plainly, up, PLAIN, tokens=False), partial(talk, up, PLAIN, turns, tokens=False)
        costs = await alternating(pairs, without, using)
        more = [after - before for before, after in costs]
        before, most = statistics.median(before for before, _ in costs), max(more)
        print(f"{name}: {before:.0f} µs without, with {statistics.median(more):+.0f} ({min(more):+.0f} to {most:+.0f})")


async def tokens(up: Standing, pairs: int) -> None:
    """What a token costs in terms of one without history, its part of the call's cost included."""
    for asked in (SHORT, LONG):
        without, using = partial(plainly, up, asked, tokens=True), partial(talk, up, asked, 1, tokens=True)
        costs = await alternating(pairs, without, using)
        each, before = ratio(costs), statistics.median(before for before, _ in costs)
        more = statistics.median(after - before for before, after in costs)
        print(f"a token of {asked.tokens}: {before:.2f} µs without, with {more:+.3f}")
        print(f"  × {each.median:.3f} ({each.low:.3f} to {each.high:.3f})", flush=True)


async def crowds(target: Target, times: int) -> None:
    """How long `[DONE]` waits, and who else notices."""
    waits: list[float] = []
    late: dict[str | None, list[float]] = {None: [], "new": []}
    for number in range(times):
        for conversation in (None, "new") if number % 2 == 0 else ("new", None):
            found, others = await crowd(target, conversation, 5.0)
            late[conversation] += others
            waits += found if conversation else []
    print(
        f"[DONE] after its finish, {CALLS_PER_S} calls a second: p50 {at(waits, 50):.2f} ms, p99 {at(waits, 99):.2f} ms"
    )
    for name, of in (("without history", None), ("with", "new")):
        p50, p99, p999 = (at(late[of], part) for part in (50, 99, 99.9))
        print(f"other streams' tokens late beside calls {name}: p50 {p50:.2f}, p99 {p99:.2f}, p99.9 {p999:.2f} ms")


async def compare(home: Path, pairs: int) -> None:
    """Measures and prints."""
    stub = await start_stub(home)
    up = (await start(Hayate(), home, stub, "sk-hayate-bench-0123456789"))[0]
    try:
        await calls(up, pairs)
        await tokens(up, pairs)
        await crowds(up.bench.target, max(2, pairs // 3))
    finally:
        up.stop()
        stub.stop()


async def alternating(
    pairs: int, one: Callable[[], Awaitable[float]], other: Callable[[], Awaitable[float]]
) -> list[tuple[float, float]]:
    """Pairs of what two looks cost; who goes first alternates."""
    found = []
    for number in range(pairs):
        if number % 2 == 0:
            before = await one()
            found.append((before, await other()))
        else:
            after = await other()
            found.append((await one(), after))
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bench.history", description="What a call costs that goes on with a conversation."
    )
    parser.add_argument("--pairs", type=int, default=10)
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="hayate-bench-") as folder:
        asyncio.run(compare(Path(folder), asked.pairs))


if __name__ == "__main__":
    main()
