"""The id that every answer carries as `x-request-id`, and its call in the log and at the engine: the caller's own, if it sent a
usable one.
"""

from __future__ import annotations

import os
import re

from hayate.wire.http1 import Headers, header

_USABLE = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")
"""Printable ASCII, 128 characters at most: it goes into logs, into headers and into the ids of events."""


def usable_id(given: bytes | None) -> bytes | None:
    """The caller's own, if it is one that can be used."""
    return given if given is not None and _USABLE.fullmatch(given) else None


def answer_id(headers: Headers) -> bytes:
    """For an answer that no call stands behind: the caller's own, or a new one."""
    return usable_id(header(headers, b"x-request-id")) or os.urandom(10).hex().encode()
