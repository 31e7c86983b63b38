"""A stand-in for vLLM's sleep mode on a scripted engine, from its source (0.32) and what its CPU build answers, which has the
paths and frees nothing.

Its manners: a call that comes while it sleeps gets its head at once, if it is a stream, and nothing more until it is awake;
`/health` and `/v1/models` are answered all the while. `/sleep` breaks off calls under way with `finish_reason:"abort"` unless
told to wait. Asleep at level 2 its weights are gone: awake again without having read them anew it writes nonsense. Woken in parts
it takes up calls with the last of them. Woken without memory for it, or told to read weights that sleep, its core dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import parse_qs

from tests.support.engine_script import (
    Answer,
    Chat,
    Exchange,
    Request,
    Script,
    Step,
    answer,
    body,
    cut,
    end,
    error,
    frame,
)
from tests.support.fake_engine import FakeEngine
from tests.support.gpu_memory import GpuMemory

TAGS = ("weights", "kv_cache")
MODES = ("abort", "wait", "keep")
NONSENSE = "\N{REPLACEMENT CHARACTER}" * 3
POLL_S = 0.005
TOLD = ("/sleep", "/wake_up", "/collective_rpc")


class SleepModeVLLM:
    """vLLM's sleep mode. `asleep`: put to sleep at level 1 after its start; `takes_s`: how long it sleeps in or wakes."""

    def __init__(
        self,
        engine: FakeEngine,
        memory: GpuMemory | None = None,
        size: int = 1,
        *,
        asleep: bool = False,
        takes_s: float = 0.0,
        chat: Answer | None = None,
    ) -> None:
        self.engine = engine
        self.memory = memory or GpuMemory(size)
        self.size = size
        self.takes_s = takes_s
        self.chat: Answer = chat or Chat(model=engine.model)
        self.asleep: set[str] = set(TAGS) if asleep else set()
        self.level = 1 if asleep else 0
        self.nonsense = False
        self.dead = False
        self.told: list[str] = []
        self.broken_off = 0
        self.running = 0
        """Calls that are computed, not those that wait for it to wake."""
        self._awake = asyncio.Event()
        self._aborted = 0
        if not asleep:
            assert self.memory.take(engine.model, size), "an engine starts when there is memory for it"
            self._awake.set()
        engine.routes["/is_sleeping"] = lambda _: self._living(answer({"is_sleeping": not self._awake.is_set()}))
        engine.routes["/health"] = lambda _: self._living(answer(b""))
        engine.routes["/metrics"] = lambda _: answer(self._gauges().encode())
        engine.script = self._do

    def restart(self) -> None:
        """Started anew it is awake, and nobody has told it to be."""
        assert self.memory.take(self.engine.model, self.size)
        self.asleep, self.level, self.nonsense, self.dead = set(), 0, False, False
        self._awake.set()

    def _living(self, said: Script) -> Script:
        return error(503, "EngineCore encountered an issue") if self.dead else said

    def _gauges(self) -> str:
        label = f'engine="0",model_name="{self.engine.model}"'
        states = {"awake": 0, "weights_offloaded": 1, "discard_all": 2}
        asleep = self.level if self.asleep else 0
        lines = [f"vllm:num_requests_running{{{label}}} {float(self.running)}"]
        lines += [
            f'vllm:engine_sleep_state{{{label},sleep_state="{k}"}} {float(asleep == n)}' for k, n in states.items()
        ]
        return "\n".join(lines) + "\n"

    def _do(self, request: Request) -> Script:
        if self.dead:
            return [cut]
        path, _, query = request.path.partition("?")
        if path not in TOLD:
            return [self._call]
        self.told.append(request.path)
        asked = parse_qs(query)
        if path == "/sleep":
            level, mode = asked.get("level", ["1"])[0], asked.get("mode", ["abort"])[0]
            if level not in ("0", "1", "2"):
                return error(400, "Input should be less than or equal to 2")
            if mode not in MODES:
                return error(400, "Input should be 'abort', 'wait' or 'keep'")
            return [self._sleeping(int(level), mode)]
        return [self._waking(asked.get("tags"))] if path == "/wake_up" else [self._reloading(request)]

    def _sleeping(self, level: int, mode: str) -> Step:
        async def step(exchange: Exchange) -> None:
            self._awake.clear()
            if mode == "abort":
                self._aborted += 1
            while self.running and mode != "keep":
                await asyncio.sleep(POLL_S)
            await asyncio.sleep(self.takes_s)
            if not self.asleep and level:
                self.asleep, self.level = set(TAGS), level
                self.nonsense = self.nonsense or level == 2
                self.memory.free(self.engine.model)
            await play(exchange, answer({"status": "sleeping", "level": level}))

        return step

    def _waking(self, tags: list[str] | None) -> Step:
        async def step(exchange: Exchange) -> None:
            await asyncio.sleep(self.takes_s)
            if self.asleep and not self.memory.take(self.engine.model, self.size):
                self.dead = True
                await play(exchange, error(500, "CUDA Error: out of memory at cumem_allocator.cpp:62"))
                return
            self.asleep -= set(tags or TAGS)
            if not self.asleep:
                self._awake.set()
            await play(exchange, answer({"status": "sleeping" if self.asleep else "awake", "tags": tags}))

        return step

    def _reloading(self, request: Request) -> Step:
        async def step(exchange: Exchange) -> None:
            if request.json.get("method") != "reload_weights":
                await play(exchange, error(500, "Call to collective_rpc method failed"))
            elif "weights" in self.asleep:
                self.dead = True
                await play(exchange, error(500, "CUDA error: an illegal memory access was encountered"))
            else:
                self.nonsense = False
                await play(exchange, answer({"results": [None]}))

        return step

    async def _call(self, exchange: Exchange) -> None:
        request = exchange.request
        steps = list(self._steps(request))
        if request.asks_for_stream:
            await play(exchange, steps[:1])
        await self._awake.wait()
        begun = self._aborted
        self.running += 1
        try:
            for step in list(self._steps(request))[1 if request.asks_for_stream else 0 :]:
                if self._aborted > begun:
                    self.broken_off += 1
                    await self._break_off(exchange)
                    return
                await play(exchange, [step])
        finally:
            self.running -= 1

    def _steps(self, request: Request) -> Script:
        chat = Chat([NONSENSE], model=self.engine.model) if self.nonsense else self.chat
        return chat(request) if callable(chat) else chat

    @staticmethod
    async def _break_off(exchange: Exchange) -> None:
        last = {
            "id": "scripted-1",
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": {}, "finish_reason": "abort"}],
        }
        if exchange.request.asks_for_stream:
            await play(exchange, [body(frame(last)), body(frame("[DONE]")), end])
        else:
            await play(exchange, error(500, "aborted"))


async def play(exchange: Exchange, steps: Sequence[object]) -> None:
    """Runs steps within a step."""
    for step in steps:
        if isinstance(step, bytes):
            await exchange.send(step)
        elif isinstance(step, int | float):
            await asyncio.sleep(step)
        elif callable(step):
            await step(exchange)
