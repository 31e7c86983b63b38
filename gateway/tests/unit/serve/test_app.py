"""The application as a whole: what is open and what needs the key, and answers to odd requests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from hayate.config.load import load_config
from hayate.config.mistakes import ConfigError
from hayate.serve.app import create_app
from hayate.serve.specs import option_mistakes
from hayate.wire.paths import PASSTHROUGH
from tests.support.http import fetch, request_bytes
from tests.support.scene import CHAT_PATH, PLAIN, Stage
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio
OPEN = {
    ("GET", "/health"), ("GET", "/health/liveliness"), ("GET", "/health/liveness"), ("GET", "/livez"),
    ("GET", "/health/readiness"), ("GET", "/readyz"), ("GET", "/"), ("GET", "/static/{path:path}"),
    ("GET", "/session"), ("POST", "/session"), ("DELETE", "/session"), ("GET", "/openapi.json"),
    ("GET", "/admin/session"), ("POST", "/admin/session"), ("DELETE", "/admin/session"),
}  # fmt: skip
"""What anyone may ask: whether the gateway lives, its page, to sign in, and what there is to ask. Everything else needs a key."""


def routes() -> list[tuple[str, str]]:
    """Every method and path that is served."""
    found = [each for each in create_app(load_config(env={})).routes if isinstance(each, Route)]
    return sorted((method, each.path) for each in found for method in each.methods or () if method != "HEAD")


ROUTES = routes()


def test_the_routes_are_those_of_the_documents() -> None:
    paths = {path for _, path in ROUTES}
    assert {CHAT_PATH, "/v1/completions", "/generate_stream", "/v1/models", "/metrics", "/admin/reload"} <= paths
    assert paths >= PASSTHROUGH


async def test_every_path_that_is_not_open_needs_the_key(stage: Stage) -> None:
    for method, path in ROUTES:
        real = re.sub(r"\{[^}]*\}", "index.html", path)
        body = PLAIN if method == "POST" else None
        reply = await fetch(stage.url, real, body, method=method)
        if (method, path) in OPEN:
            assert reply.status != 401 or path == "/session", path
        else:
            assert reply.status == 401, (method, path, reply.body)
            assert reply.headers["www-authenticate"] == "Bearer"
    assert not stage.engine.requests


CALLERS_PATHS: dict[str, Any] = {
    "/v1/models": None,
    "/v1/models/default": None,
    "/v1/usage": None,
    "/generate_stream?prompt=x": None,
}
CALLERS_PATHS |= dict.fromkeys(("/v1/chat/completions", "/v1/messages", "/v1/embeddings"), PLAIN)


@pytest.mark.parametrize("path", CALLERS_PATHS)
@pytest.mark.parametrize(("language", "says"), [("en", "this is the operator's key"), ("ja", "これは管理者用")])
async def test_the_operators_key_on_a_callers_path_is_told_apart(
    stage: Stage, path: str, language: str, says: str
) -> None:
    headers = {"accept-language": language}
    reply = await fetch(stage.url, path, CALLERS_PATHS[path], key=stage.operators_key, headers=headers)
    assert reply.status == 401
    assert says in reply.text
    assert "HAYATE_API_KEY" in reply.text
    assert stage.key not in reply.text
    unknown = await fetch(stage.url, path, CALLERS_PATHS[path], key="sk-hayate-unknown-0123456789", headers=headers)
    assert (unknown.status, says in unknown.text) == (401, False)


async def test_the_metrics_are_for_the_owner_and_the_operator_alone(stage: Stage) -> None:
    for key in (stage.key, stage.operators_key):
        assert (await fetch(stage.url, "/metrics", key=key)).status == 200
    other = await stage.new_key()
    refused = await fetch(stage.url, "/metrics", key=other["key"])
    assert (refused.status, refused.json["error"]["code"]) == (403, "permission_denied")
    assert "/v1/usage" in refused.text


async def test_the_documentation_pages_of_the_framework_are_not_there(stage: Stage) -> None:
    for path in ("/docs", "/redoc"):
        assert (await stage.get(path)).status == 404


# Odd requests.


async def test_an_unknown_path_is_a_404_in_openais_shape(stage: Stage) -> None:
    for path in ("/v2/chat", "/v1/chat/completion", "/v1", "/%00", "//health//x", "/Health", "/.env"):
        reply = await stage.get(path)
        assert reply.status == 404, path
        assert reply.json["error"]["code"] == "unknown_path"


async def test_errors_are_told_in_the_language_that_is_read(stage: Stage) -> None:
    for value, japanese in (
        ("ja", True),
        ("ja,en;q=0.5", True),
        ("en;q=0.3, ja-JP;q=0.9", True),
        ("en", False),
        ("fr", False),
    ):
        reply = await stage.get("/nowhere", headers={"accept-language": value})
        assert bool(re.search(r"[ぁ-ん]", reply.json["error"]["message"])) is japanese, value


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "HEAD"])
async def test_a_wrong_method_is_a_405_that_names_the_right_one(stage: Stage, method: str) -> None:
    async with stage.connect() as client:
        await client.send(stage.request(None, CHAT_PATH, method=method))
        reply = await client.read_head()
    assert reply.status == 405
    assert reply.headers["allow"] == "OPTIONS, POST"


async def test_a_get_of_a_post_says_so(stage: Stage) -> None:
    reply = await stage.get(CHAT_PATH)
    assert (reply.status, reply.json["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/", "/metrics", "/health/readiness"])
async def test_head_is_a_get_without_its_body(stage: Stage, path: str) -> None:
    got = await stage.get(path)
    async with stage.connect() as client:
        await client.send(stage.request(None, path, method="HEAD") + stage.request(None, "/health", method="GET"))
        head = await client.read_head()
        assert (head.status, head.headers["content-type"]) == (got.status, got.headers["content-type"])
        assert (await client.read_head()).status == 200  # nothing of a body stood in between


@pytest.mark.parametrize("body", [None, {"prompt": "hi"}])
async def test_head_starts_no_generation(stage: Stage, body: object) -> None:
    async with stage.connect() as client:
        request = stage.request(body, "/generate_stream?prompt=hi", method="HEAD")
        await client.send(request + stage.request(None, "/health", method="GET"))
        head = await client.read_head()
        assert (head.status, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert "content-length" not in head.headers
        reply = await client.read_reply()
    assert (reply.status, reply.json) == (200, {"status": "ok"})
    assert not stage.engine.requests


async def test_head_of_a_stream_needs_the_key_too(stage: Stage) -> None:
    async with stage.connect() as client:
        await client.send(request_bytes("HEAD", "/generate_stream"))
        assert (await client.read_head()).status == 401


@pytest.mark.parametrize("path", sorted({path for _, path in ROUTES}))
async def test_options_name_the_methods_of_every_path_and_ask_nobody(stage: Stage, path: str) -> None:
    reply = await fetch(stage.url, re.sub(r"\{[^}]*\}", "x", path), method="OPTIONS")
    assert (reply.status, reply.body) == (204, b"")
    allowed = set(reply.headers["allow"].split(", "))
    assert {method for method, each in ROUTES if each == path} <= allowed
    assert ("HEAD" in allowed) == ("GET" in allowed)


async def test_options_of_the_server_name_all_methods(stage: Stage) -> None:
    reply = await fetch(stage.url, "*", method="OPTIONS")
    assert (reply.status, reply.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH, POST")
    assert (await fetch(stage.url, "*")).status == 404


async def test_options_of_what_is_not_there_are_a_404(stage: Stage) -> None:
    reply = await fetch(stage.url, "/nowhere", method="OPTIONS")
    assert (reply.status, reply.json["error"]["code"]) == (404, "unknown_path")


async def test_a_path_with_a_slash_too_many_leads_nowhere_else(stage: Stage) -> None:
    """No redirect to whatever host a caller named."""
    reply = await stage.get("/health/", headers={"host": "evil.example"})
    assert reply.status == 404 or "evil.example" not in reply.headers.get("location", "")


async def test_hosts_and_forwarding_headers_are_not_believed(stage: Stage) -> None:
    headers = {"x-forwarded-for": "1.2.3.4", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    reply = await stage.post(PLAIN, headers=headers)
    assert reply.status == 200
    assert not any(name.startswith("x-forwarded") for name in stage.engine.requests[0].headers)


async def test_the_date_of_an_answer_is_not_that_of_its_connection(stage: Stage) -> None:
    async with stage.connect() as client:

        async def date() -> str:
            await client.send(request_bytes("POST", CHAT_PATH, PLAIN))
            return (await client.read_reply()).headers["date"]

        first = await date()

        async def is_another() -> bool:
            return await date() != first

        await eventually(is_another, every_s=0.2)


# Making it.


def test_a_mistake_in_an_option_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "deployments:\n  q: {backend: vllm, replicas: [http://a], options: {nonsense: 1}}\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match="nonsense"):
        load_config(path, {}, check=option_mistakes)


async def test_every_relayed_path_has_the_short_way_in(tmp_path: Path) -> None:
    app = create_app(load_config(env={"HAYATE_DATA": str(tmp_path)}))
    async with app.router.lifespan_context(app):
        pass
    assert {path.decode() for _, path in app.hot} == {CHAT_PATH, "/v1/completions", "/generate_stream", *PASSTHROUGH}
    assert not any(method == b"HEAD" for method, _ in app.hot)
