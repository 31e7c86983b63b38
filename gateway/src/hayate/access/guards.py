"""Who may pass to a path. Each path has one of these guards (`api.routes`), and it is asked before anything else of a
request is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hayate.access.authenticator import Authenticator, brings_key
from hayate.access.keys import INCORRECT
from hayate.access.principals import OPERATOR, OWNER, Principal, Role
from hayate.access.terms import Area
from hayate.errors import KeysUnknown, NotAllowed, NotAuthenticated
from hayate.wire.http1 import Fields, Headers, fields_of

Guard = Callable[[Authenticator, Headers, Fields | None], Principal | None]
"""Who brings the request, as far as the path needs to know. Raises NotAuthenticated or NotAllowed for who may not."""
_CALLER: Final = Role.CALLER
"""Python looks for a member of an enumeration each time that it is named: this one is, with every call."""


def anyone(auth: Authenticator, headers: Headers, fields: Fields | None = None) -> None:
    """Nobody is asked: liveness, the page's own files, the way in."""


def callers(auth: Authenticator, headers: Headers, fields: Fields | None = None) -> Principal:
    """Whoever may call models. Raises NotAuthenticated, which tells the operator's key from none; NotAllowed."""
    principal = auth.check(headers, fields)
    if principal.role is not _CALLER or "calls" not in principal.terms.areas:
        _require_caller(principal, "calls")
    return principal


def _require_caller(principal: Principal, area: Area) -> None:
    """Raises NotAuthenticated for the operator's key, and NotAllowed unless the key is for this."""
    if principal.role is not _CALLER:
        raise NotAuthenticated(
            f"{INCORRECT}: this is the operator's key, for /admin only. Calls take the callers' key: "
            "HAYATE_API_KEY, or what `hayate key` shows.",
            "これは管理者用（/admin専用）のキーです。呼び出しには HAYATE_API_KEY の値、"
            "または `hayate key` で表示されるAPIキーを使ってください。",
        )
    require(principal, area)


def require(principal: Principal, area: Area) -> None:
    """Raises NotAllowed unless the key is for this."""
    if area not in principal.terms.areas:
        raise NotAllowed(
            f"This key is not for {area}. Ask whoever runs this gateway.",
            f"このAPIキーでは利用できない機能です（{area}）。ゲートウェイの管理者に依頼してください。",
        )


def users(auth: Authenticator, headers: Headers, fields: Fields | None = None) -> Principal:
    """Whoever may see what their key has used. Raises NotAuthenticated, NotAllowed."""
    principal = auth.check(headers, fields)
    _require_caller(principal, "usage")
    return principal


def keepers(auth: Authenticator, headers: Headers, fields: Fields | None = None) -> Principal:
    """Whoever may have conversations kept. Raises NotAuthenticated, NotAllowed."""
    principal = auth.check(headers, fields)
    _require_caller(principal, "history")
    return principal


def watchers(auth: Authenticator, headers: Headers, fields: Fields | None = None) -> Principal:
    """Whoever may see what everybody uses: the owner, and the operator. Raises NotAuthenticated, NotAllowed."""
    principal = auth.check(headers, fields)
    if principal is not OWNER and principal.role is not Role.OPERATOR:
        raise NotAllowed(
            "What everybody uses is for the owner's key or the operator's. GET /v1/usage tells what this key has used.",
            "全体の利用状況は、ゲートウェイ所有者または管理者のキーでのみ参照できます。"
            "このAPIキーの利用状況は `GET /v1/usage` で確認できます。",
        )
    return principal


def operators(auth: Authenticator, headers: Headers, fields: Fields | None = None) -> Principal:
    """Whoever runs the gateway, and looks: by their key, or signed in. Raises NotAuthenticated, NotAllowed."""
    found = fields_of(headers) if fields is None else fields
    if not brings_key(found) and auth.operator.of(found) is not None:
        return OPERATOR
    return operators_key(auth, headers, fields)


def operators_changing(auth: Authenticator, headers: Headers, fields: Fields | None = None) -> Principal:
    """Whoever runs the gateway, and changes something: a session alone does not do. Raises as `operators` does."""
    found = fields_of(headers) if fields is None else fields
    if not brings_key(found) and auth.operator.for_change(found) is not None:
        return OPERATOR
    return operators_key(auth, headers, fields)


def operators_key(auth: Authenticator, headers: Headers, fields: Fields | None = None) -> Principal:
    """Whoever brings the operator's key, which no session stands for. Raises NotAuthenticated, which says what key is needed."""
    try:
        principal = auth.check(headers, fields, Role.OPERATOR)
    except (NotAuthenticated, NotAllowed) as error:
        raise NotAuthenticated(
            f"{error.english} /admin takes the operator's key: HAYATE_ADMIN_KEY, or admin_key in the data folder.",
            f"{error.japanese}{_OPERATORS_KEY}を使ってください。",
        ) from None
    if principal.role is not Role.OPERATOR:
        raise NotAuthenticated(
            f"{INCORRECT}: this is the callers' key. /admin takes the operator's: HAYATE_ADMIN_KEY, "
            "or admin_key in the data folder.",
            f"これは呼び出し用のAPIキーです。{_OPERATORS_KEY}を使ってください。",
        )
    return principal


_OPERATORS_KEY = "/admin には管理者用のキー（HAYATE_ADMIN_KEY の値、またはデータフォルダーの admin_key）"


OPERATORS: Final = (operators, operators_changing, operators_key)
"""Of the operator's paths."""


def known(auth: Authenticator, headers: Headers) -> Principal | None:
    """Whoever's key the request carries, the operator's first: for paths that tell such a one more."""
    for role in (Role.OPERATOR, Role.CALLER):  # a key counts whatever comes beside it
        try:
            return auth.check(headers, None, role)
        except (NotAuthenticated, NotAllowed, KeysUnknown):
            continue
    return None
