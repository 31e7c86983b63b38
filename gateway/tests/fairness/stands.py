"""Where the tests of fairness take place: batching engines and a gateway before them, in processes of their own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.stub_process import running_stub
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import fetch
from tests.support.scene import settings
from tests.support.waiting import NEVER_S, eventually

DEPLOYMENT: Mapping[str, Any] = {
    "model": "batching-model",
    "max_in_flight": "auto",
    "max_queued": 5000,
    "queue_timeout_s": NEVER_S,
    "timeouts": {"first_byte_s": NEVER_S, "silence_s": NEVER_S},
}
"""Nobody is sent away: what is measured is who waits for how long."""
_SAMPLE = re.compile(r"^([\w:]+)(?:\{[^}]*\})? ([0-9.e+-]+)$", re.MULTILINE)


@contextmanager
def engines(folder: Path, count: int = 1, **options: float) -> Iterator[list[str]]:
    """The URLs of so many batching engines of one shape."""
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    with ExitStack() as held:
        urls = []
        for number in range(count):
            home = folder / f"engine-{number}"
            port, _ = held.enter_context(running_stub(home, "bench.batching_engine", *words))
            urls.append(f"http://127.0.0.1:{port}")
        yield urls


async def samples(engine: str) -> dict[str, float]:
    """What an engine says of itself."""
    return {name: float(value) for name, value in _SAMPLE.findall((await fetch(engine, "/metrics")).text)}


@dataclass
class Stand:
    """A gateway, and keys made for its callers."""

    gateway: RunningGateway

    @property
    def url(self) -> str:
        return self.gateway.url

    @property
    def _operator(self) -> str:
        return (self.gateway.data / "admin_key").read_text(encoding="ascii").strip()

    async def key(self, name: str, weight: int = 1) -> tuple[str, str]:
        """A new key: its id, and the key itself."""
        reply = await fetch(self.url, "/admin/keys", {"name": name, "weight": weight}, key=self._operator)
        assert reply.status == 201, reply.text
        return reply.json["id"], reply.json["key"]

    async def waits_s(self, key_id: str, count: int) -> list[float]:
        """How long each call of a key waited in the gateway, once so many are kept; the oldest first."""
        found: list[dict[str, Any]] = []

        async def are_kept() -> bool:
            path = f"/admin/calls?key={key_id}&limit=1000"
            reply = await fetch(self.url, path, key=self._operator)
            found[:] = reply.json["data"]
            return len(found) >= count

        await eventually(are_kept)
        return [call["queued_ms"] / 1000 for call in reversed(found)]


@asynccontextmanager
async def stand(*urls: str, **more: Any) -> AsyncIterator[Stand]:
    """A gateway before these engines, as one deployment with such options; `others` are deployments more."""
    config = settings(*urls, **{**DEPLOYMENT, **more})
    async with running_gateway(config=config) as gateway:
        await gateway.ready()
        yield Stand(gateway)
