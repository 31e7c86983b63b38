"""The operator's sign-in: the operator's key is POSTed once and becomes a cookie (`access.operator_sessions`), whose path is
/admin, below whatever folder a proxy serves the gateway at.

Where others could read the key on its way nobody signs in: off this machine the page has to have come over TLS, which a proxy
speaks for us, unless `server.operator_over_http` says otherwise.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from hayate.access.guards import operators_key
from hayate.access.operator_sessions import SESSION_S, TOKEN_FIELD, OperatorSession
from hayate.access.our_page import from_elsewhere, is_overheard
from hayate.api.bodies import body_of, json_answer
from hayate.api.gateway import Gateway
from hayate.api.operations import body, described
from hayate.api.session import MAX_SESSION_BODY_BYTES, SignIn
from hayate.errors import BodyTooLarge, KeysUnknown, NotAllowed, NotAuthenticated
from hayate.wire.http1 import Fields, fields_of

TOKEN: dict[str, str] = {TOKEN_FIELD.decode(): "What GET /admin/session gives."}


class OperatorSignedIn(BaseModel):
    """Whether the operator is signed in here. `csrf` goes along with every change, in `x-csrf-token`."""

    signed_in: bool
    csrf: str | None
    expires_at: datetime | None
    over_http: bool
    """Whether the operator may sign in over plain http from another machine (`server.operator_over_http`)."""


@described(
    "Signs the operator in, apart from callers: the operator's key becomes an HttpOnly cookie for 12 hours.",
    OperatorSignedIn,
    errors=(NotAuthenticated, NotAllowed, KeysUnknown, BodyTooLarge),
    **body(SignIn),
)
async def sign_in(request: Request, gateway: Gateway) -> Response:
    """POST /admin/session {"key": …}. Raises NotAllowed before the key is looked at, for a page that may not."""
    found = fields_of(request.scope["headers"])
    origin = _origin_of(found)
    if is_overheard(origin) and not gateway.settings.operator_over_http:
        raise NotAllowed(
            "This page came over plain http from another machine, where others can read the operator's key. Open it over https "
            "(a proxy in front), or at http://localhost through ssh -L; server.operator_over_http: true allows it as it is.",
            "このページは別のマシンから暗号化されていないHTTPで開かれているため、管理者用のキーを盗み見られるおそれがあります。"
            "HTTPS（リバースプロキシー）か、ssh -L経由のhttp://localhostで開いてください。"
            "このまま許可する場合は、server.operator_over_httpをtrueにします。",
            param="origin",
        )
    said = await body_of(request, gateway, SignIn, MAX_SESSION_BODY_BYTES)
    operators_key(gateway.auth, [(b"x-api-key", said.key.strip().encode("utf-8", "replace"))])
    sessions = gateway.auth.operator
    session = sessions.begin()
    response = json_answer(_told(gateway, session))
    response.set_cookie(
        sessions.cookie(found),
        sessions.value(session),
        max_age=SESSION_S,
        path=None,  # the folder that the browser asked in: /admin, behind whatever a proxy puts before it
        httponly=True,
        samesite="strict",
        secure=origin.startswith(b"https:"),
    )
    return response


@described("Whether the operator is signed in.", OperatorSignedIn)
async def show_session(request: Request, gateway: Gateway) -> Response:
    """GET /admin/session: 200 either way; another site is told that nobody is."""
    try:
        session = gateway.auth.operator.of(fields_of(request.scope["headers"]))
    except (NotAuthenticated, NotAllowed):
        session = None
    return json_answer(_told(gateway, session))


@described(
    "Signs the operator out: the session is over, whoever has its cookie.",
    status=204,
    errors=(NotAllowed,),
    headers=TOKEN,
)
async def sign_out(request: Request, gateway: Gateway) -> Response:
    """DELETE /admin/session: 204, too, for who is not signed in any more."""
    sessions, found = gateway.auth.operator, fields_of(request.scope["headers"])
    try:
        session = sessions.for_change(found)
    except NotAuthenticated:
        session = None
    if session is not None:
        sessions.end(session)
    response = Response(status_code=204)
    name = sessions.cookie(found)
    response.set_cookie(name, max_age=0, expires=0, path=None, httponly=True, samesite="strict")
    return response


def _origin_of(found: Fields) -> bytes:
    """The origin of our own page, as the browser says it. Raises NotAllowed."""
    origin = found.get(b"origin")
    if origin is None or from_elsewhere(found):
        raise NotAllowed(
            "The operator signs in on this gateway's own page; programs send the operator's key with each request. "
            "A proxy in front has to pass the Host header on.",
            "管理者のサインインは、このゲートウェイのページからのみ行えます。プログラムからは、リクエストごとに管理者用のキーを送ってください。"
            "リバースプロキシーでは、Hostヘッダーをそのまま渡してください。",
            param="origin",
        )
    return origin


def _told(gateway: Gateway, session: OperatorSession | None) -> OperatorSignedIn:
    return OperatorSignedIn(
        signed_in=session is not None,
        csrf=None if session is None else gateway.auth.operator.token(session),
        expires_at=None if session is None else datetime.fromtimestamp(int(session.expires_at), UTC),
        over_http=gateway.settings.operator_over_http,
    )
