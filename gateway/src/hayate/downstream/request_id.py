"""The id that every answer carries as `x-request-id`, and its call in the log and at the engine: the caller's own, if
it sent a usable one.
"""

from __future__ import annotations

import os
import re
from typing import Final

from hayate.wire.http1 import Headers, header

_USABLE = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")
"""Printable ASCII, 128 characters at most: it goes into logs, into headers and into the ids of events."""
ID_BYTES: Final = 10
"""Random ones of an id of ours."""
TOGETHER: Final = 100
"""Ids that are made at once."""


def is_usable(given: bytes) -> bool:
    """Whether the caller's own id can be ours."""
    return _USABLE.fullmatch(given) is not None


def answer_id(headers: Headers) -> bytes:
    """For an answer that no call stands behind: the caller's own, or a new one."""
    given = header(headers, b"x-request-id")
    return given if given is not None and is_usable(given) else os.urandom(ID_BYTES).hex().encode()


class RequestIds:
    """The ids of calls. One per gateway."""

    __slots__ = ("_given", "_made")

    def __init__(self) -> None:
        self._made: list[str] = []
        """Several together: to ask the system for each would cost more than all else here."""
        self._given: set[bytes] = set()

    def new(self) -> str:
        """Unique over gateways and restarts: engines take it as the call's id, and mix up two calls with one id. None tells the
        next, which somebody else could take first, nor how many calls others make.
        """
        if not self._made:
            self._made = os.urandom(TOGETHER * ID_BYTES).hex("-", ID_BYTES).split("-")
        return self._made.pop()

    def take(self, given: bytes) -> bytes:
        """What the engine is told of a call whose id its caller chose: that id, unless a call under way has it already."""
        if given in self._given:
            return b"%b-%b" % (given, self.new().encode())
        self._given.add(given)
        return given

    def release(self, taken: bytes) -> None:
        """The call has ended."""
        self._given.discard(taken)
