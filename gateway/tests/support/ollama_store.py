"""A stand-in for what Ollama has of models on its disk: `POST /api/pull`, which tells line by line how far it is.

    with ollama_store({"llama3.2:1b": 3_000_000}) as store:
        store.asked         # the bodies
        store.cut_after = 2  # the connection ends behind so many lines

From Ollama's documents and its server's code: NDJSON under 200, a status a line, `digest`, `total` and `completed` for a layer,
`success` at the end; an error is a line of its own under 200, or the body of a 4xx or 5xx.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.threaded import threaded_server

ABSENT = "pull model manifest: file does not exist"
STEPS = 4


@dataclass
class OllamaStore:
    """Its library, how it behaves, and what it was asked."""

    library: Mapping[str, int]
    error: str = ""
    status: int = 200
    cut_after: int | None = None
    lines: list[bytes] | None = None
    """What it says instead."""
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    def told(self, tag: str) -> list[bytes]:
        """The lines of one pull."""
        if self.lines is not None:
            return self.lines
        if tag not in self.library:
            return [_line(status="pulling manifest"), _line(error=ABSENT)]
        found = [_line(status="pulling manifest")]
        for layer, total in (("a" * 64, self.library[tag]), ("b" * 64, 1000)):
            for step in range(STEPS + 1):
                named = {"digest": f"sha256:{layer}", "total": total}
                done = {"completed": total * step // STEPS} if step else {}
                found.append(_line(status=f"pulling {layer[:12]}", **named, **done))
        if self.error:
            return [*found[:4], _line(error=self.error)]
        return [*found, *(_line(status=each) for each in ("verifying sha256 digest", "writing manifest", "success"))]


def _line(**values: object) -> bytes:
    return json.dumps(values).encode() + b"\n"


@contextmanager
def ollama_store(library: Mapping[str, int], **behaviour: Any) -> Iterator[OllamaStore]:
    """One that answers for the length of the block."""
    store = OllamaStore(library, **behaviour)
    with threaded_server(type("Handler", (_Handler,), {"store": store})) as store.url:
        yield store


class _Handler(BaseHTTPRequestHandler):
    store: OllamaStore
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        store, body = self.store, json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/api/pull"
        assert type(body["model"]) is str
        assert body.get("stream") is True
        store.asked.append(body)
        store.authorizations.append(self.headers.get("authorization"))
        self.send_response(store.status)
        self.send_header("content-type", "application/x-ndjson")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        lines = [_line(error=store.error)] if store.status != 200 else store.told(body["model"])
        for line in lines[: store.cut_after]:
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        if store.cut_after is None:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  its name there
