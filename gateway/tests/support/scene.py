"""A scripted engine with a real gateway in front of it: where most tests on the wire begin.

    async with scene(server={"heartbeat_s": 0.2}) as stage:
        stage.engine.script = silent_mid_stream()
        frames = await stage.frames(CHAT)
        call = await stage.call()             # the log line of the call just made

A stage may serve many tests: `between_tests` gives each a fresh engine, and checks afterwards that nothing was left behind.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.support.engine_script import Chat
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import Client, Frame, Reply, connection, fetch, request_bytes
from tests.support.waiting import LAST_RESORT_S, eventually

CHAT_PATH = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "こんにちは"}]
PLAIN: dict[str, Any] = {"messages": HELLO}
STREAM: dict[str, Any] = {"messages": HELLO, "stream": True}
TRIES = 20
PLACES = 4096
"""Unless a test says otherwise, nobody waits for one, and no engine is asked how busy it is."""
SECTIONS = ("limits", "safety", "health", "aliases", "store", "keys", "prices", "currency", "record", "history")
"""What is no option of a deployment."""
_SAMPLE = re.compile(r"^(\w+)(?:\{[^}]*\})? ([0-9.e+-]+)$", re.MULTILINE)


@dataclass
class Stage:
    """The engine, the gateway, and the ways to call it."""

    engine: FakeEngine
    gateway: RunningGateway
    seen_calls: int = field(default=0)

    @property
    def url(self) -> str:
        return self.gateway.url

    @property
    def key(self) -> str:
        return self.gateway.key

    @property
    def operators_key(self) -> str:
        return (self.gateway.data / "admin_key").read_text(encoding="ascii").strip()

    async def new_key(self, **asked: Any) -> dict[str, Any]:
        """A key made by the operator, as it is shown this once: its `id` and its `key`."""
        asked = {"name": secrets.token_hex(8), **asked}
        reply = await fetch(self.url, "/admin/keys", asked, key=self.operators_key)
        assert reply.status == 201, reply.text
        found: dict[str, Any] = reply.json
        return found

    async def post(
        self,
        body: object,
        path: str = CHAT_PATH,
        headers: Mapping[str, str] | None = None,
        limit_s: float = LAST_RESORT_S,
    ) -> Reply:
        """One whole answer."""
        return await fetch(self.url, path, body, key=self.key, headers=headers, limit_s=limit_s)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        return await fetch(self.url, path, key=self.key, headers=headers)

    async def frames(
        self, body: object = None, path: str = CHAT_PATH, headers: Mapping[str, str] | None = None
    ) -> list[Frame]:
        """Every frame of one streamed answer, which must begin with 200 and end cleanly."""
        async with self.connect() as client:
            await client.send(request_bytes("GET" if body is None else "POST", path, body, self.key, headers))
            reply = await client.read_head()
            assert reply.status == 200, await client.read_body()
            return [frame async for frame in client.frames()]

    def connect(self, **options: Any) -> AbstractAsyncContextManager[Client]:
        """A bare connection to the gateway."""
        return connection(self.url, **options)

    def request(
        self, body: object, path: str = CHAT_PATH, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> bytes:
        """A request with the key, as bytes."""
        return request_bytes(method, path, body, self.key, headers)

    async def calls(self, count: int = 1, within_s: float = LAST_RESORT_S) -> list[dict[str, Any]]:
        """The next `count` lines of the call log that no test has looked at."""
        await eventually(lambda: len(self.gateway.calls()) >= self.seen_calls + count, within_s)
        found = self.gateway.calls()[self.seen_calls : self.seen_calls + count]
        self.seen_calls += count
        return found

    async def call(self) -> dict[str, Any]:
        """The next one."""
        return (await self.calls())[0]

    async def _metrics_text(self) -> str:
        """A gateway whose limits are short cuts even this off, now and then, where the machine is busy."""
        for _ in range(TRIES):
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                reply = await self.get("/metrics")
                if reply.status == 200:
                    return reply.text
        raise AssertionError("the gateway does not tell its metrics")

    async def metrics(self) -> dict[str, float]:
        """Every metric's sum over its labels."""
        return _sums(await self._metrics_text())

    async def quiet(self, within_s: float = LAST_RESORT_S) -> None:
        """Until no call is in flight or queued, at the gateway and at the engine."""

        async def is_quiet() -> bool:
            metrics = await self.metrics()
            return metrics["hayate_in_flight"] == metrics["hayate_queued"] == self.engine.open == 0

        await eventually(is_quiet, within_s, every_s=0.03)

    async def healthy(self, within_s: float = LAST_RESORT_S) -> None:
        """Until every replica is taken for healthy: between two asynchronous tests the engine answers no probes."""

        async def is_healthy() -> bool:
            return _all_healthy(await self._metrics_text())

        await eventually(is_healthy, within_s, every_s=0.03)

    async def written(self, within_s: float = LAST_RESORT_S) -> None:
        """Until the log has a line for every call that was counted: lines are written by a thread, a little later."""

        async def is_written() -> bool:
            return self._all_written(await self._metrics_text())

        await eventually(is_written, within_s, every_s=0.03)

    def _all_written(self, metrics: str) -> bool:
        return _sums(metrics).get("hayate_calls_total", 0) <= len(self.gateway.calls())

    @asynccontextmanager
    async def between_tests(self) -> AsyncIterator[Stage]:
        """This stage for one test more: a well-behaved engine before it, no call left over after it."""
        engine = self.engine
        engine.script = Chat(model=engine.model)
        engine._next.clear()
        engine.on_connect, engine.stale, engine.idle_close_s = (), None, None
        engine.requests.clear()
        engine.abandoned.clear()
        engine.abandoned_at_s.clear()
        engine.max_open = 0

        async def is_as_new() -> bool:
            metrics = await self._metrics_text()
            return _all_healthy(metrics) and self._all_written(metrics)

        await eventually(is_as_new, every_s=0.03)
        self.seen_calls = len(self.gateway.calls())
        yield self
        await self.quiet()


def _sums(metrics: str) -> dict[str, float]:
    sums: dict[str, float] = {}
    for name, value in _SAMPLE.findall(metrics):
        sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def _all_healthy(metrics: str) -> bool:
    found = re.findall(r"^hayate_replica_healthy\{.*\} ([01])", metrics, re.MULTILINE)
    return len(found) > 0 and "0" not in found


def settings(
    *urls: str,
    server: Mapping[str, Any] | None = None,
    others: Mapping[str, Mapping[str, Any]] | None = None,
    **more: Any,
) -> str:
    """A configuration's text: one deployment on `urls`, to which the options that are no section belong; each of `others`
    is a deployment more, which differs from it as said.
    """
    sections = {name: more.pop(name) for name in SECTIONS if name in more}
    first = {"backend": "vllm", "model": "scripted", "replicas": list(urls), "max_in_flight": PLACES, **more}
    deployments = {"scripted": first, **{name: {**first, **each} for name, each in (others or {}).items()}}
    aliases = {"default": "scripted", **sections.pop("aliases", {})}
    return json.dumps({"server": server or {}, "deployments": deployments, "aliases": aliases, **sections})


@asynccontextmanager
async def scene(server: Mapping[str, Any] | None = None, **more: Any) -> AsyncIterator[Stage]:
    """An engine and a gateway that is ready to use it; the arguments are those of `settings`."""
    async with (
        running_engine() as engine,
        running_gateway(config=settings(engine.url, server=server, **more)) as gateway,
    ):
        await gateway.ready()
        yield Stage(engine, gateway)
