"""An engine with a true batch and no model: vLLM's API in front of `bench.batching`, for whatever has to do with queues.

It is busy like an engine: a place in its batch is scarce, a long prompt delays everybody's next token, the KV cache fills up.
The rule: time passes by the model alone. A step that ends late, because the machine is busy, is made up for by the next ones;
what is too late for that is added up in `stub:late_seconds_total`, so that one can tell whether the machine was measured.

    python -m bench.batching_engine [--port N] [--max-num-seqs N] [--kv-tokens N] [--speed N]     prints "listening PORT"
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from typing import cast

import httptools
import uvloop

from bench.batching import Batch, Sequence, Shape
from bench.batching_wire import MODEL, STREAM_HEAD, NotAsked, Rendering, Wish, models, parse_wish, refusal, response
from bench.serving import until_told

FORGIVEN_S = 0.25
"""A machine that stands still for longer is not caught up with."""


class Answer(Sequence):
    """A sequence and who asked for it: writes what the steps give it."""

    __slots__ = ("_connection", "_rendering", "_stream")

    def __init__(self, wish: Wish, connection: Connection) -> None:
        super().__init__(wish.prompt, wish.answer)
        self._connection = connection
        self._rendering = Rendering(wish)
        self._stream = wish.stream

    def given(self, interval: int) -> None:
        """One token more."""
        if self._stream:
            self._connection.write(self._rendering.events(self.produced, interval), ended=self.finished)
        elif self.finished:
            self._connection.write(self._rendering.whole(), ended=True)


class Engine:
    """Takes one step after the other, each as long as the model says, `speed` times as fast."""

    def __init__(self, loop: asyncio.AbstractEventLoop, shape: Shape, *, speed: float, interval: int) -> None:
        self.batch = Batch(shape)
        self.speed = speed
        self._loop = loop
        self._interval = interval
        self._due_s: float | None = None
        self._seconds = self._crowded_s = self._late_s = 0.0
        self._gauges = (0, 0, 0.0)
        """Running, waiting and KV use as the last step was planned: who comes during a step is not yet seen, as in vLLM."""

    def add(self, answer: Answer) -> None:
        """Takes a request in; when nothing runs, a step begins with it."""
        self.batch.add(answer)
        if self._due_s is None:
            self._due_s = self._loop.time()
            self._begin()

    def abort(self, answer: Answer) -> None:
        """A client has left."""
        self.batch.abort(answer)

    def _begin(self) -> None:
        took_s = self.batch.begin()
        waiting = len(self.batch.waiting)
        self._gauges = (len(self.batch.running), waiting, self.batch.kv_use)
        if took_s is None:
            self._due_s = None
            return
        self._seconds += took_s
        self._crowded_s += took_s * (waiting > 1)
        due_s = cast("float", self._due_s) + took_s / self.speed
        if (late_s := self._loop.time() - due_s) > FORGIVEN_S:
            self._late_s += late_s * self.speed
            due_s += late_s
        self._due_s = due_s
        self._loop.call_at(due_s, self._end)

    def _end(self) -> None:
        for answer in self.batch.end():
            cast("Answer", answer).given(self._interval)
        self._begin()

    def metrics(self) -> bytes:
        """vLLM's gauges and counters, and this engine's own."""
        batch = self.batch
        running, waiting, kv_use = self._gauges
        rows: list[tuple[str, str, float]] = [
            ("vllm:num_requests_running", "gauge", running),
            ("vllm:num_requests_waiting", "gauge", waiting),
            ("vllm:kv_cache_usage_perc", "gauge", kv_use),
            ("vllm:num_preemptions_total", "counter", batch.preemptions),
            ("vllm:prompt_tokens_total", "counter", batch.prompt_tokens),
            ("vllm:generation_tokens_total", "counter", batch.generated_tokens),
            ("stub:seconds_total", "counter", self._seconds),
            ("stub:crowded_seconds_total", "counter", self._crowded_s),
            ("stub:late_seconds_total", "counter", self._late_s),
        ]
        labels = f'{{engine="0",model_name="{MODEL}"}}'
        lines = (f"# TYPE {name.removesuffix('_total')} {kind}\n{name}{labels} {value}\n" for name, kind, value in rows)
        return "".join(lines).encode()


class Connection(asyncio.Protocol):
    """One connection of a gateway, or of a client; one request at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._url = b""
        self._body: list[bytes] = []
        self.on_body = self._body.append
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None:
            self._engine.abort(self._answer)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.close()

    def on_url(self, url: bytes) -> None:
        self._url = url
        self._body.clear()

    def on_message_complete(self) -> None:
        path = self._url.partition(b"?")[0]
        shape = self._engine.batch.shape
        if path == b"/v1/chat/completions":
            try:
                self._ask(parse_wish(b"".join(self._body), shape.max_model_len))
            except NotAsked as refused:
                self.write(refusal(str(refused)))
        elif path == b"/metrics":
            self.write(response(b"200 OK", self._engine.metrics(), b"text/plain; version=0.0.4; charset=utf-8"))
        elif path == b"/v1/models":
            self.write(models(shape.max_model_len))
        elif path == b"/health":
            self.write(response(b"200 OK", b""))
        else:
            self.write(response(b"404 Not Found", b'{"detail":"Not Found"}'))

    def _ask(self, wish: Wish) -> None:
        self._answer = Answer(wish, self)
        if wish.stream:
            self.write(STREAM_HEAD)
        self._engine.add(self._answer)

    def write(self, data: bytes, *, ended: bool = False) -> None:
        """To the client, if it is still there; `ended`: that was the whole answer."""
        if ended:
            self._answer = None
        if self._transport is not None and data:
            self._transport.write(data)


async def serve(listening: socket.socket, shape: Shape, *, speed: float, interval: int) -> None:
    """Answers until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    engine = Engine(loop, shape, speed=speed, interval=interval)
    await until_told(listening, lambda: Connection(engine))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench.batching_engine", description="An engine with a batch and no model.")
    shape = Shape()
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--max-num-seqs", type=int, default=shape.max_num_seqs, help="places in the batch")
    parser.add_argument("--kv-tokens", type=int, default=shape.kv_tokens, help="what the KV cache holds")
    parser.add_argument("--max-num-batched-tokens", type=int, default=shape.max_num_batched_tokens, help="of one step")
    parser.add_argument("--step-s", type=float, default=shape.step_s, help="what every step takes")
    parser.add_argument("--token-s", type=float, default=shape.token_s, help="and for each token of it")
    parser.add_argument("--sequence-s", type=float, default=shape.sequence_s, help="and for each sequence")
    parser.add_argument("--speed", type=float, default=1.0, help="10: every step takes a tenth of that")
    parser.add_argument("--stream-interval", type=int, default=1, help="tokens in an event of a stream")
    asked = vars(parser.parse_args())
    listening = socket.create_server(("127.0.0.1", asked.pop("port")), backlog=4096)
    speed, interval = asked.pop("speed"), asked.pop("stream_interval")
    uvloop.run(serve(listening, Shape(**asked), speed=speed, interval=interval))


if __name__ == "__main__":
    main()
