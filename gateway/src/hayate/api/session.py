"""A browser's sign-in: the key is POSTed once and becomes an HttpOnly cookie, because EventSource can't send headers."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from hayate.access.authenticator import SESSION_S
from hayate.access.guards import callers, require
from hayate.access.keys import INCORRECT
from hayate.access.principals import Role
from hayate.api.bodies import json_answer
from hayate.api.gateway import Gateway
from hayate.api.operations import body, described
from hayate.downstream.asgi_stream import AsgiStream
from hayate.downstream.client import Client
from hayate.errors import BodyTooLarge, GatewayError, KeysUnknown, NotAllowed, NotAuthenticated
from hayate.wire.http1 import fields_of
from hayate.wire.request_body import parse_object

MAX_SESSION_BODY_BYTES = 4096


class SignIn(BaseModel):
    """What a browser sends to sign in."""

    key: str


class SignedIn(BaseModel):
    """Whether a browser is signed in."""

    signed_in: bool


@described(
    "Signs a browser in: the key becomes an HttpOnly cookie.",
    status=204,
    errors=(NotAuthenticated, NotAllowed, KeysUnknown, BodyTooLarge),
    **body(SignIn),
)
async def sign_in(request: Request, gateway: Gateway) -> Response:
    """POST /session {"key": …}: 204 and the cookie, or 401; 403 for the operator's key."""
    stream = AsgiStream(request.scope, request.receive, _answers_nothing)  # read as a call's body is
    client = Client(stream, gateway.ticker, gateway.settings.heartbeat_s)
    key = parse_object(await client.body(MAX_SESSION_BODY_BYTES)).get("key")
    presented = key.strip().encode("utf-8", "replace") if isinstance(key, str) else b""
    principal = gateway.auth.identify(presented)
    if principal is None or principal.role is not Role.CALLER:
        raise _not_the_key(operators=principal is not None)
    require(principal, "calls")  # the page would have nothing to show
    response = Response(status_code=204)
    response.set_cookie(
        gateway.auth.cookie(fields_of(request.scope["headers"])),
        gateway.auth.new_session(principal),
        max_age=SESSION_S,
        path=None,  # the folder that the browser asked in: behind a proxy that is not the whole host
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@described("Whether the browser is signed in.", SignedIn, errors=(KeysUnknown,))
async def show_session(request: Request, gateway: Gateway) -> Response:
    """GET /session: whether the browser is signed in; 200 either way, for a page asks before anyone has signed in."""
    try:
        callers(gateway.auth, request.scope["headers"])
    except (NotAuthenticated, NotAllowed):
        return json_answer(SignedIn(signed_in=False))
    return json_answer(SignedIn(signed_in=True))


@described("Takes the cookie back.", status=204)
async def sign_out(request: Request, gateway: Gateway) -> Response:
    """DELETE /session: takes the cookie back."""
    response = Response(status_code=204)
    name = gateway.auth.cookie(fields_of(request.scope["headers"]))
    response.set_cookie(name, max_age=0, expires=0, path=None, httponly=True, samesite="strict")
    return response


async def _answers_nothing(message: Message) -> None:
    raise RuntimeError(f"the sign-in is answered by Starlette, not with {message['type']}")


def _not_the_key(*, operators: bool) -> GatewayError:
    if operators:
        return NotAllowed(
            "This is the operator's key, for /admin only. `hayate key` shows the one to sign in with.",
            "これは管理者用（/admin専用）のキーです。サインインに使うAPIキーは `hayate key` で確認できます。",
            param="key",
        )
    return NotAuthenticated(
        f"{INCORRECT}. `hayate key` shows it.", "キーが違います。`hayate key` で確認できます。", param="key"
    )
