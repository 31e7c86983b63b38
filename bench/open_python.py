"""The open loop's client and engine in Python, for a machine without a C compiler: the same arguments, files and answers.

    python -m bench.open_python client PORT PARTS SCHEDULE OUT GIVE_UP_S [fresh]
    python -m bench.open_python stub PARTS FIRST_US INTERVAL_US [PORT]

They are late themselves; the report names them where they stood in. `open_client.c` says what the files hold.
"""

from __future__ import annotations

import array
import asyncio
import gc
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httptools
import uvloop

from bench.dialogue import ASKED, INCLUDE_USAGE, STREAM, complaint_about, parse_asked, stamped_frame
from bench.stub import http_chunk

_DUE = re.compile(rb'^data: ?(?:(\[DONE\])|.*"due:(\d{19}))', re.MULTILINE)
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _within(value: int) -> int:
    """As an int32 holds it."""
    return max(-(2**31), min(2**31 - 1, value))


def _parts(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@dataclass(slots=True)
class _Answer:
    """What is read of one answer; httptools calls it."""

    done: bool = False
    body: bytearray = field(default_factory=bytearray)
    dues: list[tuple[int, int]] = field(default_factory=list)
    """When each token was due and when it was read, by the monotonic clock in ns."""
    ended: bool = False
    read_ns: int = 0
    sized: bool = False
    """Its head says where it ends; else it ends when the connection does."""

    def on_header(self, name: bytes, value: bytes) -> None:
        self.sized = self.sized or name.lower() in {b"content-length", b"transfer-encoding"}

    def on_body(self, data: bytes) -> None:
        self.body += data
        lines, newline, _ = self.body.rpartition(b"\n")
        if newline and lines.startswith((b"data:", b"\n", b":")):
            for marker, due in _DUE.findall(lines):
                if due:
                    self.dues.append((int(due), self.read_ns))
                self.done = self.done or bool(marker)
            del self.body[: len(lines) + 1]

    def on_message_complete(self) -> None:
        self.ended = True


class Client:
    """Makes every call at its moment."""

    def __init__(self, port: int, parts: dict[str, bytes], *, fresh: bool) -> None:
        self._port = port
        self._parts = parts
        self._fresh = fresh
        self._idle: list[Connection] = []
        self.records = array.array("i")
        self.lines: dict[int, str] = {}

    async def run(self, calls: list[tuple[int, int]], give_up_s: float) -> None:
        """All calls: (moment in us, tokens)."""
        start_ns = time.monotonic_ns() + 50_000_000
        running = []
        for number, (at_us, tokens) in enumerate(calls):
            at_ns = start_ns + at_us * 1000
            if (wait_ns := at_ns - time.monotonic_ns()) > 0:
                await asyncio.sleep(wait_ns / 1e9)
            running.append(asyncio.create_task(self._call(number, at_ns, tokens, start_ns)))
        if running:
            await asyncio.wait(running, timeout=give_up_s)
        for number, task in enumerate(running):
            if task.done():
                task.result()
            else:
                task.cancel()
                self.lines[number] = "0 -1 -1 0 no end in time"

    async def _call(self, number: int, at_ns: int, tokens: int, start_ns: int) -> None:
        late_us = (time.monotonic_ns() - at_ns) / 1000
        answer = _Answer()
        try:
            wrong = await self._ask(answer, tokens)
        except httptools.HttpParserError:
            wrong = "not HTTP"
        except OSError as error:
            wrong = f"connect: {type(error).__name__}"
        end_us = (time.monotonic_ns() - at_ns) / 1000
        for due_ns, read_ns in answer.dues:
            self.records.extend((number, _within((due_ns - start_ns) // 1_000_000), _within((read_ns - due_ns) // 100)))
        first_us = (answer.dues[0][1] - at_ns) / 1000 if answer.dues else -1
        seen = len(answer.dues)
        self.lines[number] = f"{late_us:.1f} {first_us:.1f} {end_us:.1f} {seen} {wrong or 'whole'}"

    async def _ask(self, answer: _Answer, tokens: int) -> str | None:
        """What is wrong with the answer, if anything."""
        request = self._parts["stream_request" if tokens else "plain_request"]
        connection = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = connection
        parser = httptools.HttpResponseParser(answer)
        writer.write(request.replace(b":0000", b":%04d" % tokens, 1) if tokens else request)
        while not answer.ended:
            data = await reader.read(65536)
            if not data and answer.done and not answer.sized:
                break
            if not data:
                return "closed in the middle of the answer" if answer.read_ns else "closed before the answer"
            answer.read_ns = time.monotonic_ns()
            parser.feed_data(data)
        if self._fresh or not parser.should_keep_alive():
            writer.close()
        else:
            self._idle.append(connection)
        if (status := parser.get_status_code()) != 200:
            return f"status {status}"
        return self._complaint(answer, tokens, request)

    def _complaint(self, answer: _Answer, tokens: int, request: bytes) -> str | None:
        if not tokens:
            asked = parse_asked(request)
            same = bytes(answer.body) == self._parts["plain_answer"]
            return None if same or asked is None else complaint_about(asked, bytes(answer.body))
        if not answer.done:
            return "did not end with [DONE]"
        dues = [due for due, _ in answer.dues]
        if dues != sorted(set(dues)):
            return "tokens out of order"
        return None if len(dues) == tokens else f"{len(dues)} of {tokens} tokens"


def client(port: str, parts: str, schedule: str, out: str, give_up_s: str, *fresh: str) -> None:
    """The client's command line."""
    lines = Path(schedule).read_text(encoding="ascii").splitlines()
    calls = [(int(at), int(tokens)) for at, tokens in map(str.split, lines)]
    asking = Client(int(port), _parts(parts), fresh=bool(fresh))
    gc.freeze()
    gc.disable()
    uvloop.run(asking.run(calls, float(give_up_s)))
    Path(f"{out}.tokens").write_bytes(asking.records.tobytes())
    used = resource.getrusage(resource.RUSAGE_SELF)
    written = [f"{used.ru_utime + used.ru_stime:.4f}", *(asking.lines[number] for number in range(len(calls)))]
    Path(f"{out}.calls").write_text("\n".join(written) + "\n", encoding="utf-8")


class Engine:
    """Answers with tokens that say when they were due."""

    def __init__(self, parts: dict[str, bytes], first_s: float, interval_s: float) -> None:
        self._parts = parts
        self._first_s = first_s
        self._interval_s = interval_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                await self._answer(head, body, writer)
        writer.close()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        asked = ASKED.search(body)
        if not head.startswith(b"POST"):
            writer.write(self._parts["models" if b"/models" in head.partition(b"\r")[0] else "about"])
        elif asked is None or not int(asked[2]):
            writer.write(self._parts["refusal"])
        elif not STREAM.search(body):
            writer.write(self._parts["plain"])
        else:
            writer.write(self._parts["head"])
            await self._stream(int(asked[2]), writer, usage=INCLUDE_USAGE.search(body) is not None)

    async def _stream(self, tokens: int, writer: asyncio.StreamWriter, *, usage: bool) -> None:
        due_ns = time.monotonic_ns() + round(self._first_s * 1e9)
        for number in range(tokens):
            await asyncio.sleep((due_ns - time.monotonic_ns()) / 1e9)
            frame = http_chunk(stamped_frame(due_ns))
            writer.write(frame + self._closing(tokens, usage=usage) if number == tokens - 1 else frame)
            due_ns += round(self._interval_s * 1e9)

    def _closing(self, tokens: int, *, usage: bool) -> bytes:
        if not usage:
            return self._parts["closing"]
        closing = self._parts["closing_usage"]
        (count, total) = (int(number) for number in re.findall(rb'"(?:completion|total)_tokens":(\d+)', closing))
        return closing.replace(b":%d" % count, b":%4d" % tokens).replace(
            b":%d" % total, b":%4d" % (tokens + total - count)
        )


async def _engine(engine: Engine, port: int) -> None:
    server = await asyncio.start_server(engine.serve, "127.0.0.1", port, backlog=4096)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()
    server.close()


def stub(parts: str, first_us: str, interval_us: str, port: str = "0") -> None:
    """The engine's command line."""
    engine = Engine(_parts(parts), int(first_us) / 1e6, int(interval_us) / 1e6)
    gc.freeze()
    gc.disable()
    uvloop.run(_engine(engine, int(port)))


COMMANDS: dict[str, Callable[..., None]] = {"client": client, "stub": stub}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
