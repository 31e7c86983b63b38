"""What the page is walked through before: a real llama.cpp behind several deployments, and a scripted engine that sees pictures."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.engines.launch import EngineProcess, running_llamacpp
from tests.support.engine_script import Chat
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.gateway import RunningGateway, running_gateway

SEES = "scripted-sees"
"""The one deployment that no real engine serves: the tiny model can't see."""
NARROW_TOKENS = 400
SLOTS = 4


@dataclass
class Scenery:
    """The gateway, what is behind it, and its file."""

    gateway: RunningGateway
    llamacpp: EngineProcess
    sees: FakeEngine
    config: dict[str, Any]

    @property
    def operators_key(self) -> str:
        return (self.gateway.data / "admin_key").read_text(encoding="ascii").strip()

    def write_config(self, **sections: Any) -> None:
        """The file that a reload reads, with other sections than the gateway began with."""
        file = self.gateway.data.parent / "config.yaml"
        file.write_text(json.dumps({**self.config, **sections}), encoding="utf-8")


@contextmanager
def thinking_llamacpp(folder: Path) -> Iterator[EngineProcess]:
    """One for all walks."""
    with running_llamacpp(folder, slots=SLOTS, thinks=True) as engine:
        yield engine


@asynccontextmanager
async def scenery(llamacpp: EngineProcess) -> AsyncIterator[Scenery]:
    """A gateway of its own for one walk, once every deployment is ready."""
    real = {"backend": "llamacpp", "model": llamacpp.model, "replicas": [llamacpp.url]}
    async with running_engine(Chat(["赤です。/ It is red."]), model=SEES) as sees:
        config = {
            "deployments": {
                "tiny": real,
                "narrow": {**real, "context_tokens": NARROW_TOKENS},
                "one-place": {**real, "max_in_flight": 1},
                SEES: {"backend": "vllm", "model": SEES, "replicas": [sees.url]},
            },
            "aliases": {"default": "tiny", "fast": "narrow"},
            "currency": "JPY",
            "prices": {"default": {"input": 15, "output": 60}, "tiny": {"input": 15, "output": 60}},
        }
        async with running_gateway(config=json.dumps(config)) as gateway:
            await gateway.ready()
            yield Scenery(gateway, llamacpp, sees, config)
