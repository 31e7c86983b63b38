"""What the document of the surface says of who may ask: what each guard refuses, and whose keys and sessions it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hayate.access.authenticator import Authenticator
from hayate.access.guards import (
    anyone,
    callers,
    keepers,
    operators,
    operators_changing,
    operators_key,
    users,
    watchers,
)
from hayate.access.operator_sessions import TOKEN_FIELD
from hayate.access.principals import OWNER
from hayate.errors import GatewayError, KeysUnknown, NotAllowed, NotAuthenticated

Json = dict[str, Any]
Errors = tuple[type[GatewayError], ...]

_NOBODYS: Final = Authenticator({"": OWNER})
"""Who tells the names of the cookies, as they are at the usual port."""
_PORT: Final = "its name ends with the port that the browser asks at"
GUARDS: Final[Mapping[Any, tuple[Errors, str]]] = {
    anyone: ((), ""),
    callers: ((NotAuthenticated, NotAllowed, KeysUnknown), "callers"),
    keepers: ((NotAuthenticated, NotAllowed, KeysUnknown), "callers"),
    users: ((NotAuthenticated, NotAllowed, KeysUnknown), "callers"),
    watchers: ((NotAuthenticated, NotAllowed, KeysUnknown), "watchers"),
    operators: ((NotAuthenticated, NotAllowed, KeysUnknown), "operators"),
    operators_changing: ((NotAuthenticated, NotAllowed, KeysUnknown), "operators_changing"),
    operators_key: ((NotAuthenticated, KeysUnknown), "operators_key"),
}
"""What each guard raises, and whose keys it takes."""
SCHEMES: Final[Mapping[str, Json]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": _NOBODYS.cookie({}),
        "description": f"What POST /session gives; {_PORT}.",
    },
    "operator-session": {
        "type": "apiKey",
        "in": "cookie",
        "name": _NOBODYS.operator.cookie({}),
        "description": f"What POST /admin/session gives; {_PORT}.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": TOKEN_FIELD.decode(),
        "description": "What GET /admin/session gives.",
    },
}
_KEYS: Final[list[Json]] = [{name: []} for name in ("bearer", "x-api-key", "api-key")]
WHOSE: Final[Mapping[str, tuple[str, list[Json]]]] = {
    "callers": ("A key of the gateway's, or a browser's session.", [*_KEYS, {"session": []}]),
    "watchers": ("The owner's key, or the operator's.", [*_KEYS, {"session": []}]),
    "operators": ("The operator's key, or their session in a browser.", [*_KEYS, {"operator-session": []}]),
    "operators_changing": (
        "The operator's key, or their session in a browser with the token that goes with it.",
        [*_KEYS, {"operator-session": [], "csrf": []}],
    ),
    "operators_key": ("The operator's key; no session is enough.", _KEYS),
}
"""What is said of it, and what is taken."""
