"""What is kept of calls comes to what the engines themselves have counted: to the token for answers that came to their end,
and for those that were broken off to the chunk that was on its way.
"""

from __future__ import annotations

import asyncio
import re
import signal
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.engines.launch import EngineProcess
from tests.engines.test_client_leaves import endless
from tests.support.gateway import RunningGateway
from tests.support.http import connection, fetch, request_bytes
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

CHAT, TEXT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"
COUNTERS = {
    "llamacpp": (
        ("llamacpp:prompt_tokens_total", "llamacpp:prompt_tokens_cached_total"),
        "llamacpp:tokens_predicted_total",
    ),
    "vllm": (("vllm:prompt_tokens_total",), "vllm:generation_tokens_total"),
}
"""What an engine has read, in parts, and what it has made."""
ON_ITS_WAY = 4
"""Tokens that an engine has made and sent nobody when it hears that its caller has left: one that is being sent, one that
waits for that, and what comes until it hears.
"""
TRIES = 10
PROMPTS = ("Hello", "日本語で答えて", "Hello there, how are you?")


OF_LLAMACPP = [(TEXT, prompt, False) for prompt in PROMPTS] + [(MESSAGES, PROMPTS[1], True)]
"""Calls of which it does not tell all by itself: it may leave out the last tokens of a text that ends inside a character,
which are asked for once more, and the start of a message that begins inside one, where the prompt's tokens are.
"""


@dataclass(frozen=True)
class Tokens:
    """Of prompts, and of answers."""

    prompt: int
    made: int

    def __sub__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt - other.prompt, self.made - other.made)


async def counted(engine: EngineProcess) -> Tokens:
    """By the engine since its start."""
    text = (await fetch(engine.url, "/metrics")).text

    def of(name: str) -> int:
        return int(sum(float(each) for each in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)))

    read, made = COUNTERS[engine.backend]
    return Tokens(sum(map(of, read)), of(made))


def kept(calls: Iterable[dict[str, Any]]) -> Tokens:
    """In the record of calls."""
    listed = list(calls)
    return Tokens(sum(each["input_tokens"] for each in listed), sum(each["output_tokens"] for each in listed))


@dataclass
class Run:
    """Calls through a gateway, and what the engine had counted before them."""

    gateway: RunningGateway
    engine: EngineProcess
    before: Tokens
    asked: list[str] = field(default_factory=list)
    """Request ids."""

    async def calls(self) -> list[dict[str, Any]]:
        """The record of those that were made here, the latest first, as the operator reads it out of the store."""
        key = (self.gateway.data / "admin_key").read_text(encoding="ascii").strip()
        found: list[dict[str, Any]] = []

        async def all_are_there() -> bool:
            latest = await fetch(self.gateway.url, f"/admin/calls?limit={len(self.asked)}", key=key)
            assert latest.status == 200, latest.text
            found[:] = latest.json["data"]
            return {each["request_id"] for each in found} == set(self.asked)

        await eventually(all_are_there)
        return found

    def _request(self, path: str, body: dict[str, Any]) -> bytes:
        self.asked.append(str(uuid.uuid4()))
        return request_bytes("POST", path, body, self.gateway.key, {"x-request-id": self.asked[-1]})

    async def finish(self, path: str, body: dict[str, Any]) -> None:
        """One answer, to its end."""
        async with connection(self.gateway.url) as client:
            await client.send(self._request(path, body))
            reply = await client.read_reply()
            assert reply.status == 200, reply.text

    async def leave(self, path: str, body: dict[str, Any], events: int) -> dict[str, Any]:
        """An answer whose caller goes away after some events: what is kept of it, once all that was sent has been read."""
        async with connection(self.gateway.url) as client:
            await client.send(self._request(path, body))
            assert (await client.read_head()).status == 200
            async for frame in client.frames():
                events -= frame.comment is None
                if events <= 0:
                    break
            self._halt(signal.SIGSTOP)
            try:
                await eventually(lambda: not _unread(self.engine.port))
                client.leave()
                await self.gateway.logged_as(self.asked[-1])
            finally:
                self._halt(signal.SIGCONT)
        await eventually(self.engine.idle, every_s=0.02)
        return (await self.calls())[0]

    def _halt(self, number: signal.Signals) -> None:
        # What is made between the last chunk that was read and the end is no fault of ours; it would be many, as fast as the
        # tiny model is. vLLM's server goes on: it hears of the end while its core makes nothing.
        (self.engine.send_to_core if self.engine.backend == "vllm" else self.engine.send)(number)


def _unread(port: int) -> int:
    """Bytes from a port that nobody has read. A probe on its way to an engine that was halted is not among them: it stays."""
    queues = 0
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, remote, _, waiting, *_ = line.split()
        sent, received = (int(each, 16) for each in waiting.split(":"))
        queues += sent * (int(local[-4:], 16) == port) + received * (int(remote[-4:], 16) == port)
    return queues


@pytest.fixture
async def run(gateway: RunningGateway, engine: EngineProcess) -> Run:
    await eventually(engine.idle)
    return Run(gateway, engine, await counted(engine))


def asking(path: str, prompt: str, **fields: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": "tiny-qwen2", "temperature": 0, "max_tokens": 40, **fields}
    if path == TEXT:
        return {**asked, "prompt": prompt}
    if path == RESPONSES:
        del asked["max_tokens"]
        return {**asked, "input": prompt, "max_output_tokens": 40}
    return {**asked, "messages": [{"role": "user", "content": prompt}]}


def mixed(backend: str) -> list[tuple[str, dict[str, Any]]]:
    """Answers of every kind, each twice: the second time the prompt is in the engine's cache."""
    calls = [
        (path, asking(path, prompt, stream=stream))
        for path in (CHAT, TEXT, RESPONSES, MESSAGES)
        for prompt in PROMPTS
        for stream in (True, False)
        if backend == "vllm" or (path, prompt, stream) not in OF_LLAMACPP
    ]
    listed = {"model": "tiny-qwen2", "max_tokens": 8, "prompt": ["Hello one two", "Bye three four five six"]}
    calls += [(TEXT, {**listed, "stream": stream}) for stream in (True, False)]
    shown = {"stream_options": {"include_usage": True}}
    calls.append((CHAT, asking(CHAT, "Hello", stream=True, **shown)))
    if backend == "llamacpp":  # of several answers to one prompt vLLM's counter counts it several times, its usage once
        calls += [(TEXT, {**listed, "n": 2, "stream": stream}) for stream in (True, False)]
        calls += [(CHAT, asking(CHAT, "Hello", n=2, stream=stream)) for stream in (True, False)]
    return calls * 2


async def test_whole_answers_are_kept_as_the_engine_counted_them(run: Run) -> None:
    calls = mixed(run.engine.backend)
    for first, second in zip(calls[::2], calls[1::2], strict=True):
        await asyncio.gather(run.finish(*first), run.finish(*second))
    found = await run.calls()
    assert {(each["status"], each["tokens_exact"]) for each in found} == {(200, True)}
    assert kept(found) == await counted(run.engine) - run.before


@pytest.mark.parametrize("path", [CHAT, TEXT, RESPONSES, MESSAGES])
async def test_answers_that_are_broken_off_are_kept_to_the_chunk(run: Run, path: str) -> None:
    """Prompts to the token where the engine tells early how long one is; elsewhere nearly, learned from the calls before."""
    for length in (1, 20, 5, 60):
        await run.finish(path, asking(path, "repeat " * length, stream=True))
    for events in (8, 30, 100):
        await one_is_left(run, path, events)
    found, told = await run.calls(), await counted(run.engine) - run.before
    assert {each["tokens_exact"] for each in found if each["status"] == 499} == {False}
    tells_early = run.engine.backend == "llamacpp" or path == MESSAGES
    assert kept(found).prompt == (
        told.prompt if tells_early else pytest.approx(told.prompt, rel=0.3, abs=15 * len(found))
    )


async def one_is_left(run: Run, path: str, events: int) -> None:
    """An answer that is left; again if it had come to its end before, or if a busy machine was late to tell the engine."""
    for _ in range(TRIES):
        before = await counted(run.engine)
        call = await run.leave(path, endless("repeat", path, "", stream=True), events)
        unsent = (await counted(run.engine) - before).made - call["output_tokens"]
        assert unsent >= 0
        if call["status"] == 499 and unsent <= ON_ITS_WAY:
            assert call["output_tokens"] >= events - ON_ITS_WAY, "of the first events some hold no text"
            return
    raise AssertionError("each time it was at its end, or made much more than was read")
