"""What answers under /admin/engines as a gateway does, and says and does what a test wants."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.threaded import threaded_server
from tests.unit.tools.loading.told import GPU

UNKNOWN = {
    "error": {"message": "There is no deployment named 'x'. There are: fast, smart.", "code": "engine_not_found"}
}
Answer = tuple[int, bytes]


@dataclass
class StandIn:
    """`engines` are what is told; `answers` are those of other paths, by method and path."""

    url: str = ""
    engines: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, Callable[[], Answer]] = field(default_factory=dict)
    log: list[bytes] = field(default_factory=list)
    """Pieces of a log that goes on, each sent a little later; after them the connection is cut."""
    asked: list[str] = field(default_factory=list)
    languages: set[str] = field(default_factory=set)
    tokens: int = 0
    """That each running engine makes between two looks."""

    def answer(self, method: str, path: str) -> Answer:
        self.asked.append(f"{method} {path}")
        if f"{method} {path}" in self.answers:
            return self.answers[f"{method} {path}"]()
        if (method, path) != ("GET", "/admin/engines"):
            return 404, json.dumps(UNKNOWN).encode()
        for each in self.engines:
            each["output_tokens"] += self.tokens if each["in_flight"] else 0
        return 200, json.dumps({"engines": self.engines, "gpus": [GPU]}).encode()


@contextmanager
def stand_in(*engines: dict[str, Any]) -> Iterator[StandIn]:
    """One that listens for the length of the block."""
    found = StandIn(engines=[dict(each) for each in engines])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.languages.add(self.headers["accept-language"])
            if found.log and self.path.endswith("follow=true"):
                self.send_response(200)
                self.end_headers()
                for piece in found.log:
                    self.wfile.write(piece)
                    time.sleep(0.05)
                return
            status, body = found.answer(self.command, self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002  the library's name

    with threaded_server(Handler) as found.url:
        yield found
