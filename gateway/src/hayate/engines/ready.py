"""Whether an engine on this machine answers: one request on a connection of its own, of which only the status is read."""

from __future__ import annotations

import asyncio

from hayate.engines.ports import HOST

Fields = tuple[tuple[bytes, bytes], ...]


async def answers(port: int, path: str, within_s: float, fields: Fields = ()) -> bool:
    """Whether `path` is answered with 2xx; `fields` are further ones of the request's head."""
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n".encode())
                writer.write(b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n")
                status = (await reader.readline()).split()[1:2]
                return bool(status) and len(status[0]) == 3 and status[0].startswith(b"2")
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):  # ValueError: a first line without an end
        return False
