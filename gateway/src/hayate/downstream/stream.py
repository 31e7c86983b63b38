"""The roles on the client's side: a request with the way back to its sender, who is told of the sender, and the
connection below.

Two things can be a `ClientStream`: the client's own connection (`direct_stream`), or, on another server, ASGI
(`asgi_stream`). Two things can be `Serving` on a connection of ours: such a stream, or uvicorn's own cycle
(`uvicorn_cycle`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from hayate.errors import GatewayError
from hayate.wire.http1 import Fields, Headers

BODILESS = (204, 304)
"""Statuses whose answers are a head and nothing else."""


class ClientGone(Exception):
    """The client left before its request was whole."""


class ClientListener(Protocol):
    """Who is told of the client that a stream goes to."""

    def client_gone(self) -> None:
        """The client has left: nothing can be written any more."""

    def client_ended_sending(self) -> bool:
        """The client sends nothing more: it waits for the rest of its answer, or it has left. Whether it is still served."""

    def client_full(self) -> None:
        """The client does not read as fast as we write."""

    def client_drained(self) -> None:
        """It has caught up."""


class ClientStream(Protocol):
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
    def task(self) -> asyncio.Task[Any] | None:
        """The one that serves it."""

    half_closed: bool
    """Whether the client has ended its sending."""

    def arrived(self) -> bytes | None:
        """The request's whole body, if it has come already and nothing of it was read: the common case, without a wait."""

    async def read(self) -> tuple[bytes, bool]:
        """What has come of the request's body since the last read, and whether there is more. Raises ClientGone."""

    def watch(self, listener: ClientListener) -> None:
        """From now on `listener` is told of the client. The request's body must have been read. May raise ClientGone."""

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


Endpoint = Callable[[ClientStream], Coroutine[Any, Any, None]]
"""Serves one call."""


class Serving(Protocol):
    """A request that is read and answered on a connection, as that connection sees it."""

    answer_id: bytes
    """See `ClientStream`."""
    keep_alive: bool
    """Whether the connection stays after the answer."""

    @property
    def more_body(self) -> bool:
        """Whether the request's body is still arriving."""

    @property
    def response_started(self) -> bool:
        """Whether something of the answer has been written."""

    @property
    def response_complete(self) -> bool:
        """Whether all of it has."""

    @property
    def unread_bytes(self) -> int:
        """How much of the request's body has come and was not read."""

    @property
    def is_watched(self) -> bool:
        """Whether somebody listens to whether the client is still there."""

    def begin(self) -> None:
        """Its turn has come: serves it in a task."""

    def body_received(self, piece: bytes) -> None:
        """A piece of the request's body."""

    def body_ended(self) -> None:
        """The request is whole."""

    def client_gone(self) -> None:
        """The connection is lost: what is written from now on goes nowhere."""

    def client_ended_sending(self) -> bool:
        """Whether the client, which sends nothing more, may still wait for its answer."""

    def client_full(self) -> None:
        """The client does not read as fast as we write."""

    def client_drained(self) -> None:
        """It has caught up."""


class Flow(Protocol):
    """A connection's two directions, as far as they can be held up."""

    write_paused: bool
    """Whether the client is behind."""
    read_paused: bool
    """Whether nothing is taken from the client for now."""

    async def drain(self) -> None:
        """Waits until it has caught up."""

    def resume_reading(self) -> None:
        """Takes more from the client."""


class ServerState(Protocol):
    """What all connections of a server share, as far as an answer needs it."""

    default_headers: Headers
    """What the server adds to every answer; another list every second, for the date in it."""


class ClientConnection(Protocol):
    """What a connection of ours lends to the stream that is served on it."""

    raw: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    tasks: set[asyncio.Task[None]]
    """Where the server finds what it must wait for."""
    half_closed: bool
    """Whether the client has ended its sending."""
    headers: Headers
    fields: Fields
    expect_100_continue: bool
    """Of the head that was read last, and whether the client waits for leave to send the body."""

    @property
    def flow(self) -> Flow:
        """What holds up whom."""

    @property
    def server_state(self) -> ServerState:
        """The server's, which is uvicorn's."""

    def turn_away(self, error: GatewayError) -> None:
        """Answers in the stream's place, and closes."""

    def close(self) -> None:
        """Closes once the client has taken what was written."""

    def on_response_complete(self) -> None:
        """An answer is whole: on to the next request."""
