"""Every way an engine can fail a call: the part of the tree of errors (`errors`) that also says whether another replica
may be tried, and whether it is held against the one that was.

    UpstreamError           502   an engine failed us
    ├── ConnectFailed       502   nothing listens there: safe to try another
    │   └── ConnectTimedOut 502   or nobody took it in time
    ├── StaleConnection     502   a pooled connection died before the engine took anything: safe to repeat
    ├── UpstreamRefused     503   the engine turned the call away unseen: safe to try another
    ├── UpstreamBroke       502   it broke off, or said something that is not HTTP or not an answer
    │   └── UpstreamRedirected 502 it pointed elsewhere: redirects are not followed
    ├── AnswerTooLarge      502   more than may be collected here: nobody's fault
    ├── UpstreamTimeout     504   connecting, first byte, silence or total
    └── EngineError         4xx   the engine's own verdict on the request
"""

from __future__ import annotations

from typing import ClassVar

from hayate.errors import GatewayError
from hayate.reasons import Reason


class UpstreamError(GatewayError):
    """An engine failed us. `safe_to_retry` is true only if it saw nothing of the call."""

    status = 502
    type = "upstream_error"
    code: str | None = "upstream_error"
    safe_to_retry: ClassVar[bool] = False
    counts_against_replica: ClassVar[bool] = True
    reason: Reason | None = None
    """What is the matter with the engine, where this tells."""

    @property
    def cause(self) -> str:
        """What the system or a parser said of it, or nothing: for tools. The error's own words are for the operator."""
        cause = self.__context__
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        return "" if cause is None else str(cause)


class ConnectFailed(UpstreamError):
    """The connection could not be made."""

    safe_to_retry = True
    reason = Reason.UNREACHABLE


class ConnectTimedOut(ConnectFailed):
    """Nobody took the connection in time."""


class StaleConnection(UpstreamError):
    """A kept-alive connection was closed before the engine took anything of the request."""

    safe_to_retry = True
    counts_against_replica = False


class UpstreamRefused(UpstreamError):
    """The engine turned the call away before looking at it (loading, queue full, shutting down)."""

    status = 503
    type = "overloaded"
    code = "overloaded"
    safe_to_retry = True
    counts_against_replica = False
    reason = Reason.REFUSED


class UpstreamBroke(UpstreamError):
    """The engine closed early, reset the connection, or sent what is not an answer."""

    reason = Reason.CUT


class UpstreamRedirected(UpstreamBroke):
    """The engine's address answers with a redirect. `location` is where to, without what its URL asks for."""

    counts_against_replica = False
    reason = Reason.NO_ENGINE

    def __init__(self, english: str, japanese: str, *, location: str | None) -> None:
        super().__init__(english, japanese)
        self.location = location


class AnswerTooLarge(UpstreamError):
    """A whole answer is larger than the gateway collects."""

    code = "answer_too_large"
    counts_against_replica = False


class UpstreamTimeout(UpstreamError):
    """The engine kept silent longer than a limit allows."""

    status = 504
    type = "timeout"
    code = "timeout"
    reason = Reason.FROZEN


class EngineError(UpstreamError):
    """The engine found a fault with the request; status, param and code are the engine's."""

    counts_against_replica = False
    type = "invalid_request_error"

    def __init__(
        self, english: str, japanese: str = "", *, status: int, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(english, japanese, param=param)
        self.status = status
        self.code = code
