"""The operator signs in on the page, apart from callers, and what that opens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.http import Reply, fetch
from tests.support.scene import PLAIN, Stage, scene

pytestmark = pytest.mark.anyio


def ours(stage: Stage) -> dict[str, str]:
    """What a browser says on the gateway's own page."""
    return {"host": stage.url.removeprefix("http://"), "origin": stage.url, "sec-fetch-site": "same-origin"}


async def sign_in(stage: Stage, key: object = None, headers: Mapping[str, str] | None = None) -> Reply:
    said = ours(stage) if headers is None else headers
    return await fetch(stage.url, "/admin/session", {"key": key or stage.operators_key}, headers=said)


async def signed_in(stage: Stage) -> tuple[dict[str, str], str]:
    """What a browser sends from then on, and the token."""
    reply = await sign_in(stage)
    assert reply.status == 200, reply.text
    return {**ours(stage), "cookie": reply.headers["set-cookie"].partition(";")[0]}, reply.json["csrf"]


async def test_the_cookie_is_for_the_operators_paths_of_this_gateway_alone(stage: Stage) -> None:
    reply = await sign_in(stage, f" {stage.operators_key} ")
    name, _, rest = reply.headers["set-cookie"].partition("=")
    attributes = {part.strip().lower() for part in rest.split(";")[1:]}
    assert name == f"hayate_operator_{stage.gateway.port}"
    assert {"httponly", "samesite=strict", "max-age=43200"} <= attributes
    # Without a path a browser takes the folder it asked in: /admin here, /llm/admin behind a proxy that serves the gateway there.
    assert not any(each.startswith(("path", "domain")) or each == "secure" for each in attributes)
    assert stage.operators_key not in reply.headers["set-cookie"] + reply.text
    assert reply.json["signed_in"] is True


async def test_over_tls_the_cookie_stays_on_tls(stage: Stage) -> None:
    said = {"origin": "https://llm.example", "host": "llm.example", "sec-fetch-site": "same-origin"}
    reply = await sign_in(stage, headers=said)
    assert reply.status == 200
    assert "; secure" in reply.headers["set-cookie"].lower()


async def test_the_session_looks_and_changes_with_its_token(stage: Stage) -> None:
    browser, token = await signed_in(stage)
    for path in (
        "/admin/status",
        "/admin/deployments",
        "/admin/queue",
        "/admin/engines",
        "/admin/keys",
        "/admin/calls",
    ):
        assert (await fetch(stage.url, path, headers=browser)).status == 200
    refused = await fetch(stage.url, "/admin/keys", {"name": "of-a-session"}, headers=browser)
    assert (refused.status, refused.json["error"]["param"]) == (403, "x-csrf-token")
    with_token = {**browser, "x-csrf-token": token}
    made = await fetch(stage.url, "/admin/keys", {"name": "of-a-session"}, headers=with_token)
    assert made.status == 201
    for method, body in (("PATCH", {"name": "renamed"}), ("DELETE", None)):
        path = f"/admin/keys/{made.json['id']}"
        assert (await fetch(stage.url, path, body, headers=browser, method=method)).status == 403
        assert (await fetch(stage.url, path, body, headers=with_token, method=method)).status == 200
    without_origin = {name: value for name, value in with_token.items() if name != "origin"}
    assert (await fetch(stage.url, "/admin/reload", {}, headers=without_origin)).status == 403
    assert (await fetch(stage.url, "/admin/reload", {}, headers=with_token)).status == 200


async def test_it_opens_nothing_of_callers_and_nothing_of_tools(stage: Stage) -> None:
    browser, token = await signed_in(stage)
    headers = {**browser, "x-csrf-token": token}
    for path, body in (("/v1/models", None), ("/v1/chat/completions", PLAIN), ("/metrics", None), ("/running", None)):
        assert (await fetch(stage.url, path, body, headers=headers)).status == 401, path
    for method in ("GET", "POST"):
        assert (await fetch(stage.url, "/unload", headers=headers, method=method)).status == 401
    assert (await fetch(stage.url, "/api/models/unload", {}, headers=headers)).status == 401


async def test_a_key_beside_it_counts_alone(stage: Stage) -> None:
    browser, _ = await signed_in(stage)
    for key, status in ((stage.operators_key, 200), (stage.key, 401), ("wrong", 401)):
        assert (await fetch(stage.url, "/admin/status", key=key, headers=browser)).status == status
    # A proxy that asks for a password of its own is no key.
    passed_on = {**browser, "authorization": "Basic dTpw"}
    assert (await fetch(stage.url, "/admin/status", headers=passed_on)).status == 200


async def test_a_callers_session_opens_none_of_it(stage: Stage) -> None:
    reply = await fetch(stage.url, "/session", {"key": stage.key})
    cookie = reply.headers["set-cookie"].partition(";")[0]
    assert (await fetch(stage.url, "/admin/status", headers={**ours(stage), "cookie": cookie})).status == 401


async def test_pages_of_other_origins_can_not_use_it_not_even_listed_ones() -> None:
    async with scene(server={"cors_origins": ["http://localhost:5173"]}) as stage:
        browser, token = await signed_in(stage)
        for elsewhere in ({"origin": "http://localhost:5173"}, {"sec-fetch-site": "same-site"}, {"origin": "null"}):
            headers = {**browser, "x-csrf-token": token, **elsewhere}
            assert (await fetch(stage.url, "/admin/status", headers=headers)).status == 403
            assert (await fetch(stage.url, "/admin/reload", {}, headers=headers)).status == 403
            assert (await fetch(stage.url, "/admin/session", headers=headers)).json["csrf"] is None
            assert (await sign_in(stage, headers=elsewhere)).status == 403


async def test_the_page_can_ask_whether_the_operator_is_signed_in(stage: Stage) -> None:
    nobody = {"signed_in": False, "csrf": None, "expires_at": None, "over_http": False}
    assert (await fetch(stage.url, "/admin/session")).json == nobody
    browser, token = await signed_in(stage)
    told = (await fetch(stage.url, "/admin/session", headers=browser)).json
    assert (told["signed_in"], told["csrf"]) == (True, token)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["expires_at"])
    made_up = {**browser, "cookie": f"{browser['cookie'].partition('=')[0]}=1.2.3"}
    assert (await fetch(stage.url, "/admin/session", headers=made_up)).json == nobody
    over = await fetch(stage.url, "/admin/status", headers=made_up)
    assert (over.status, over.json["error"]["param"]) == (401, "session")


async def test_who_signs_out_is_out_whoever_has_the_cookie(stage: Stage) -> None:
    browser, token = await signed_in(stage)
    assert (await fetch(stage.url, "/admin/session", headers=browser, method="DELETE")).status == 403
    assert (await fetch(stage.url, "/admin/status", headers=browser)).status == 200
    for _ in range(2):
        headers = {**browser, "x-csrf-token": token}
        reply = await fetch(stage.url, "/admin/session", headers=headers, method="DELETE")
        assert (reply.status, "max-age=0" in reply.headers["set-cookie"].lower()) == (204, True)
        assert (await fetch(stage.url, "/admin/status", headers=browser)).status == 401


@pytest.mark.parametrize("body", [{}, {"key": "wrong"}, {"key": 7}, {"key": "鍵"}, {"key": ""}])
async def test_a_wrong_key_signs_nobody_in(stage: Stage, body: dict[str, Any]) -> None:
    reply = await fetch(stage.url, "/admin/session", body, headers=ours(stage))
    assert reply.status == (401 if isinstance(body.get("key"), str) else 400)
    assert "set-cookie" not in reply.headers


async def test_a_callers_key_signs_no_operator_in_and_is_told_apart(stage: Stage) -> None:
    reply = await sign_in(stage, stage.key)
    assert (reply.status, "set-cookie" in reply.headers) == (401, False)
    assert "callers' key" in reply.text


async def test_where_the_key_can_be_overheard_nobody_signs_in_unless_it_is_allowed() -> None:
    host = "192.168.1.5:8080"
    said = {"origin": f"http://{host}", "host": host}
    async with scene() as stage:
        reply = await sign_in(stage, headers=said)
        assert (reply.status, reply.json["error"]["param"]) == (403, "origin")
        assert "server.operator_over_http" in reply.text
        assert (await sign_in(stage, headers={})).status == 403
    async with scene(server={"operator_over_http": True}) as stage:
        reply = await sign_in(stage, headers=said)
        assert (reply.status, reply.json["over_http"]) == (200, True)


async def test_what_is_no_sign_in_is_refused(stage: Stage) -> None:
    for body, status in ((b"", 400), (b"[]", 400), (b'{"key":"' + b"x" * 10_000 + b'"}', 413)):
        assert (await fetch(stage.url, "/admin/session", body, headers=ours(stage))).status == status
