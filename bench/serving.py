"""How the engines of the benchmark are served: on loopback, until they are told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable


async def until_told(listening: socket.socket, connection: Callable[[], asyncio.Protocol]) -> None:
    """Answers with a `connection` for each that comes, until SIGTERM or SIGINT; prints "listening PORT"."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, sock=listening, backlog=4096)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    print("listening", listening.getsockname()[1], flush=True)
    await stop.wait()
    server.close()
