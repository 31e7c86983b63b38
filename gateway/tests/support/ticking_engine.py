"""An engine in a process of its own, for tests that look at time: a token every 10 ms to who asks for a stream, and an answer to
anything else when its body has come.

    python -m tests.support.ticking_engine PORT
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.http import fetch
from tests.support.ports import free_port
from tests.support.waiting import eventually

TICK_S = 0.01
_CHUNK = {
    "id": "c",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "ticking",
    "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}],
}
_TOKEN = b"data: " + json.dumps(_CHUNK).encode() + b"\n\n"
_WHOLE = json.dumps(
    {
        "object": "chat.completion",
        "data": [{"id": "ticking"}],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
).encode()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            streams = False
            while size:
                piece = await reader.read(min(size, 1 << 18))
                size -= len(piece)
                streams = streams or b'"stream":true' in piece
            if streams:
                await _tick(writer)
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(_WHOLE), _WHOLE)
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _tick(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    loop = asyncio.get_running_loop()
    at = loop.time()
    while not writer.is_closing():
        writer.write(b"%x\r\n%b\r\n" % (len(_TOKEN), _TOKEN))
        await writer.drain()
        at += TICK_S
        await asyncio.sleep(max(0.0, at - loop.time()))
    raise ConnectionError


@asynccontextmanager
async def ticking_engine() -> AsyncIterator[str]:
    """Its URL, for the length of the block."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.ticking_engine", str(port), cwd=Path(__file__).parents[2]
    )
    url = f"http://127.0.0.1:{port}"

    async def answers() -> bool:
        try:
            return (await fetch(url, "/v1/models")).status == 200
        except ConnectionError:
            return False

    try:
        await eventually(answers, every_s=0.02)
        yield url
    finally:
        process.kill()
        await process.wait()


async def main() -> None:
    """Listens until it is killed."""
    server = await asyncio.start_server(_serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
