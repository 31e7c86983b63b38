"""A scripted fake engine on a real loopback socket, below HTTP libraries, so that every fault is possible.

    async with running_engine(Chat(["こん", "にちは"], gap_s=0.01)) as engine:
        ...                                       # engine.url, engine.requests, engine.open
        engine.script = error(503, headers={"retry-after": "3"})
        engine.then(cut_mid_frame(), Chat())      # the next two requests, one each; afterwards engine.script again

`engine.script` answers what is posted; GETs that a gateway makes for itself (`/health`, `/v1/models` …) are answered
from `engine.routes`, are kept apart in `engine.probes`, and never use up a script. Scripts are in `engine_script`, the
known faults in `engine_faults`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, cast

from tests.support.engine_script import Answer, Chat, Framing, Request, Script, answer
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_HEAD_BYTES = 1 << 20


class FakeEngine:
    """A listener whose answers are scripts, and what it saw."""

    def __init__(self, script: Answer, model: str, port: int | None = None) -> None:
        self.script = script
        self.model = model
        self.port = port or free_port()
        self.routes: dict[str, Answer] = {
            "/health": answer({"status": "ok"}),
            "/v1/models": answer({"object": "list", "data": [{"id": model, "object": "model", "max_model_len": 4096}]}),
            "/props": answer(
                {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 512, "model_alias": model}
            ),
            "/is_sleeping": answer({"detail": "Not Found"}, 404),
            "/metrics": lambda _: answer(
                self._gauges().encode(), headers={"content-type": "text/plain; version=0.0.4"}
            ),
        }
        self.on_connect: Script = ()
        """Steps run on every new connection before anything is read from it."""
        self.idle_close_s: float | None = None
        """Close a kept connection after so long without a request, as real engines do after 5 s."""
        self.stale: Answer | None = None
        """What happens when a second request arrives on a kept connection (`[cut]`, `[reset]`); None serves it."""
        self.requests: list[Request] = []
        self.probes: list[Request] = []
        self.open = 0
        self.max_open = 0
        self.connections = 0
        self.accepted = 0
        self.bytes_sent = 0
        self.abandoned = asyncio.Event()
        self.abandoned_at_s: list[float] = []
        """When clients left before the end of an answer, in the event loop's time."""
        self.failures: list[BaseException] = []
        self._next: deque[Answer] = deque()
        self._live: set[_Connection] = set()
        self._listener: asyncio.Server | None = None
        self._placeholder: socket.socket | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def then(self, *scripts: Answer) -> None:
        """One script for each of the next requests; `script` answers those after."""
        self._next.extend(scripts)

    async def listen(self) -> None:
        """Accept connections (again)."""
        if self._placeholder:
            self._placeholder.close()
            self._placeholder = None
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port, backlog=1024)

    async def refuse(self) -> None:
        """From now on connections are refused; the port stays ours. Open ones live on."""
        if self._listener:
            self._listener.close()
            self._listener = None
            await asyncio.sleep(0)
            self._placeholder = socket.socket()
            self._placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._placeholder.bind(("127.0.0.1", self.port))

    def drop_connections(self) -> None:
        """Close every open connection at once, as a killed process does."""
        for connection in list(self._live):
            connection.close()

    async def stop(self) -> None:
        await self.refuse()
        if self._placeholder:
            self._placeholder.close()
        tasks = [connection.task for connection in self._live if connection.task]
        for connection in list(self._live):
            connection.reset()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def choose(self, request: Request) -> Script:
        """The steps for this request; it is written down on the way."""
        path = request.path.partition("?")[0]
        if request.method == "GET" and path in self.routes:
            self.probes.append(request)
            chosen: Answer = self.routes[path]
        else:
            self.requests.append(request)
            chosen = self._next.popleft() if self._next else self.script
        return chosen(request) if callable(chosen) else chosen

    @contextmanager
    def counted(self, request: Request) -> Iterator[None]:
        """Counts the request as open, unless the gateway asks for itself."""
        own = request in self.probes
        if not own:
            self.open += 1
            self.max_open = max(self.max_open, self.open)
        try:
            yield
        finally:
            if not own:
                self.open -= 1

    def left(self) -> None:
        """A client went away before the end of its answer."""
        self.abandoned_at_s.append(asyncio.get_running_loop().time())
        self.abandoned.set()

    def born(self, connection: _Connection) -> None:
        self.accepted += 1
        self.connections += 1
        self._live.add(connection)

    def gone(self, connection: _Connection) -> None:
        self.connections -= 1
        self._live.discard(connection)

    def _gauges(self) -> str:
        names = ("vllm:num_requests_running", "llamacpp:requests_processing")
        return "".join(f"# TYPE {name} gauge\n{name} {self.open}\n" for name in names)


class _Connection(asyncio.Protocol):
    """One accepted connection: reads requests, runs their scripts, and notices the client leaving."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.request = Request()
        self.framing: Framing = "length"
        self.trickle_s: float | None = None
        self.task: asyncio.Task[None] | None = None
        self._reader = asyncio.StreamReader(limit=MAX_HEAD_BYTES)
        self._writable = asyncio.Event()
        self._writable.set()
        self._answering = False
        self._closed = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting from it
        self.engine.born(self)
        self.task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._reader.feed_data(data)

    def eof_received(self) -> bool:
        self._client_left()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._client_left()
        self._closed = True
        self.engine.gone(self)
        if self.task:
            self.task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def send(self, data: bytes) -> None:
        if self.trickle_s is None:
            await self._write(data)
            return
        for byte in data:
            await self._write(bytes((byte,)))
            await asyncio.sleep(self.trickle_s)

    def close(self) -> None:
        self._closed = True
        self._transport.close()

    def reset(self) -> None:
        self._closed = True
        with suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def stop_reading(self) -> None:
        self._transport.pause_reading()

    def _client_left(self) -> None:
        if self._answering and not self._closed:
            self._closed = True
            self.engine.left()

    async def _write(self, data: bytes) -> None:
        await self._writable.wait()
        if not self._closed:
            self._transport.write(data)
            self.engine.bytes_sent += len(data)

    async def _serve(self) -> None:
        number = self.engine.accepted
        try:
            await self._run(self.engine.on_connect)
            served = 0
            while not self._closed:
                self.request = await self._next_request(number, kept=served > 0)
                if served and self.engine.stale is not None:
                    await self._run(
                        self.engine.stale(self.request) if callable(self.engine.stale) else self.engine.stale
                    )
                    continue
                await self._answer()
                served += 1
        except (asyncio.IncompleteReadError, TimeoutError):
            self.close()
        except Exception as failure:  # noqa: BLE001  a mistake in a script must reach the test, at the end of running_engine
            self.engine.failures.append(failure)
            self.close()

    async def _next_request(self, number: int, *, kept: bool) -> Request:
        async with asyncio.timeout(self.engine.idle_close_s if kept else None):
            block = await self._reader.readuntil(b"\r\n\r\n")
        start, *lines = block[:-4].decode("latin-1").split("\r\n")
        method, path, _ = start.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        content = await self._read_body(headers)
        return Request(method, path, headers, content, number, asyncio.get_running_loop().time())

    async def _read_body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await self._reader.readexactly(int(headers.get("content-length", "0")))
        content = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            content += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readuntil(b"\r\n")
        return content

    async def _answer(self) -> None:
        steps = self.engine.choose(self.request)
        self._answering, self.trickle_s = True, None
        with self.engine.counted(self.request):
            await self._run(steps)
        self._answering = False

    async def _run(self, steps: Script) -> None:
        for step in steps:
            if self._closed:
                return
            if isinstance(step, bytes):
                await self.send(step)
            elif isinstance(step, (int, float)):
                if step:
                    await asyncio.sleep(step)
            else:
                await step(self)


@asynccontextmanager
async def running_engine(
    script: Answer | None = None, *, model: str = "scripted", port: int | None = None
) -> AsyncIterator[FakeEngine]:
    """A fake engine that listens for the length of the block."""
    engine = FakeEngine(Chat(model=model) if script is None else script, model, port)
    await engine.listen()
    try:
        yield engine
    finally:
        await engine.stop()
    if engine.failures:
        raise ExceptionGroup(
            "the fake engine's script failed", [f for f in engine.failures if isinstance(f, Exception)]
        )


@contextmanager
def unanswered_port() -> Iterator[str]:
    """A URL whose connection attempts neither succeed nor fail: the listener's queue is full."""
    with socket.socket() as listener, socket.socket() as filler, socket.socket() as spare:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filler.connect(listener.getsockname())
        spare.setblocking(False)
        with suppress(BlockingIOError):
            spare.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
