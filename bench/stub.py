"""The stub engine: an OpenAI-shaped server that costs as little as Python can, so that it is never the bottleneck.

Every byte of an answer is made before the first request. Paced streams share one timer that ticks as often as one token
is due (a libuv timer counts whole milliseconds and would send tokens in clumps); it is off while no stream is paced.

    python -m bench.stub [--port N]      prints "listening PORT"
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import os
import socket
import struct
from functools import cache
from typing import Any, cast

import httptools
import uvloop

from bench.dialogue import CREATED, MODEL, Asked, closing_frames, parse_asked, plain_answer, token_frames
from bench.serving import until_told

TICK_NS = 156_250
"""10 ms / 64: 64 streams of 100 tokens a second make one token a tick, and so do 2 000 streams of 3.2."""
TICKS_PER_S = 1_000_000_000 / TICK_NS
SLOTS = 8192
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
CLOCK_MONOTONIC, TFD_NONBLOCK, TFD_CLOEXEC = 1, os.O_NONBLOCK, os.O_CLOEXEC


def _response(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def http_chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@cache
def stream_chunks(tokens: int, usage: bool) -> tuple[bytes, ...]:
    """What is written for each token; the closing frames leave with the last one, as an engine's do."""
    chunks = [http_chunk(frame) for frame in token_frames(tokens)]
    chunks[-1] += b"".join(http_chunk(frame) for frame in closing_frames(tokens, usage)) + b"0\r\n\r\n"
    return tuple(chunks)


@cache
def plain_response(tokens: int) -> bytes:
    """The whole response of a request that is not streamed."""
    return _response(OK, plain_answer(tokens))


def _json_response(status: str, fields: dict[str, Any]) -> bytes:
    return _response(status, json.dumps(fields).encode())


def _error(status: str, message: str) -> bytes:
    fields = {"message": message, "type": "invalid_request_error", "param": None, "code": int(status[:3])}
    return _json_response(status, {"error": fields})


OK = "200 OK"
LISTED = {"id": MODEL, "object": "model", "created": CREATED, "owned_by": "stub", "max_model_len": 32768}
MODELS = _json_response(OK, {"object": "list", "data": [LISTED]})
HEALTHY = _json_response(OK, {"status": "ok"})
ABOUT = _json_response(OK, {"model_path": MODEL, "served_model_name": MODEL, "is_generation": True, "version": "stub"})
NOT_FOUND = _error("404 Not Found", "no such path")
NOT_ASKED = _error("400 Bad Request", "the prompt names no stub:RATE:TOKENS")
GETS = {
    b"/health": HEALTHY,
    b"/v1/models": MODELS,
    b"/get_model_info": ABOUT,
    b"/model_info": ABOUT,
    b"/get_server_info": ABOUT,
    b"/server_info": ABOUT,
}


class Timer:
    """A kernel timer that repeats, as a file descriptor. os.timerfd_create exists from Python 3.13 only."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = self._libc.timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def every(self, period_ns: int) -> None:
        """Tick every `period_ns`; 0 stops it."""
        spec = struct.pack("qqqq", 0, period_ns, 0, period_ns)
        if self._libc.timerfd_settime(self.fd, 0, spec, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def expired(self) -> int:
        """How many ticks are due since the last look."""
        try:
            return int.from_bytes(os.read(self.fd, 8), "little")
        except BlockingIOError:
            return 0


class Wheel:
    """Who is due at which tick. A late tick is made up for, so a rate is kept on average."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._slots: list[list[StubEngine]] = [[] for _ in range(SLOTS)]
        self._position = 0
        self._waiting = 0
        self._timer = Timer()
        loop.add_reader(self._timer.fd, self._turn)

    def add(self, stream: StubEngine) -> None:
        """The stream's first token is due one interval from now."""
        if not self._waiting:
            self._timer.every(TICK_NS)
        self._waiting += 1
        self._slots[(self._position + stream.interval) % SLOTS].append(stream)

    def _turn(self) -> None:
        for _ in range(self._timer.expired()):
            self._position = (self._position + 1) % SLOTS
            due = self._slots[self._position]
            if not due:
                continue
            self._slots[self._position] = []
            for stream in due:
                if stream.write_next():
                    self._slots[(self._position + stream.interval) % SLOTS].append(stream)
                else:
                    self._waiting -= 1
        if not self._waiting:
            self._timer.every(0)


class StubEngine(asyncio.Protocol):
    """One connection of a gateway, or of the client on the direct line; one request at a time."""

    __slots__ = ("_body", "_chunks", "_loop", "_next", "_parser", "_paused", "_transport", "_url", "_wheel", "interval")

    def __init__(self, loop: asyncio.AbstractEventLoop, wheel: Wheel) -> None:
        self._loop = loop
        self._wheel = wheel
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._url = b""
        self._body = b""
        self._chunks: tuple[bytes, ...] = ()
        self._next = 0
        self._paused = False
        self.interval = 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.close()

    def on_url(self, url: bytes) -> None:
        self._url = url
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._transport is None:
            return
        path = self._url.partition(b"?")[0]
        if not path.endswith(b"/chat/completions"):
            self._transport.write(GETS.get(path, NOT_FOUND))
            return
        asked = parse_asked(self._body)
        if asked is None or asked.tokens < 1:
            self._transport.write(NOT_ASKED)
        elif not asked.stream:
            self._transport.write(plain_response(asked.tokens))
        else:
            self._start(asked)

    def _start(self, asked: Asked) -> None:
        self._chunks = stream_chunks(asked.tokens, asked.usage)
        self._next = 0
        cast("asyncio.Transport", self._transport).write(STREAM_HEAD)
        if asked.rate:
            self.interval = min(max(round(TICKS_PER_S / asked.rate), 1), SLOTS - 1)
            self._wheel.add(self)
        else:
            self._loop.call_soon(self._burst)

    def write_next(self) -> bool:
        """One token leaves, unless the reader is slow. True while more are to come."""
        if self._transport is None:
            return False
        if not self._paused:
            self._transport.write(self._chunks[self._next])
            self._next += 1
        return self._next < len(self._chunks)

    def _burst(self) -> None:
        """One token in each turn of the loop: as fast as they go, each in a write of its own."""
        if self.write_next():
            if self._paused:
                self._loop.call_later(0.001, self._burst)
            else:
                self._loop.call_soon(self._burst)


async def serve(listening: socket.socket) -> None:
    """Answers until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    wheel = Wheel(loop)
    await until_told(listening, lambda: StubEngine(loop, wheel))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench.stub", description="The stub engine of the benchmark.")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    listening = socket.create_server(("127.0.0.1", parser.parse_args().port), backlog=4096)
    uvloop.run(serve(listening))


if __name__ == "__main__":
    main()
