"""An HTTP answer read line by line as it comes, with a limit on every wait: for commands that follow what a server does.

    with opened(origin, "POST", "/api/pull", {"model": "llama3.2:1b"}, headers, silence_s=60) as answer:
        answer.status
        for line in answer.lines(): ...

Leaving the block cuts the connection, which is how the other side learns that nobody listens any more. No proxy and no
redirect: a key goes where it is sent, and nowhere else.
"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

import orjson

CONNECT_S = 5.0
MAX_LINE_BYTES = 4 * 1024 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024


class Unreached(Exception):
    """No connection, or nothing that speaks HTTP at its end. The cause is an OSError or an HTTPException."""


class Broken(Exception):
    """The answer ended before it was whole."""


class Silent(Broken):
    """Nothing came for as long as was allowed."""


class Answer:
    """A status, the header fields, and what comes."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}

    def lines(self) -> Iterator[bytes]:
        """Each without its end. Raises Broken, Silent; a line that has no end within reason is broken too. Whether the last one
        was to be the last its reader knows: the library does not tell an answer's end from a connection's.
        """
        while line := self._read(self._response.readline, MAX_LINE_BYTES):
            if not line.endswith(b"\n") and len(line) >= MAX_LINE_BYTES:
                raise Broken("a line without an end")
            yield line.rstrip(b"\r\n")

    def body(self) -> bytes:
        """All of it, as far as that is within reason. Raises Broken, Silent."""
        found = self._read(self._response.read, MAX_BODY_BYTES)
        if self._response.length:
            raise Broken(f"{self._response.length} bytes are missing")
        return found

    @staticmethod
    def _read(read: Callable[[int], bytes], most: int) -> bytes:
        try:
            return read(most)
        except TimeoutError as error:
            raise Silent(str(error)) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Broken(str(error)) from error


@contextlib.contextmanager
def opened(
    origin: str, method: str, path: str, content: object, headers: Mapping[str, str], *, silence_s: float
) -> Iterator[Answer]:
    """The answer to one request, whose `content` is sent as JSON unless it is None. Raises Unreached and Silent."""
    parts = urlsplit(origin)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=CONNECT_S)
    body = None if content is None else orjson.dumps(content)
    given = {**headers, **({} if body is None else {"content-type": "application/json"})}
    try:
        try:
            connection.connect()
            connection.sock.settimeout(silence_s)
            connection.request(method, parts.path.rstrip("/") + path, body, given)
            response = connection.getresponse()
        except TimeoutError as error:
            raise (Silent if connection.sock is not None else Unreached)(str(error)) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreached(str(error)) from error
        with response:
            yield Answer(response)
    finally:
        connection.close()
