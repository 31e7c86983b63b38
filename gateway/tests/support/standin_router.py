"""A stand-in for llama.cpp's router mode on a scripted engine, from its source (`server-models.cpp`, 2026-11).

Its manners: `/health` is the router's own, whatever its models do. To load is answered once the child has been started; a child
that gets no memory ends with status 1, and only the list of models tells. To unload ends the child at once, calls under way and
all. What is called without being loaded is loaded, unless that was switched off; `/props` without a model is the router's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.support.engine_script import Answer, Chat, Exchange, Request, Script, answer
from tests.support.fake_engine import FakeEngine
from tests.support.gpu_memory import GpuMemory
from tests.support.standin_vllm import play

SLOTS = 4
CONTEXT_TOKENS = 4096


@dataclass
class Child:
    """One of the router's models."""

    size: int
    status: str = "unloaded"
    exit_code: int = 0
    calls: set[Any] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def become(self, status: str, exit_code: int = 0) -> None:
        self.status, self.exit_code = status, exit_code
        self.changed.set()
        self.changed = asyncio.Event()


class RouterMode:
    """llama-server --models-dir. `autoloads`: it runs without --no-models-autoload."""

    def __init__(
        self,
        engine: FakeEngine,
        sizes: Mapping[str, int],
        memory: GpuMemory | None = None,
        *,
        autoloads: bool = False,
        takes_s: float = 0.0,
        chat: Answer | None = None,
    ) -> None:
        self.models = {name: Child(size) for name, size in sizes.items()}
        self.memory = memory or GpuMemory(sum(sizes.values()))
        self.autoloads = autoloads
        self.takes_s = takes_s
        self.chat: Answer = chat or Chat(early_headers=False)
        self.told: list[tuple[str, str]] = []
        self.killed = 0
        """Calls that ended with their child."""
        self._tasks: set[asyncio.Task[None]] = set()
        for path in ("/models", "/v1/models"):
            engine.routes[path] = lambda _: answer(
                {"object": "list", "data": [self._listed(each) for each in self.models]}
            )
        engine.routes["/props"] = self._props
        engine.routes["/metrics"] = lambda _: _refused("model name is missing from the request")
        engine.script = self._do

    def _listed(self, name: str) -> dict[str, Any]:
        child = self.models[name]
        status: dict[str, Any] = {"value": child.status, "args": ["llama-server", "--alias", name]}
        if child.status == "unloaded" and child.exit_code:
            status |= {"failed": True, "exit_code": child.exit_code}
        return {"id": name, "aliases": [], "object": "model", "owned_by": "llamacpp", "created": 1, "status": status}

    def _props(self, request: Request) -> Script:
        asked = parse_qs(request.path.partition("?")[2])
        if "model" not in asked:
            settings = {"params": {}, "n_ctx": 0}
            return answer({"role": "router", "model_alias": "llama-server", "default_generation_settings": settings})
        name = asked["model"][0]
        if name not in self.models:
            return _refused(f"model '{name}' not found")
        child = self.models[name]
        if (
            asked.get("autoload", ["true" if self.autoloads else "false"])[0] in ("true", "1")
            and child.status == "unloaded"
        ):
            self.load(name)
        if child.status == "unloaded":
            return _refused("model is not loaded")
        if child.status == "loading":
            return answer({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, 503)
        settings = {"n_ctx": CONTEXT_TOKENS}
        return answer({"default_generation_settings": settings, "total_slots": SLOTS, "is_sleeping": False})

    def _do(self, request: Request) -> Script:
        name = request.json.get("model")
        if request.path in ("/models/load", "/models/unload"):
            self.told.append((request.path, name))
            if name not in self.models:
                return _refused("model is not found", 404 if request.path.endswith("/load") else 400)
            running = self.models[name].status != "unloaded"
            if request.path == "/models/load":
                if running:
                    return _refused("model is already running")
                self.load(name)
            else:
                if not running:
                    return _refused("model is not running")
                self.unload(name)
            return answer({"success": True})
        if name not in self.models:
            return _refused(f"model '{name}' not found")
        return [self._call]

    def load(self, name: str) -> None:
        """Starts the child."""
        self.models[name].become("loading")
        self._begin(self._loading(name))

    def unload(self, name: str) -> None:
        """Ends it."""
        child = self.models[name]
        self.killed += len(child.calls)
        for exchange in child.calls:
            exchange.close()
        self._begin(self._ending(name))

    def _begin(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _loading(self, name: str) -> None:
        child = self.models[name]
        await asyncio.sleep(self.takes_s)
        if child.status != "loading":
            return
        if self.memory.take(name, child.size):
            child.become("loaded")
        else:
            child.become("unloaded", exit_code=1)

    async def _ending(self, name: str) -> None:
        await asyncio.sleep(self.takes_s)
        self.memory.free(name)
        self.models[name].become("unloaded")

    async def _call(self, exchange: Exchange) -> None:
        request = exchange.request
        child = self.models[request.json["model"]]
        if child.status == "unloaded":
            if not self.autoloads:
                await play(exchange, _refused("model is not loaded"))
                return
            self.load(request.json["model"])
        while child.status == "loading":
            await child.changed.wait()
        if child.status != "loaded":
            await play(exchange, _refused(f"model name={request.json['model']} failed to load", 500))
            return
        child.calls.add(exchange)
        try:
            await play(exchange, self.chat(request) if callable(self.chat) else self.chat)
        finally:
            child.calls.discard(exchange)


def _refused(message: str, status: int = 400) -> Script:
    kind = "not_found_error" if status == 404 else "invalid_request_error"
    return answer({"error": {"code": status, "message": message, "type": kind}}, status)
