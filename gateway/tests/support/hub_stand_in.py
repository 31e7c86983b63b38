"""A stand-in for the Hugging Face Hub: the few endpoints that its client library uses to list and fetch a model's files.

    with hub_stand_in({"owner/repo": {"model.gguf": b"..."}}) as hub:
        run(env={"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)})
        hub.requests          # what was asked, in order

It can ask for a token, ask for consent, cut downloads short, promise other checksums, keep files elsewhere, or keep silent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.support.threaded import threaded_server

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
LARGE = (".gguf", ".safetensors", ".bin")
"""What the Hub keeps with Git LFS, and so knows the SHA-256 of."""
SMALL_BYTES = 20_000
INFO = re.compile(r"/api/models/([^/]+/[^/?]+)(?:/revision/[^/?]+)?(?:\?.*)?")


@dataclass
class HubStandIn:
    """What it holds, how it behaves, and what it was asked."""

    repositories: Mapping[str, Mapping[str, bytes]]
    token: str | None = None
    gated: frozenset[str] = frozenset()
    status: int | None = None
    silent: bool = False
    page: bytes | None = None
    """What it says to everything, when it is no Hub at all."""
    cut_after_bytes: int | None = None
    """The next download ends after so many bytes; the one after it is whole."""
    cuts: list[int] = field(default_factory=list)
    """Where in the file each next download ends."""
    starts: list[int] = field(default_factory=list)
    """With which byte each download began."""
    ranges: bool = True
    """Whether it goes on where it is asked to, or begins anew each time."""
    checksums: Mapping[str, str] = field(default_factory=dict)
    """What it promises of files that are something else."""
    pause_s: float = 0.0
    """Between the pieces of a file, which are then small."""
    elsewhere: str = ""
    """The origin that it sends whoever wants a file to."""
    url: str = ""
    requests: list[str] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def hub_stand_in(repositories: Mapping[str, Mapping[str, bytes]], **behaviour: object) -> Iterator[HubStandIn]:
    """A Hub that answers for the length of the block."""
    hub = HubStandIn(repositories, **behaviour)  # type: ignore[arg-type]  # the fields above
    with threaded_server(type("Handler", (_Handler,), {"hub": hub})) as hub.url:
        try:
            yield hub
        finally:
            hub.closing.set()


class _Handler(BaseHTTPRequestHandler):
    hub: HubStandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Not to the terminal: `hub.requests` has them."""

    def _answer(self) -> None:
        hub = self.hub
        hub.requests.append(f"{self.command} {self.path}")
        if authorization := self.headers.get("authorization"):
            hub.authorizations.add(authorization)
        if hub.silent:
            hub.closing.wait(60)
            self.close_connection = True
            return
        if hub.status is not None:
            self._refuse(hub.status)
        elif hub.page is not None:
            self._send(200, {"content-type": "text/html"}, hub.page)
        elif info := INFO.fullmatch(self.path):
            self._info(info.group(1))
        elif file := FILE.fullmatch(self.path):
            self._file(file.group(1), file.group(3))
        else:
            self._refuse(404, "EntryNotFound")

    def _allowed(self, repository: str) -> bool:
        """As the Hub does: what may not be seen is as if it were not there, except to say 401 to a caller without token."""
        if self.hub.token is not None and self.headers.get("authorization") != f"Bearer {self.hub.token}":
            self._refuse(401, "RepoNotFound")
        elif repository not in self.hub.repositories:
            self._refuse(404, "RepoNotFound")
        elif repository in self.hub.gated:
            self._refuse(403, "GatedRepo")
        else:
            return True
        return False

    def _info(self, repository: str) -> None:
        if not self._allowed(repository):
            return
        files = self.hub.repositories[repository]
        siblings = [self._sibling(name, content) for name, content in files.items()]
        body = json.dumps({"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings}).encode()
        self._send(200, {"content-type": "application/json"}, body)

    def _sibling(self, name: str, content: bytes) -> dict[str, object]:
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        found: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": git}
        if name.endswith(LARGE):
            sha256 = self.hub.checksums.get(name) or hashlib.sha256(content).hexdigest()
            found["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
        return found

    def _file(self, repository: str, name: str) -> None:
        if not self._allowed(repository):
            return
        content = self.hub.repositories[repository].get(name)
        if content is None:
            self._refuse(404, "EntryNotFound")
            return
        if self.hub.elsewhere and self.command == "GET":
            self._send(302, {"location": self.hub.elsewhere + self.path}, b"")
            return
        headers = {
            "etag": f'"{hashlib.sha256(content).hexdigest()}"',
            "x-repo-commit": COMMIT,
            "accept-ranges": "bytes",
        }
        start = int((self.headers.get("range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        start = start if self.hub.ranges else 0
        if self.command == "GET":
            self.hub.starts.append(start)
            if self.hub.cuts:
                self.hub.cut_after_bytes = max(0, self.hub.cuts.pop(0) - start)
        if start:
            headers["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206 if start else 200, headers, content[start:])

    def _refuse(self, status: int, code: str | None = None) -> None:
        self._send(status, {"x-error-code": code} if code else {}, b"{}")

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if FILE.fullmatch(self.path) and self.hub.cut_after_bytes is not None:
            body, self.hub.cut_after_bytes = body[: self.hub.cut_after_bytes], None
            self.close_connection = True
        if not (self.hub.pause_s and FILE.fullmatch(self.path)):
            self.wfile.write(body)
            return
        with contextlib.suppress(ConnectionError):  # whoever asked has left
            for at in range(0, len(body), SMALL_BYTES):
                self.wfile.write(body[at : at + SMALL_BYTES])
                self.hub.closing.wait(self.hub.pause_s)
