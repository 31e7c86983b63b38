"""uvicorn's own cycle of request and response as a connection of ours sees it (`stream.Serving`): for all that is no call."""

from __future__ import annotations

from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class UvicornCycle:
    """One per request that goes through ASGI. `begin` makes uvicorn's task for it."""

    __slots__ = ("_cycle", "answer_id", "begin")

    def __init__(self, cycle: RequestResponseCycle, begin: Callable[[], None]) -> None:
        self._cycle = cycle
        self.begin = begin
        self.answer_id = b""

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays after the answer."""
        return self._cycle.keep_alive

    @keep_alive.setter
    def keep_alive(self, keep: bool) -> None:
        self._cycle.keep_alive = keep

    @property
    def more_body(self) -> bool:
        """Whether the request's body is still arriving."""
        return self._cycle.more_body

    @property
    def response_started(self) -> bool:
        """Whether something of the answer has been written."""
        return self._cycle.response_started

    @property
    def response_complete(self) -> bool:
        """Whether all of it has."""
        return self._cycle.response_complete

    @property
    def unread_bytes(self) -> int:
        """How much of the request's body has come and was not read."""
        return len(self._cycle.body)

    is_watched = False

    def body_received(self, piece: bytes) -> None:
        """A piece of the request's body."""
        self._cycle.body += piece
        self._cycle.message_event.set()

    def body_ended(self) -> None:
        """The request is whole: an application that waits for more of it has all there is."""
        self._cycle.more_body = False
        self._cycle.message_event.set()

    def client_gone(self) -> None:
        """The application is told, unless it has answered."""
        if not self._cycle.response_complete:
            self._cycle.disconnected = True
            self._cycle.message_event.set()

    def client_ended_sending(self) -> bool:
        """True: what uvicorn serves takes no time, so the client may well wait for it."""
        return True

    def client_full(self) -> None:
        """uvicorn waits by itself."""

    def client_drained(self) -> None:
        """uvicorn goes on by itself."""
