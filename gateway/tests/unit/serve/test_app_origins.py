"""Pages of other origins: what their browser is told with the setting, and without."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.support.engine_script import error
from tests.support.gateway import running_gateway
from tests.support.http import fetch, request_bytes
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, Stage, scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio
GAME = "https://game.example"
ORIGIN = {"origin": GAME}
ASKS = {
    **ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,x-stainless-os",
}
PATHS = (
    "/v1/chat/completions",
    "/v1/models",
    "/generate_stream",
    "/session",
    "/metrics",
    "/admin/deployments",
    "/nowhere",
    "/",
)


@pytest.fixture(scope="module")
async def shared_open_stage() -> AsyncIterator[Stage]:
    async with scene(
        server={"cors_origins": [GAME], "max_header_bytes": 1024}, limits={"requests_per_minute": 500}
    ) as stage:
        yield stage


@pytest.fixture
async def opened(shared_open_stage: Stage) -> AsyncIterator[Stage]:
    async with shared_open_stage.between_tests() as stage:
        yield stage


def readable(headers: Mapping[str, str]) -> bool:
    """Whether the browser lets the page's script read the answer."""
    return headers.get("access-control-allow-origin") == GAME and headers.get("vary") == "Origin"


@pytest.mark.parametrize("path", PATHS)
async def test_a_browser_may_ask_without_a_key_on_every_path(opened: Stage, path: str) -> None:
    reply = await fetch(opened.url, path, method="OPTIONS", headers=ASKS)
    assert (reply.status, reply.body, readable(reply.headers)) == (204, b"", True)
    assert reply.headers["access-control-allow-headers"] == "authorization,x-stainless-os"
    assert reply.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-private-network" not in reply.headers


async def test_a_private_network_is_opened_when_that_is_asked(opened: Stage) -> None:
    headers = {**ASKS, "access-control-request-private-network": "true"}
    reply = await fetch(opened.url, CHAT_PATH, method="OPTIONS", headers=headers)
    assert reply.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize("body", [PLAIN, STREAM], ids=["whole", "streamed"])
async def test_answers_can_be_read_by_the_page(opened: Stage, body: dict[str, Any]) -> None:
    reply = await opened.post(body, headers=ORIGIN)
    assert (reply.status, readable(reply.headers)) == (200, True)
    exposed = set(reply.headers["access-control-expose-headers"].split(", "))
    assert {name for name in reply.headers if name.startswith("x-r")} <= exposed


async def test_errors_can_be_read_by_the_page(opened: Stage) -> None:
    """Otherwise a browser hides them behind an error of its own."""
    for reply, status in (
        (await fetch(opened.url, CHAT_PATH, PLAIN, headers=ORIGIN), 401),
        (await fetch(opened.url, "/v1/models", headers=ORIGIN), 401),
        (await fetch(opened.url, "/nowhere", headers=ORIGIN), 404),
        (await fetch(opened.url, CHAT_PATH, headers=ORIGIN), 405),
        (await fetch(opened.url, "/v1/models", headers={**ORIGIN, "x-long": "x" * 2000}), 431),
        (await opened.post([], headers=ORIGIN), 400),
    ):
        assert (reply.status, readable(reply.headers)) == (status, True)
        assert reply.headers["x-request-id"]
    opened.engine.script = error(500, "broken")
    for body in (PLAIN, STREAM):
        reply = await opened.post(body, headers=ORIGIN)
        assert (reply.status >= 500, readable(reply.headers)) == (True, True)


async def test_a_key_over_its_limit_is_told_so(opened: Stage) -> None:
    async with scene(server={"cors_origins": "*"}, limits={"requests_per_minute": 1}) as stage:
        await stage.post(PLAIN, headers=ORIGIN)
        reply = await stage.post(PLAIN, headers=ORIGIN)
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (429, "*")
        assert {"retry-after", *(name for name in reply.headers if name.startswith("x-ratelimit"))} <= set(
            reply.headers["access-control-expose-headers"].split(", ")
        )


async def test_each_request_of_a_connection_is_answered_for_its_own_origin(opened: Stage) -> None:
    """A proxy sends those of several pages over one."""
    others: tuple[dict[str, str], ...] = (ORIGIN, {"origin": "https://evil.example"}, {}, ORIGIN)
    async with opened.connect() as client:
        await client.send(b"".join(opened.request(PLAIN, headers=each) for each in others))
        found = [(await client.read_reply()).headers.get("access-control-allow-origin") for _ in others]
    assert found == [GAME, None, None, GAME]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", GAME + ".evil.example", GAME.upper(), "*", "x" * 900]
)
async def test_another_origin_is_refused_and_the_setting_named(opened: Stage, origin: str) -> None:
    reply = await fetch(opened.url, CHAT_PATH, method="OPTIONS", headers={**ASKS, "origin": origin})
    assert (reply.status, reply.headers.get("access-control-allow-origin")) == (403, None)
    assert "server.cors_origins" in reply.json["error"]["message"]
    got = await opened.get("/v1/models", headers={"origin": origin})
    assert (got.status, got.headers.get("access-control-allow-origin"), got.headers["vary"]) == (200, None, "Origin")


async def test_without_the_setting_nothing_is_said_and_the_refusal_names_it(stage: Stage) -> None:
    reply = await fetch(stage.url, CHAT_PATH, method="OPTIONS", headers={**ASKS, "accept-language": "ja"})
    assert reply.status == 403
    assert "server.cors_origins" in reply.json["error"]["message"]
    assert "許可" in reply.json["error"]["message"]
    for answer in (reply, await stage.post(PLAIN, headers=ORIGIN), await stage.get("/v1/models", headers=ORIGIN)):
        assert not [name for name in answer.headers if name.startswith("access-control") or name == "vary"]
    refused = '"event":"origin_refused","origin":"https://game.example"'
    await eventually(lambda: refused in stage.gateway.stderr())  # the log has a writer of its own


async def test_a_session_counts_for_pages_of_a_listed_origin(opened: Stage) -> None:
    signed_in = await fetch(opened.url, "/session", {"key": opened.key}, headers=ORIGIN)
    assert (signed_in.status, signed_in.headers["access-control-allow-credentials"]) == (204, "true")
    cookie = {"cookie": signed_in.headers["set-cookie"].partition(";")[0], "sec-fetch-site": "same-site"}
    reply = await fetch(opened.url, "/generate_stream?prompt=x", headers={**cookie, **ORIGIN})
    assert (reply.status, readable(reply.headers)) == (200, True)
    for other in ({}, {"origin": "https://evil.example"}, {"origin": "null"}):
        assert (await fetch(opened.url, "/generate_stream?prompt=x", headers={**cookie, **other})).status == 403


async def test_a_session_counts_for_no_page_where_any_may_call() -> None:
    async with scene(server={"cors_origins": ["*"]}) as stage:
        signed_in = await fetch(stage.url, "/session", {"key": stage.key}, headers=ORIGIN)
        cookie = {"cookie": signed_in.headers["set-cookie"].partition(";")[0]}
        refused = await fetch(stage.url, "/generate_stream?prompt=x", headers={**cookie, **ORIGIN})
        assert (refused.status, refused.headers["access-control-allow-origin"]) == (403, "*")
        assert "access-control-allow-credentials" not in refused.headers


async def test_a_reload_changes_who_may_call() -> None:
    async with scene() as stage:
        config = stage.gateway.data.parent / "config.yaml"
        for origins, status in (('["https://game.example"]', 204), ("[]", 403), ('"*"', 204)):
            text = config.read_text(encoding="utf-8")
            before = text.index('"server": {')
            config.write_text(
                f'{text[:before]}"server": {{"cors_origins": {origins}}}{text[text.index("}", before) + 1 :]}',
                encoding="utf-8",
            )
            await fetch(stage.url, "/admin/reload", b"", key=stage.operators_key)
            assert (await fetch(stage.url, CHAT_PATH, method="OPTIONS", headers=ASKS)).status == status


async def test_the_environment_names_them_with_commas() -> None:
    env = {"HAYATE_CORS_ORIGINS": f" {GAME}/, http://localhost:5173 "}
    async with running_gateway({"BACKEND_URL": "http://127.0.0.1:1", **env}) as gateway:
        for origin, status in ((GAME, 204), ("http://localhost:5173", 204), ("http://localhost:3000", 403)):
            reply = await fetch(gateway.url, CHAT_PATH, method="OPTIONS", headers={**ASKS, "origin": origin})
            assert reply.status == status, origin


async def test_a_slow_request_that_is_cut_off_can_be_read_too(opened: Stage) -> None:
    async with opened.connect() as client:
        await client.send(request_bytes("POST", CHAT_PATH, b"{", opened.key, {**ORIGIN, "content-length": "99999999"}))
        reply = await client.read_reply()
    assert (reply.status, readable(reply.headers)) == (413, True)
