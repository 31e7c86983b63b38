"""A browser signs in once, with its key, and gets a cookie that only the gateway reads."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.http import fetch
from tests.support.scene import PLAIN, Stage

pytestmark = pytest.mark.anyio


async def sign_in(stage: Stage) -> str:
    """The cookie, as a browser sends it."""
    reply = await fetch(stage.url, "/session", {"key": stage.key})
    assert reply.status == 204
    return reply.headers["set-cookie"].partition(";")[0]


async def test_the_cookie_is_for_the_gateway_alone(stage: Stage) -> None:
    reply = await fetch(stage.url, "/session", {"key": f" {stage.key} "})
    attributes = {part.strip().lower() for part in reply.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "max-age=604800"} <= attributes
    # Without a path a browser takes the folder it asked in: / here, /llm/ behind a proxy that serves the gateway there.
    assert not any(each.startswith(("path", "domain")) for each in attributes)
    assert stage.key not in reply.headers["set-cookie"]
    assert reply.body == b""


async def test_two_gateways_on_one_host_have_a_cookie_each(stage: Stage) -> None:
    for host, port in (("localhost:8081", 8081), ("llm.example", stage.gateway.port)):
        reply = await fetch(stage.url, "/session", {"key": stage.key}, headers={"host": host})
        cookie = reply.headers["set-cookie"].partition(";")[0]
        assert cookie.partition("=")[0] == f"hayate_session_{port}"
        for other, signed_in in ((host, True), ("localhost:8082", False)):
            told = await fetch(stage.url, "/session", headers={"host": other, "cookie": cookie})
            assert told.json == {"signed_in": signed_in}


async def test_the_cookie_is_as_good_as_the_key(stage: Stage) -> None:
    cookie = await sign_in(stage)
    for path, body in (("/v1/models", None), ("/generate_stream?prompt=x", None), ("/v1/chat/completions", PLAIN)):
        assert (await fetch(stage.url, path, body, headers={"cookie": cookie})).status == 200
    assert {call["key"] for call in await stage.calls(2)} == {"main"}


async def test_the_page_can_ask_whether_it_is_signed_in(stage: Stage) -> None:
    cookie = await sign_in(stage)
    assert (await fetch(stage.url, "/session", headers={"cookie": cookie})).json == {"signed_in": True}
    for headers in (
        {},
        {"cookie": f"hayate_session_{stage.gateway.port}=1.2"},
        {"cookie": cookie, "sec-fetch-site": "cross-site"},
    ):
        assert (await fetch(stage.url, "/session", headers=headers)).json == {"signed_in": False}


async def test_signing_out_takes_the_cookie_back(stage: Stage) -> None:
    reply = await fetch(stage.url, "/session", method="DELETE")
    assert reply.status == 204
    assert "max-age=0" in reply.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "body", [{}, {"key": ""}, {"key": "wrong"}, {"key": 7}, {"key": None}, {"key": ["x"]}, {"key": "鍵"}]
)
async def test_a_wrong_key_is_a_401_without_a_cookie(stage: Stage, body: dict[str, Any]) -> None:
    reply = await fetch(stage.url, "/session", body)
    assert (reply.status, reply.json["error"]["code"]) == (401, "invalid_api_key")
    assert "set-cookie" not in reply.headers


async def test_the_operators_key_does_not_sign_in_and_is_told_apart(stage: Stage) -> None:
    reply = await fetch(stage.url, "/session", {"key": stage.operators_key})
    assert (reply.status, reply.json["error"]["code"]) == (403, "permission_denied")
    assert "operator's key" in reply.text
    assert "set-cookie" not in reply.headers


async def test_what_is_no_sign_in_is_refused(stage: Stage) -> None:
    for body, status in ((b"", 400), (b"[]", 400), (b'{"key":"' + b"x" * 10_000 + b'"}', 413)):
        assert (await fetch(stage.url, "/session", body)).status == status
