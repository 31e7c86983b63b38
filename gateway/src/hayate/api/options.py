"""OPTIONS of any path: what may be asked of it, and what a browser may send to it for a page of another origin.

Nobody is asked for a key: a browser's question carries none, and the answer tells nothing but the table of paths.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from hayate.errors import NotAllowed
from hayate.telemetry.log import log_event
from hayate.wire.http1 import Headers, fields_of
from hayate.wire.origins import MAX_ORIGIN_CHARS, Origins, is_preflight, permission

MAX_TOLD = 32
"""How many refused origins the log tells of: it is strangers who name them."""


class Options:
    """Answers OPTIONS. One per gateway; it remembers which refusals have been told."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._told: set[bytes] = set()

    def answer(self, headers: Headers, methods: Sequence[str]) -> Response | None:
        """What `methods` a path has; None where it has none, and so is no path. Any path answers a browser that asks for
        a page, so that the page can read whatever is wrong with its request. Raises NotAllowed.
        """
        fields = fields_of(headers)
        if is_preflight(fields):
            origin = fields[b"origin"]
            if not self._origins.may_call(origin):
                raise self._refusal(origin)
            return _empty(permission(fields))
        return _empty([(b"allow", ", ".join(methods).encode())]) if methods else None

    def _refusal(self, origin: bytes) -> NotAllowed:
        name = origin[:MAX_ORIGIN_CHARS].decode("ascii", "backslashreplace")
        if origin not in self._told and len(self._told) < MAX_TOLD and len(origin) <= MAX_ORIGIN_CHARS:
            self._told.add(origin)
            log_event("origin_refused", origin=name, setting="server.cors_origins")
        return NotAllowed(
            f"Pages of {name} may not call this gateway. Its operator can allow them: server.cors_origins, or "
            "HAYATE_CORS_ORIGINS.",
            f"{name}のページからは、このゲートウェイを呼び出せません。管理者がserver.cors_origins、"
            "またはHAYATE_CORS_ORIGINSで許可できます。",
        )


def _empty(headers: Headers) -> Response:
    response = Response(status_code=204)
    response.raw_headers += headers
    return response
