"""One request and its answer: what a caller holds of a connection.

An exchange that is closed before its answer is whole takes its connection with it: that is how an engine learns that
the caller has left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hayate.errors import GatewayError
from hayate.upstream.bodies import Collected, FirstBytes, Receiver
from hayate.wire.http1 import Headers, header
from hayate.wire.plain_event import Reader


class Carrier(Protocol):
    """The connection, as its exchange knows it."""

    passed: int
    """How many events went the fast path."""

    def open_fast_path(self, decoder: Reader, write: Callable[[bytes], None]) -> None:
        """From now on events that `decoder` finds plain go to `write`, framing and all."""

    def close_fast_path(self) -> None:
        """From now on everything is read."""

    def pause(self) -> None:
        """Stops reading, if it does read."""

    def resume(self) -> None:
        """Reads on, if it was paused."""

    def abort(self) -> None:
        """Cuts the connection, whatever is under way on it."""


class Exchange:
    """One request and its answer. Close it, always; closing early aborts the engine's work."""

    __slots__ = (
        "_connection",
        "_failure",
        "_passed",
        "early",
        "headers",
        "paused",
        "receiver",
        "status",
        "whole",
    )

    def __init__(self, connection: Carrier) -> None:
        self._connection: Carrier | None = connection
        self.receiver: Receiver | None = None
        """Where the connection puts what comes of the body."""
        self.early: list[bytes] = []
        """Where it puts that as long as there is no receiver."""
        self._failure: GatewayError | None = None
        self._passed = 0
        self.paused = False
        """Whether nothing is read from the engine for now."""
        self.status = 0
        self.headers: Headers = []
        self.whole = False
        """Nothing more will come: known before the last bytes are handed over."""

    def header(self, name: bytes) -> bytes | None:
        """The answer's header `name` (lower case)."""
        return header(self.headers, name)

    def stream_to(self, receiver: Receiver) -> None:
        """From now on the body goes to `receiver`, what has already arrived first."""
        self.receiver = receiver
        early, self.early = self.early, []
        if self.paused:
            self.resume()
        for data in early:
            receiver.body_received(data)
        if self._failure is not None:
            receiver.body_failed(self._failure)
        elif self._connection is None:
            receiver.body_ended()

    def arrived(self) -> bytes | None:
        """The whole body, if it came with the head: the common case of a short answer, without a wait."""
        if self._connection is not None or self._failure is not None or self.receiver is not None:
            return None
        early, self.early = self.early, []
        return early[0] if len(early) == 1 else b"".join(early)

    def open_fast_path(self, reader: Reader, write: Callable[[bytes], None]) -> None:
        """From now on chunks that `reader` finds plain go to `write`, framing and all (`fast_path`); the rest is read here."""
        if self._connection is not None:
            self._connection.open_fast_path(reader, write)

    def close_fast_path(self) -> None:
        """From now on everything is read."""
        if self._connection is not None:
            self._connection.close_fast_path()

    @property
    def passed(self) -> int:
        """How many events went the fast path."""
        return self._passed if self._connection is None else self._connection.passed

    def replace(self, body: bytes, headers: Headers) -> None:
        """The whole answer in other words: the dialect that was asked for, where the engine spoke another."""
        self.early = [body]
        self.headers = headers

    async def read(self, *, silence_s: float | None = None) -> bytes:
        """The whole body. Raises UpstreamError, also when it is over `bodies.MAX_BODY_BYTES`."""
        arrived = self.arrived()
        return (await self._collect(Collected(silence_s)))[0] if arrived is None else arrived

    async def read_held(self, hold_bytes: int, *, silence_s: float) -> bytes | None:
        """The whole body up to `hold_bytes`; None when it is larger: it can be streamed from its start. Raises UpstreamError."""
        arrived = self.arrived()
        if arrived is not None:
            return arrived
        body, ended = await self._collect(Collected(silence_s, hold_bytes=hold_bytes))
        if ended:
            return body
        self.early = [body]
        return None

    async def peek(self, *, silence_s: float) -> bytes:
        """The body so far, once one byte of it is no blank or it has ended; it can still be read. Raises UpstreamError."""
        if self._failure is None and (self._connection is None or b"".join(self.early).strip()):
            return b"".join(self.early)
        body, _ = await self._collect(FirstBytes(silence_s))
        self.early = [body]
        return body

    async def _collect(self, collected: Collected) -> tuple[bytes, bool]:
        self.stream_to(collected)
        try:
            await collected.future
        except BaseException:
            collected.close()
            self.receiver = None
            del collected  # its future holds the error that it has, and the error holds this frame
            raise
        collected.close()
        self.receiver = None
        if not collected.ended:
            self.pause()
        return collected.take(), collected.ended

    def pause(self) -> None:
        """Stops reading from the engine: the client is behind."""
        self.paused = True
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        """Reads on: the client has caught up."""
        self.paused = False
        if self._connection is not None:
            self._connection.resume()

    def close(self) -> None:
        """Ends the exchange. If the answer is not whole, the connection is cut and the engine stops."""
        self.receiver = self._failure = None
        connection = self._connection
        if connection is not None:
            self._detach()
            connection.abort()

    # What the connection calls.

    def _detach(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._passed = connection.passed

    def ended(self) -> None:
        """All of the answer has come."""
        self._detach()
        if self.receiver is not None:
            self.receiver.body_ended()

    def failed(self, error: GatewayError) -> None:
        """The rest of it will not come."""
        self._detach()
        self._failure = error
        if self.receiver is not None:
            self.receiver.body_failed(error)
