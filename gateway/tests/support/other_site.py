"""A site that is not the gateway: a page of another origin, with a script that we give people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.ports import free_port

PAGE = b"<!doctype html><meta charset=utf-8><link rel=icon href='data:,'><title>game</title>"


@asynccontextmanager
async def other_site(script: str, files: Path | None = None) -> AsyncIterator[int]:
    """Serves an empty page at `/`, the script at `/script.js` and the pages and JavaScript of a folder, on the port of
    127.0.0.1 that is given back.
    """
    found = {b"/": (b"text/html", PAGE), b"/script.js": (b"text/javascript", script.encode())}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].partition(b"?")[0]
        if files is not None and path not in found:
            kind = b"text/html" if path.endswith(b".html") else b"text/javascript"
            found[path] = (kind, (files / path.decode().lstrip("/")).read_bytes())
        kind, body = found[path]
        writer.write(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (kind, len(body), body)
        )
        await writer.drain()
        writer.close()

    port = free_port()
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield port
    finally:
        server.close()
