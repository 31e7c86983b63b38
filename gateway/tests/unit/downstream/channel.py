"""The server's side of one ASGI request, by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hayate.downstream.asgi_stream import AsgiStream
from hayate.downstream.client import Client
from hayate.relay.ticker import Ticker
from hayate.telemetry.record import CallRecord


class Channel:
    """The server's side of one request, by hand."""

    def __init__(self, ticker: Ticker, record: CallRecord | None = None, **headers: str) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.taking = asyncio.Event()
        self.taking.set()
        self.left = False
        scope = {
            "type": "http",
            "method": "POST",
            "query_string": b"",
            "headers": [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()],
        }
        self.client = Client(AsgiStream(scope, self.incoming.get, self._send), ticker, 0.1, record)

    async def _send(self, message: Any) -> None:
        await self.taking.wait()
        if self.left:
            raise OSError("the client has left")
        self.sent.append(message)

    def body(self, *parts: bytes) -> None:
        for part in parts[:-1]:
            self.incoming.put_nowait({"type": "http.request", "body": part, "more_body": True})
        self.incoming.put_nowait({"type": "http.request", "body": parts[-1]})

    def leave(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})

    @property
    def text(self) -> bytes:
        return b"".join(each.get("body", b"") for each in self.sent)


Make = Callable[..., Channel]
