"""What an endpoint sees of the connection that a request came on, and whom that connection tells.

The server lends the client's own connection (`lent`), or, on another server, everything passes through ASGI (`asgi_line`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from hayate.wire.http1 import Fields, Headers

BODILESS = (204, 304)
"""Statuses whose answers are a head and nothing else."""


def is_bodiless(method: str, status: int) -> bool:
    """Whether an answer has no body, and so no framing of one, whatever it says (RFC 9112, 6.3)."""
    return status in BODILESS or method == "HEAD"


class ClientGone(Exception):
    """The client left before its request was whole."""


class LineCall(Protocol):
    """Whom a line tells."""

    def client_gone(self) -> None:
        """The client has left: nothing can be written any more."""

    def client_ended_sending(self) -> bool:
        """The client sends nothing more: it waits for the rest of its answer, or it has left. Whether it is still served."""

    def client_full(self) -> None:
        """The client does not read as fast as we write."""

    def client_drained(self) -> None:
        """It has caught up."""


class Line(Protocol):
    """A request, and the way back to whoever sent it. One per call."""

    headers: Headers
    """The request's, names in lower case."""
    fields: Fields
    """Each one's first value, until the request has been read."""
    method: str
    query: bytes
    answer_id: bytes
    """What the answer's `x-request-id` is, for an answer that the server has to give itself."""

    @property
    def chunks(self) -> int:
        """How many pieces of a streamed answer have been written."""

    @property
    def half_closed(self) -> bool:
        """Whether the client has ended its sending."""

    def arrived(self) -> bytes | None:
        """The request's whole body, if it has come already and nothing of it was read: the common case, without a wait."""

    async def read(self) -> tuple[bytes, bool]:
        """What has come of the request's body since the last read, and whether there is more. Raises ClientGone."""

    def watch(self, call: LineCall) -> None:
        """From now on `call` is told of the client. The request's body must have been read. May raise ClientGone."""

    def unwatch(self) -> None:
        """No more."""

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer; its length is added."""

    async def start(self, status: int, headers: Headers) -> None:
        """The head of a streamed answer; it may wait for the first piece, or for `flush`."""

    def end(self) -> Awaitable[None]:
        """The proper end of a streamed answer, to be awaited."""

    def hold(self) -> None:
        """What is written from now on may wait until `flush` or `end`."""

    def flush(self) -> None:
        """Sends what was held."""

    def writer(self) -> Callable[[bytes], None]:
        """What sends pieces of a streamed answer that has started."""

    def raw_writer(self) -> Callable[[bytes], None] | None:
        """What sends pieces that are framed as chunks already, if there is such a thing. Not for a client that has gone."""

    def abort(self) -> None:
        """An improper end."""

    def give_up(self) -> None:
        """The client has not read for too long."""
