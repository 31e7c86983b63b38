"""RELIABILITY: many clients of every kind, for a while. Nothing but the clients' own leaving ends an answer early, and when
they have gone the gateway holds what it held at the start.

The rule: a client counts as a fault whatever it did not cause itself; HAYATE_SOAK_S says how long it goes on (20 s if unset).
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, pstdev
from time import monotonic

import pytest
from bench.dialogue import MODEL, Asked, complaint_about, plain_answer, stream_answer

from tests.bench.stub_process import running_stub
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import Client, connection, fetch, request_bytes
from tests.support.scene import CHAT_PATH
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

SOAK_S = float(os.environ.get("HAYATE_SOAK_S", "20"))
ENDING_S = 60.0
"""What the answers under way at the end may take."""
CALLS_PER_CONNECTION = 5
MB = 1 << 20
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
WARM_UP_S = 60.0
"""While the heap still grows to what so many clients need."""
GROWTH_MB = 5.0 if SOAK_S / 4 >= WARM_UP_S else 15.0
"""From the second quarter to the last. A soak of less than four minutes has the warm-up in it and sees gross leaks only."""
SPARE_FDS = 8

STREAMED = Asked(stream=True, rate=20)
WHOLE = Asked(stream=False)
LONG_WAIT = Asked(stream=True, rate=1)
"""A second until the first token."""
BURST = Asked(stream=True, tokens=1000)
"""200 kilobytes at once."""


@dataclass
class Soak:
    """What the clients do it to, and what they have seen."""

    gateway: RunningGateway
    until_s: float
    dice: random.Random = field(default_factory=lambda: random.Random(20261122))
    sent: int = 0
    whole: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def over(self) -> bool:
        return monotonic() >= self.until_s

    async def ask(self, client: Client, asked: Asked) -> None:
        self.sent += 1
        await client.send(request_bytes("POST", CHAT_PATH, asked.body(), self.gateway.key))

    def judge(self, kind: str, asked: Asked, status: int, body: bytes) -> None:
        """A finished answer is whole, or a fault."""
        expected = stream_answer(asked.tokens, asked.usage) if asked.stream else plain_answer(asked.tokens)
        complaint = f"status {status}" if status != 200 else None if body == expected else complaint_about(asked, body)
        if complaint:
            self.faults[f"{kind}: {complaint}"] += 1
        else:
            self.whole[kind] += 1

    async def pause(self, longest_s: float) -> None:
        await asyncio.sleep(self.dice.uniform(0, longest_s))


async def streaming(soak: Soak) -> None:
    async with connection(soak.gateway.url) as client:
        for _ in range(CALLS_PER_CONNECTION):
            await soak.ask(client, STREAMED)
            reply = await client.read_reply()
            soak.judge("stream", STREAMED, reply.status, reply.body)
            if soak.over:
                return


async def plain(soak: Soak) -> None:
    async with connection(soak.gateway.url) as client:
        for _ in range(CALLS_PER_CONNECTION):
            await soak.ask(client, WHOLE)
            reply = await client.read_reply()
            soak.judge("plain", WHOLE, reply.status, reply.body)
            await soak.pause(1)


async def reading_slowly(soak: Soak) -> None:
    async with connection(soak.gateway.url, buffer_bytes=4096) as client:
        await soak.ask(client, BURST)
        reply, body, unpaused = await client.read_head(), b"", 0
        while chunk := await client.read_chunk():
            body += chunk
            unpaused += len(chunk)
            if unpaused > 4096:
                unpaused = 0
                await asyncio.sleep(0.1)
        soak.judge("slow reader", BURST, reply.status, body)


async def leaving_mid_stream(soak: Soak) -> None:
    async with connection(soak.gateway.url) as client:
        await soak.ask(client, STREAMED)
        reply, body = await client.read_head(), b""
        if reply.status != 200:
            soak.faults[f"leaver: status {reply.status}"] += 1
        for _ in range(soak.dice.randint(1, 40)):
            chunk = await client.read_chunk()
            body += chunk
            if not chunk:  # on a busy machine several tokens come in one chunk, and the end before the client leaves
                soak.judge("leaver too late", STREAMED, reply.status, body)
                return
        leave(soak, client, "mid-stream")


async def leaving_early(soak: Soak) -> None:
    async with connection(soak.gateway.url) as client:
        await soak.ask(client, soak.dice.choice([WHOLE, LONG_WAIT]))
        await soak.pause(0.2)
        leave(soak, client, "before the answer")
    await soak.pause(0.5)


def leave(soak: Soak, client: Client, when: str) -> None:
    """As a closed tab does, or as a crash does."""
    if soak.dice.random() < 0.5:
        client.reset()
    else:
        client.leave()
    soak.left[when] += 1


CLIENTS: dict[Callable[[Soak], Awaitable[None]], int] = {
    streaming: 100,
    plain: 50,
    leaving_mid_stream: 20,
    leaving_early: 18,
    reading_slowly: 12,
}


async def come_again(soak: Soak, visit: Callable[[Soak], Awaitable[None]]) -> None:
    """One client: it comes in at some moment of the first two seconds, and again and again until the end."""
    await soak.pause(2)
    while not soak.over:
        try:
            await visit(soak)
        except (OSError, EOFError, TimeoutError) as error:  # EOFError: an answer that was cut
            soak.faults[f"{visit.__name__}: {type(error).__name__}"] += 1
            await soak.pause(0.5)


@dataclass(frozen=True)
class Sample:
    """What the gateway holds at one moment."""

    rss_mb: float
    fds: int
    threads: int
    in_flight: int
    upstream: int


async def sample(gateway: RunningGateway) -> Sample:
    text = (await fetch(gateway.url, "/metrics", key=gateway.key)).text

    def gauge(name: str) -> int:
        return int(sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name}{{")))

    process = Path(f"/proc/{gateway.pid}")
    return Sample(
        rss_mb=int((process / "statm").read_text().split()[1]) * PAGE_BYTES / MB,
        fds=sum(1 for _ in (process / "fd").iterdir()),
        threads=sum(1 for _ in (process / "task").iterdir()),
        in_flight=gauge("hayate_in_flight"),
        upstream=gauge("hayate_upstream_connections"),
    )


async def watch(soak: Soak) -> list[Sample]:
    """A sample every second."""
    samples: list[Sample] = []
    while not soak.over:
        await asyncio.sleep(1)
        samples.append(await sample(soak.gateway))
    return samples


@dataclass(frozen=True)
class Memory:
    """What is compared. The first quarter is not looked at."""

    second_mb: float
    last_mb: float
    noise_mb: float

    @classmethod
    def of(cls, samples: list[Sample]) -> Memory:
        quarter = max(1, len(samples) // 4)
        second = [each.rss_mb for each in samples[quarter : 2 * quarter]]
        last = [each.rss_mb for each in samples[-quarter:]]
        return cls(fmean(second), fmean(last), 2 * pstdev(second))


def figures(soak: Soak, before: Sample, samples: list[Sample], after: Sample, statuses: Counter[int]) -> str:
    memory = Memory.of(samples)
    rss = [round(each.rss_mb, 1) for each in samples[:: max(1, len(samples) // 15)]]
    lines = [
        f"{SOAK_S:.0f} s, {sum(CLIENTS.values())} clients, {soak.sent} calls sent; call log {dict(statuses)}",
        f"whole {dict(soak.whole)}; left {dict(soak.left)}; faults {dict(soak.faults)}",
        f"in flight up to {max(each.in_flight for each in samples)}, mean {fmean(each.in_flight for each in samples):.0f}",
        f"upstream connections up to {max(each.upstream for each in samples)}, afterwards {after.upstream}",
        f"fds {before.fds} before, up to {max(each.fds for each in samples)}, {after.fds} after",
        f"threads {before.threads} before, up to {max(each.threads for each in samples)}, {after.threads} after",
        f"RSS {before.rss_mb:.1f} MB before, {after.rss_mb:.1f} after; in between {rss}",
        f"RSS second quarter {memory.second_mb:.2f} MB, last {memory.last_mb:.2f} MB; noise {memory.noise_mb:.2f} MB",
    ]
    return "\n" + "\n".join(f"soak: {line}" for line in lines)


@pytest.fixture
def stub_port(tmp_path: Path) -> Iterator[int]:
    with running_stub(tmp_path / "stub") as (port, _):
        yield port


async def nothing_is_held(gateway: RunningGateway, before: Sample) -> Sample:
    """When all have left: no call at once, no connection once the pool has let its idle ones go, no file left open."""
    after = before

    async def idle() -> bool:
        return (await sample(gateway)).in_flight == 0

    async def let_go() -> bool:
        nonlocal after
        after = await sample(gateway)
        return after.upstream == 0 and after.fds <= before.fds + SPARE_FDS

    await eventually(idle, every_s=0.1)
    assert (await sample(gateway)).upstream <= sum(CLIENTS.values())
    await eventually(let_go, every_s=0.2)
    return after


async def test_two_hundred_clients_of_every_kind_leave_nothing_behind(stub_port: int) -> None:
    env = {"LLM_BACKEND": "openai", "BACKEND_URL": f"http://127.0.0.1:{stub_port}", "MODEL": MODEL}
    async with running_gateway(env) as gateway:
        await gateway.ready()
        before = await sample(gateway)
        soak = Soak(gateway, monotonic() + SOAK_S)
        async with asyncio.timeout(SOAK_S + ENDING_S), asyncio.TaskGroup() as group:
            watching = group.create_task(watch(soak))
            for visit, count in CLIENTS.items():
                for _ in range(count):
                    group.create_task(come_again(soak, visit))
        samples = watching.result()
        after = await nothing_is_held(gateway, before)
        calls = gateway.calls()

    statuses = Counter(int(call["status"]) for call in calls)
    print(figures(soak, before, samples, after, statuses))
    assert not soak.faults
    assert set(soak.whole) >= {"stream", "plain", "slow reader"}
    assert {(call["status"], call["error"]) for call in calls} == {(200, None), (499, None)}
    assert sum(soak.whole.values()) <= statuses[200]  # some of those who left may have been answered first
    assert statuses[499] <= sum(soak.left.values())
    assert len(calls) <= soak.sent
    memory = Memory.of(samples)
    assert memory.last_mb - memory.second_mb < GROWTH_MB + memory.noise_mb
