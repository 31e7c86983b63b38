"""Which pages of other origins may call, and what tells their browser so (CORS, in the Fetch standard).

An origin is compared whole: scheme, host and port, as browsers write it. A browser may use its session (`access`) from
an origin that is listed; never by `*`, and never from `null`, which any page can make itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from hayate.wire.http1 import Fields, Headers

ANY: Final = "*"
NULL: Final = b"null"
"""What a page of no origin sends: one opened from a file, or in a sandboxed frame."""
_ALLOWED: Final = b"access-control-allow-origin"
EXPOSED: Final = (
    b"x-request-id, retry-after, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests"
)
"""What scripts may read of an answer, beside its type and length."""
METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE"
"""All that there are, so that a wrong one is told by its 405, which the script can read."""
MAX_AGE_S: Final = 600
"""How long a browser need not ask again."""
MAX_ASKED_BYTES: Final = 4096
MAX_ORIGIN_CHARS: Final = 300
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]{2,45}\]")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_USUAL_PORTS: Final = {"http": "80", "https": "443"}
_NAMES: Final = re.compile(rb"[\w!#$%&'*+.^`|~-]+(?: ?, ?[\w!#$%&'*+.^`|~-]+)*", re.ASCII)


def origin(entry: str) -> str:
    """A listed origin as browsers write it, or `*`. Raises ValueError, which says what to write."""
    text = entry.strip().lower()
    if text in (ANY, NULL.decode()):
        return text
    scheme, separator, rest = text.rstrip("/").partition("://")
    bracket = rest.rfind("]")
    host, colon, port = rest.rpartition(":") if rest.rfind(":") > bracket else (rest, "", "")
    if not host.isascii():
        host = _in_ascii(host)
    if (
        not separator
        or len(text) > MAX_ORIGIN_CHARS
        or _SCHEME.fullmatch(scheme) is None
        or _HOST.fullmatch(host) is None
        or (colon and (_PORT.fullmatch(port) is None or int(port) > 65535))
    ):
        raise ValueError(
            f"{entry[:MAX_ORIGIN_CHARS]!r} is not an origin: write https://game.example or http://localhost:5173 "
            "(scheme, host and port, no path), or * for any"
        )
    return f"{scheme}://{host}" + (f":{port}" if colon and port != _USUAL_PORTS.get(scheme) else "")


def _in_ascii(host: str) -> str:
    """A host's name as it is sent, or as it is where it can't be."""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


class Origins:
    """The listed origins, each with the headers of answers to its pages. One per gateway; a reload changes it."""

    __slots__ = ("_others", "_own", "is_open")

    def __init__(self, listed: Iterable[str] = ()) -> None:
        self.is_open = False
        """Whether there are any. Where there are none, answers carry nothing."""
        self._own: dict[bytes | None, Headers] = {}
        self._others: Headers = []
        self.allow(listed)

    def allow(self, listed: Iterable[str]) -> None:
        """From now on these, as `origin` writes them, and no others."""
        found = frozenset(listed)
        exposed = (b"access-control-expose-headers", EXPOSED)
        varies = (b"vary", b"Origin")  # to a cache: the answer to one origin is none to another
        self._own, self._others = {}, [varies] if found else []
        for name in (each.encode("ascii") for each in found if each != ANY):
            self._own[name] = [(_ALLOWED, name), exposed, varies]
            if name != NULL:
                self._own[name].append((b"access-control-allow-credentials", b"true"))
        if ANY in found:
            self._others = [(_ALLOWED, b"*"), exposed, *([varies] if self._own else [])]
        self.is_open = bool(found)

    def headers_for(self, found: bytes | None) -> Headers:
        """What every answer carries whose request names this origin, or none."""
        return self._own.get(found, self._others)

    def may_call(self, found: bytes) -> bool:
        """Whether pages of this origin may."""
        return found in self._own or (self.is_open and self._others[0][0] == _ALLOWED)

    def may_use_session(self, found: bytes) -> bool:
        """Whether a browser's session counts for pages of this origin: it is listed by its name."""
        return found in self._own and found != NULL


def is_preflight(fields: Fields) -> bool:
    """Whether a browser asks with this OPTIONS, before it sends what a page wants to send."""
    return b"origin" in fields and b"access-control-request-method" in fields


def permission(fields: Fields) -> Headers:
    """The answer to a preflight, beside what every answer carries: the headers asked for may be sent, if they are names.

    They are echoed, because SDKs bring headers of their own (`x-stainless-*`), and `*` would not include `authorization`.
    """
    headers: Headers = [
        (b"access-control-allow-methods", METHODS),
        (b"access-control-max-age", b"%d" % MAX_AGE_S),
    ]
    asked = fields.get(b"access-control-request-headers", b"").strip()
    if len(asked) <= MAX_ASKED_BYTES and _NAMES.fullmatch(asked) is not None:
        headers.append((b"access-control-allow-headers", asked))
    if fields.get(b"access-control-request-private-network") == b"true":
        headers.append((b"access-control-allow-private-network", b"true"))
    return headers
