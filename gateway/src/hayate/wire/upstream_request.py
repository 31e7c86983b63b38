"""What an adapter asks to be sent: the one thing that adapters, which know no sockets, and the engine's connections share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class UpstreamRequest:
    """One request to an engine. `path` begins with a slash; `headers` come on top of host, length, type and credentials."""

    path: str
    body: bytes = b""
    method: bytes = b"POST"
    streams: bool = False
    """Whether it asks for events: an answer that begins long before its end."""
    headers: Sequence[tuple[bytes, bytes]] = ()
    content_type: bytes = b"application/json"
    """The body's. vLLM takes none without one."""
