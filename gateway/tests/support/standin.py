"""What the stand-ins for engines share: a model that knows the tiny model's dialogues, and a server in a thread.

A stand-in is written from its engine's documents and sources: it refuses what the real one refuses, in the same words and
shapes, and misbehaves as the real one misbehaves. The last user message chooses what the model does: a dialogue of
`tests.engines.known`, or a fault by name: `ERROR_MID`, `CUT_MID`, `SLOW` (until the client leaves), `THINK` (with reasoning apart).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.engines.known import KNOWN, Known

MODEL = "tiny-qwen2"
CONTEXT_TOKENS = 32_768
PIECE_CHARS = 2
SLOW_S = 0.02
REASONING = "まず考えます。"


@dataclass
class Said:
    """What the model answers. A piece is what one token would be."""

    pieces: list[str]
    calls: tuple[dict[str, str], ...] = ()
    reasoning: str = ""
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    fault: str = ""

    @property
    def completion_tokens(self) -> int:
        return len(self.pieces) + 10 * len(self.calls)

    async def spoken(self) -> AsyncIterator[str]:
        """The pieces, one by one; slowly when that was asked for."""
        for piece in self.pieces:
            await asyncio.sleep(SLOW_S if self.fault == "SLOW" else 0)
            yield piece


@dataclass
class StandIn:
    """A running stand-in and what it saw."""

    url: str = ""
    requests: list[Any] = field(default_factory=list)
    """Every body of a call, parsed."""
    request_ids: list[str] = field(default_factory=list)
    """The `x-request-id` of every call."""
    adapters: list[str] = field(default_factory=list)
    """Models beside the one it started with, as adapters (LoRA) that were loaded since."""
    running: int = 0
    aborted: int = 0
    """Calls whose client left before their end."""

    @contextmanager
    def serving(self) -> Iterator[None]:
        """A call under way."""
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1


def answer(messages: Sequence[dict[str, Any]], *, tools: object, limit: int | None, stops: Sequence[str]) -> Said:
    """What the model says to `messages`."""
    prompt = "\n".join(_text(message.get("content")) for message in messages)
    asked = _text(messages[-1].get("content")) if messages[-1]["role"] != "tool" else "tool"
    said = Said(_pieces(_known_text(asked)), prompt_tokens=len(prompt) + 4 * len(messages))
    if messages[-1]["role"] == "tool":
        said.pieces = _pieces(f"{asked}: {_text(messages[-1].get('content'))}")
    elif tools and (known := _with_tools(asked)):
        said = Said(_pieces(known.text), known.calls, prompt_tokens=said.prompt_tokens)
    if asked in ("ERROR_MID", "CUT_MID", "SLOW", "THINK"):
        said.fault = asked
        said.reasoning = REASONING if asked == "THINK" else ""
        said.pieces = said.pieces * (1000 if asked == "SLOW" else 1)
    return _limited(said, limit, stops)


def complete(prompt: str, *, limit: int | None, stops: Sequence[str]) -> Said:
    """What the model writes after `prompt`."""
    return _limited(Said(_pieces(_known_text(prompt)), prompt_tokens=len(prompt)), limit, stops)


def _limited(said: Said, limit: int | None, stops: Sequence[str]) -> Said:
    text = "".join(said.pieces)
    ends = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    if ends:
        said.pieces = _pieces(text[: min(ends)])
    if limit is not None and len(said.pieces) > limit:
        said.pieces, said.finish_reason = said.pieces[:limit], "length"
    return said


def _known_text(prompt: str) -> str:
    plain = [known for known in KNOWN if not known.fields and not known.calls]
    return next((known.text for known in plain if known.prompt == prompt), KNOWN[0].text)


def _with_tools(prompt: str) -> Known | None:
    return next((known for known in KNOWN if known.calls and known.prompt == prompt), None)


def _pieces(text: str) -> list[str]:
    return [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


async def whole(state: StandIn, said: Said, request: Request, poll_s: float) -> bool:
    """Works through an answer that is sent whole, looking every `poll_s` whether the client is still there."""

    async def speak() -> None:
        async for _ in said.spoken():
            pass

    with state.serving():
        speaking = asyncio.ensure_future(speak())
        while not speaking.done():
            await asyncio.wait([speaking], timeout=poll_s)
            if not speaking.done() and await request.is_disconnected():
                speaking.cancel()
                state.aborted += 1
                return False
    return True


def _noting(state: StandIn, app: ASGIApp) -> ASGIApp:
    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            state.request_ids.append(dict(scope["headers"]).get(b"x-request-id", b"").decode())
        await app(scope, receive, send)

    return noting


@contextmanager
def running_standin(build: Callable[[StandIn], ASGIApp]) -> Iterator[StandIn]:
    """A stand-in that listens for the length of the block."""
    state = StandIn()
    config = uvicorn.Config(
        _noting(state, build(state)), host="127.0.0.1", port=0, log_config=None, log_level="critical", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the stand-in did not start"
            threading.Event().wait(0.01)
        state.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield state
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
