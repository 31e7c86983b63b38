"""What a fake engine does with a request: small steps that compose into any answer and any fault.

A script is a list of steps: bytes are sent exactly as they are, numbers are seconds to wait, and functions act on the
connection (`head`, `body`, `end`, `cut`, `reset`, `silence` …). An answer that depends on the request is a function
from request to script; `Chat` is the one most tests want. Nothing is checked or repaired: an impossible answer is sent
as written.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Framing = Literal["chunked", "length", "close"]


@dataclass(frozen=True)
class Request:
    """One request as the engine received it."""

    method: str = ""
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    connection: int = 0
    at_s: float = 0.0

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def asks_for_stream(self) -> bool:
        return bool(self.body) and self.json.get("stream") is True


class Exchange(Protocol):
    """What a step can do to the connection it runs on."""

    request: Request
    framing: Framing
    trickle_s: float | None

    async def send(self, data: bytes) -> None: ...
    def close(self) -> None: ...
    def reset(self) -> None: ...
    def stop_reading(self) -> None: ...


Step = bytes | float | Callable[[Exchange], Awaitable[None]]
Script = Sequence[Step]
Answer = Script | Callable[[Request], Script]


def head(
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    framing: Framing = "chunked",
    length: int | None = None,
    version: str = "HTTP/1.1",
) -> Step:
    """The response head; `framing` decides how `body` and `end` write from here on."""
    fields = {"content-type": "application/json", **(headers or {})}
    if framing == "chunked":
        fields["transfer-encoding"] = "chunked"
    elif length is not None:
        fields["content-length"] = str(length)
    lines = [f"{version} {status} Scripted", *(f"{name}: {value}" for name, value in fields.items()), "", ""]

    async def step(exchange: Exchange) -> None:
        exchange.framing = framing
        await exchange.send("\r\n".join(lines).encode("latin-1"))

    return step


def body(data: bytes) -> Step:
    """A piece of the body: one HTTP chunk when the head said chunked, else the bytes alone."""

    async def step(exchange: Exchange) -> None:
        await exchange.send(b"%x\r\n%b\r\n" % (len(data), data) if exchange.framing == "chunked" else data)

    return step


async def end(exchange: Exchange) -> None:
    """The end of the body, as its framing says it."""
    if exchange.framing == "chunked":
        await exchange.send(b"0\r\n\r\n")
    elif exchange.framing == "close":
        exchange.close()


async def cut(exchange: Exchange) -> None:
    """Close the connection here (FIN), whatever is missing."""
    exchange.close()


async def reset(exchange: Exchange) -> None:
    """Break the connection here (RST)."""
    exchange.reset()


async def silence(exchange: Exchange) -> None:
    """Nothing more, until the client leaves."""
    await asyncio.Event().wait()


def until(event: asyncio.Event) -> Step:
    """Nothing more before the test says so."""

    async def step(exchange: Exchange) -> None:
        await event.wait()

    return step


async def stop_reading(exchange: Exchange) -> None:
    """Read nothing more from this connection."""
    exchange.stop_reading()


def trickle(gap_s: float = 0.0) -> Step:
    """From here on every byte leaves in a write of its own."""

    async def step(exchange: Exchange) -> None:
        exchange.trickle_s = gap_s

    return step


def frame(data: Any, event: str | None = None, eol: str = "\n") -> bytes:
    """One SSE frame; anything but a string is written as JSON."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"{f'event: {event}{eol}' if event else ''}data: {text}{eol}{eol}".encode()


SSE = {"content-type": "text/event-stream; charset=utf-8"}
DONE = frame("[DONE]")


def sse(frames: Iterable[bytes], gap_s: float = 0.0, *, last: Sequence[Step] = (end,)) -> Script:
    """An event stream: headers, each frame in a chunk of its own, then `last`."""
    steps: list[Step] = [head(headers=SSE)]
    for each in frames:
        steps += [body(each), gap_s]
    return [*steps, *last]


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Script:
    """A whole answer with its length: JSON, or bytes as they are."""
    data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    return [head(status, headers, "length", len(data)), *([data] if data else [])]


def error(status: int, message: str = "scripted", headers: Mapping[str, str] | None = None) -> Script:
    """An error in OpenAI's shape, as vLLM writes it."""
    return answer({"error": {"message": message, "type": "Scripted", "param": None, "code": status}}, status, headers)


def echo(request: Request) -> Script:
    """A chat completion whose text is the JSON the engine received."""
    return Chat([request.body.decode()])(request)


@dataclass(frozen=True)
class Chat:
    """A chat (or text) completion, streamed or whole as the request asks.

    `deltas` are texts, or delta objects sent as they are. `prefill_s` passes before the first frame; with
    `early_headers` (vLLM) the headers come at once, without (llama.cpp) together with the first frame.
    `per_write` frames share a write; `fields` are laid over every chunk and over the whole answer.
    """

    deltas: Sequence[str | Mapping[str, Any]] = ("こん", "にちは", "。")
    gap_s: float = 0.0
    prefill_s: float = 0.0
    early_headers: bool = True
    role_first: bool = True
    finish_reason: str | None = "stop"
    prompt_tokens: int = 7
    usage_always: bool = False
    usage_never: bool = False
    done: bool = True
    model: str = "scripted"
    framing: Framing = "chunked"
    per_write: int = 1
    eol: str = "\n"
    fields: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    last: Sequence[Step] = (end,)

    def __call__(self, request: Request) -> Script:
        return self._streamed(request) if request.asks_for_stream else self._whole(request)

    @property
    def text(self) -> str:
        """What the deltas say together."""
        return "".join(d if isinstance(d, str) else d.get("content") or "" for d in self.deltas)

    @property
    def usage(self) -> dict[str, int]:
        completion = len(self.deltas)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
        }

    def frames(self, request: Request) -> list[bytes]:
        """Every frame of the stream, `[DONE]` included."""
        chat = "/chat/" in request.path

        def chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
            kind = "chat.completion.chunk" if chat else "text_completion"
            return frame(
                {
                    "id": "scripted-1",
                    "object": kind,
                    "created": 1,
                    "model": self.model,
                    "choices": choices,
                    **more,
                    **self.fields,
                },
                eol=self.eol,
            )

        def choice(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
            part = {"delta": delta} if chat else {"text": delta.get("content", "")}
            return {"index": 0, **part, "finish_reason": finish}

        sent = [chunk([choice({"role": "assistant", "content": ""})])] if self.role_first and chat else []
        sent += [chunk([choice({"content": d} if isinstance(d, str) else d)]) for d in self.deltas]
        if self.finish_reason:
            sent.append(chunk([choice({}, self.finish_reason)]))
        asked = (request.json.get("stream_options") or {}).get("include_usage") is True
        if self.usage_always or (asked and not self.usage_never):
            sent.append(chunk([], usage=self.usage))
        return [*sent, frame("[DONE]", eol=self.eol)] if self.done else sent

    def _streamed(self, request: Request) -> Script:
        frames = self.frames(request)
        writes = [b"".join(frames[n : n + self.per_write]) for n in range(0, len(frames), self.per_write)]
        length = sum(map(len, frames)) if self.framing == "length" else None
        begin = head(headers={**SSE, **self.headers}, framing=self.framing, length=length)
        steps: list[Step] = [begin, self.prefill_s] if self.early_headers else [self.prefill_s, begin]
        for n, each in enumerate(writes):
            steps += [self.gap_s, body(each)] if n else [body(each)]
        return [*steps, *self.last]

    def _whole(self, request: Request) -> Script:
        if "/chat/" in request.path:
            choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": self.text}}
        else:
            choice = {"index": 0, "text": self.text}
        choice["finish_reason"] = self.finish_reason
        kind = "chat.completion" if "/chat/" in request.path else "text_completion"
        whole = {
            "id": "scripted-1",
            "object": kind,
            "created": 1,
            "model": self.model,
            "choices": [choice],
            "usage": self.usage,
            **self.fields,
        }
        wait_s = self.prefill_s + self.gap_s * len(self.deltas)
        return [wait_s, *answer(whole, headers=self.headers)]
