"""RELIABILITY: what twenty keys let through when all of them ask for more than they may, as the engine saw it.

The law: in no 60 s does a key pass more requests than its limit, nor more tokens where it counts strictly; else at most the
limit and what the calls under way turned out to need. A call goes through at some moment between its client's sending it and
its coming to the engine: whatever that moment was, the law must hold. And who asks for more gets it.
"""

from __future__ import annotations

import asyncio
import json
import random
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from hayate.api.leave import TEMPLATE_TOKENS
from tests.support.engine_script import Chat, Request, Script
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.http import Client, Reply, connection, fetch, request_bytes
from tests.support.quick import slow
from tests.support.scene import CHAT_PATH, PLAIN, Stage, scene, settings

pytestmark = pytest.mark.anyio

KEYS: Final = 20
CALLERS: Final = 4
"""Of each key, each with one call at a time."""
MINUTE_S: Final = 60.0
MAX_TOKENS: Final = 100
"""Of one answer. A key that does not count strictly may get more: this engine does not always keep to it."""
RESERVE: Final = 400 + TEMPLATE_TOKENS
"""More than a call of these has reserved: its bytes, what a template may add, and the most that it asked for."""
CLOCK_S: Final = 0.001
"""By so much the event loop's time may be behind."""


@dataclass(frozen=True)
class Passed:
    """A call that came to the engine."""

    sent_s: float
    came_s: float
    tokens: int


@dataclass
class Caller:
    """One of those who share a key: it asks, and asks again."""

    name: str
    limits: dict[str, Any]
    dice: random.Random
    sent: dict[str, float] = field(default_factory=dict)
    refused: int = 0

    def body(self) -> dict[str, Any]:
        inputs, outputs = self.dice.randint(1, 60), self.dice.randint(1, MAX_TOKENS)
        if not self.limits.get("strict") and self.dice.random() < 0.2:
            outputs = 3 * MAX_TOKENS
        content = json.dumps([inputs, outputs]).ljust(60, ".")
        streams = self.dice.random() < 0.5
        return {"messages": [{"role": "user", "content": content}], "max_tokens": MAX_TOKENS, "stream": streams}

    async def ask(self, client: Client, key: str) -> Reply:
        name = f"{self.name}-{len(self.sent)}"
        self.sent[name] = asyncio.get_running_loop().time()
        await client.send(request_bytes("POST", CHAT_PATH, self.body(), key, {"x-request-id": name}))
        reply = await client.read_reply()
        assert reply.status in (200, 429), reply.text
        return reply

    async def overload(self, url: str, key: str, until_s: float) -> None:
        """Until then, and until it has been refused a few times: some ask again at once, some when they were told to."""
        patient = self.dice.random() < 0.5
        async with connection(url) as client:
            while asyncio.get_running_loop().time() < until_s or self.refused < 3:
                reply = await self.ask(client, key)
                if reply.status == 429:
                    self.refused += 1
                    left_s = max(0.0, until_s - asyncio.get_running_loop().time())
                    told_s = float(reply.headers["retry-after"])
                    pause_s = told_s if patient and told_s < left_s else self.dice.uniform(0.2, 0.6)
                    await asyncio.sleep(pause_s)


def scripted(request: Request) -> Script:
    """Answers with as many tokens as the prompt says, and counts as many in the prompt."""
    inputs, outputs = tokens_of(request)
    usage = {"prompt_tokens": inputs, "completion_tokens": outputs, "total_tokens": inputs + outputs}
    streamed = Chat(["a"] * outputs, per_write=50, prompt_tokens=inputs)
    chat = streamed if request.asks_for_stream else Chat(["a"], fields={"usage": usage})
    return [random.uniform(0, 0.05), *chat(request)]


def tokens_of(request: Request) -> tuple[int, int]:
    inputs, outputs = json.loads(request.json["messages"][0]["content"].rstrip("."))
    return inputs, outputs


def limits_of(number: int) -> dict[str, Any]:
    """Every second key is held by its tokens, half of these strictly, and every second by its requests."""
    if number % 2:
        return {"requests_per_minute": (1, 5, 20, 60, 90)[number // 2 % 5]}
    limits: dict[str, Any] = {"tokens_per_minute": (1000, 3000, 4000, 5000, 7000)[number // 2 % 5]}
    return {**limits, "strict": True} if number % 4 else limits


def worst(passed: list[Passed]) -> Iterator[list[Passed]]:
    """For each moment at which one was sent: those that surely went through in the 60 s from then on."""
    by_sending = sorted(passed, key=lambda each: each.sent_s)
    begins = [each.sent_s for each in by_sending]
    for begin in begins:
        ends = bisect_left(begins, begin + MINUTE_S)
        first = bisect_left(begins, begin)
        yield [each for each in by_sending[first:ends] if each.came_s < begin + MINUTE_S]


def check(limits: dict[str, Any], passed: list[Passed], minutes: float) -> None:
    """The law from above, and from below."""
    requests, tokens = limits.get("requests_per_minute"), limits.get("tokens_per_minute")
    used = sum(each.tokens for each in passed)
    for minute in worst(passed):
        if requests is not None:
            assert len(minute) <= requests, limits
        if tokens is not None:
            in_flight = sorted(each.tokens for each in minute)[-CALLERS:]
            spare = 0 if limits.get("strict") else sum(in_flight)
            assert sum(each.tokens for each in minute) <= tokens + spare, limits
    if requests is not None:
        assert len(passed) >= minutes * 0.98 * requests - 1, limits
    if tokens is not None:
        assert used >= minutes * (0.98 * tokens - RESERVE), limits


@pytest.mark.parametrize("minutes", [0, *slow(3)])
async def test_twenty_keys_that_ask_for_more_get_what_they_may_and_no_more(minutes: int) -> None:
    """With no minutes to go by, each has the whole of one: that is what it may do at once."""
    async with scene(max_in_flight=1000) as stage:
        stage.engine.script = scripted
        keys = [await stage.new_key(limits=limits_of(number)) for number in range(KEYS)]
        dice = random.Random(20261129)
        callers = [
            Caller(f"{number}-{caller}", limits_of(number), random.Random(dice.random()))
            for number in range(KEYS)
            for caller in range(CALLERS)
        ]
        until_s = asyncio.get_running_loop().time() + minutes * MINUTE_S
        async with asyncio.TaskGroup() as group:
            for n, caller in enumerate(callers):
                group.create_task(caller.overload(stage.url, keys[n // CALLERS]["key"], until_s))
        await stage.quiet()
        sent = {name: at for caller in callers for name, at in caller.sent.items()}
        passed: list[list[Passed]] = [[] for _ in range(KEYS)]
        for each in stage.engine.requests:
            name = each.headers["x-request-id"]
            passed[int(name.split("-")[0])].append(Passed(sent[name], each.at_s + CLOCK_S, sum(tokens_of(each))))
        for number in range(KEYS):
            check(limits_of(number), passed[number], minutes or 1)
        await no_more_was_counted(stage, keys, passed)


async def no_more_was_counted(stage: Stage, keys: list[dict[str, Any]], passed: list[list[Passed]]) -> None:
    """What each key is told that it used is what the engine saw of it."""
    for key, calls in zip(keys, passed, strict=True):
        reply = await fetch(stage.url, "/v1/usage?by=key", key=key["key"])
        (used,) = reply.json["data"]
        assert used["input_tokens"] + used["output_tokens"] == sum(each.tokens for each in calls)
        assert used["calls"] - used["failed"] == len(calls)


async def test_what_was_used_before_a_restart_counts_after_it(tmp_path: Path) -> None:
    env = {"HAYATE_DATA": str(tmp_path / "data")}
    limits = {"requests_per_minute": 3}
    async with running_engine() as engine:
        config = settings(engine.url, limits=limits)
        async with running_gateway(env, config=config) as first:
            await first.ready()
            assert [await status(first.url, first.key) for _ in range(2)] == [200, 200]
        async with running_gateway(env, config=config) as second:
            await second.ready()
            assert [await status(second.url, second.key) for _ in range(3)] == [200, 429, 429]
        async with running_gateway(env, config=config) as third:
            await third.ready()
            assert await status(third.url, third.key) == 429
            assert len(engine.requests) == 3


async def status(url: str, key: str) -> int:
    return (await fetch(url, CHAT_PATH, PLAIN, key=key)).status
