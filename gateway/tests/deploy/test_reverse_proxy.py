"""Behind a real nginx and a real Caddy, in the folder /llm/, with the files that we give people for it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_script import SSE, Chat, Request, body, head, silence
from tests.support.http import connection, fetch, request_bytes
from tests.support.proxies import PROXIES, example, program, running_proxy
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, Stage, scene
from tests.support.stages import FORGIVING
from tests.support.steps import Steps
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio
CHAT = "/llm" + CHAT_PATH
Proxied = tuple[Stage, str]


@pytest.fixture(scope="module", params=PROXIES)
async def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxied]:
    home = tmp_path_factory.mktemp(request.param)
    async with (
        scene(server={"heartbeat_s": 0.2, "cors_origins": ["https://game.example"]}, health=FORGIVING) as stage,
        running_proxy(request.param, stage.gateway, home) as url,
    ):
        yield stage, url


@pytest.fixture
async def proxied(shared: Proxied) -> AsyncIterator[Proxied]:
    """A stage whose gateway pings often, and the URL of the proxy in front."""
    stage, url = shared
    async with stage.between_tests():
        yield stage, url


QUESTIONS: dict[str, tuple[str, str, Any]] = {
    "chat": ("POST", CHAT, STREAM),
    "EventSource": ("GET", "/llm/generate_stream?prompt=x", None),
}


@pytest.mark.parametrize("kind", QUESTIONS)
async def test_every_token_is_there_before_the_engine_makes_the_next(proxied: Proxied, kind: str) -> None:
    """No clock: a proxy that held a token back would hold up the test for ever."""
    stage, url = proxied
    method, path, question = QUESTIONS[kind]
    engine = stage.engine.script = Steps(20)
    async with connection(url) as client:
        await client.send(request_bytes(method, path, question, stage.key))
        engine.send_next()
        head = await client.read_head()
        assert (head.status, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        seen: list[str] = []
        async for frame in client.frames():
            if f'"{len(seen)} "' in frame.data:
                seen.append(frame.data)
                engine.send_next()
                if len(seen) == 20:
                    for _ in engine.frames:
                        engine.send_next()
    assert len(seen) == 20


async def test_a_long_silence_is_pinged_through(proxied: Proxied) -> None:
    stage, url = proxied
    engine = stage.engine.script = Steps(1)
    async with connection(url) as client:
        await client.send(request_bytes("POST", CHAT, STREAM, stage.key))
        pings = 0
        await client.read_head()
        async for frame in client.frames():
            pings += frame.comment is not None
            if pings == 8:
                for _ in engine.frames:
                    engine.send_next()
    assert pings >= 8


@pytest.mark.parametrize("moment", ["while it waits", "in the middle"])
async def test_a_client_that_leaves_stops_the_engine(proxied: Proxied, moment: str) -> None:
    stage, url = proxied
    first = Chat(["x"]).frames(Request(path=CHAT_PATH, body=b"{}"))[:2]
    stage.engine.script = [head(headers=SSE), *([] if moment == "while it waits" else map(body, first)), silence]
    async with connection(url) as client:
        await client.send(request_bytes("POST", CHAT, STREAM, stage.key))
        await eventually(lambda: stage.engine.requests)
        if moment == "in the middle":
            await client.read_head()
            await client.read_chunk()
        client.leave()
        await eventually(stage.engine.abandoned.is_set)
    assert (await stage.call())["status"] == 499


async def test_a_body_as_long_as_the_gateway_takes_passes(proxied: Proxied) -> None:
    stage, url = proxied
    text = "x" * (10 * 1024 * 1024 - 4096)
    reply = await fetch(url, CHAT, {"messages": [{"role": "user", "content": text}]}, key=stage.key)
    assert reply.status == 200
    assert stage.engine.requests[0].json["messages"][0]["content"] == text


@pytest.mark.parametrize("shared", ["nginx"], indirect=True)
async def test_nginx_lets_the_gateway_refuse_a_longer_body_in_its_own_words(proxied: Proxied) -> None:
    """Caddy does too, but first reads on for a while: whether its client then still hears of it is up to that client."""
    stage, url = proxied
    async with connection(url) as client:
        await client.send(request_bytes("POST", CHAT, b"{", stage.key, {"content-length": str(11 * 1024 * 1024)}))
        reply = await client.read_reply()
    assert (reply.status, reply.json["error"]["code"]) == (413, "request_too_large")


async def test_a_long_prompt_in_a_url_passes(proxied: Proxied) -> None:
    stage, url = proxied
    reply = await fetch(url, "/llm/generate_stream?prompt=" + "x" * 100_000, key=stage.key)
    assert reply.status == 200
    assert stage.engine.requests[0].json["messages"] == [{"role": "user", "content": "x" * 100_000}]


async def test_names_keys_errors_and_languages_pass(proxied: Proxied) -> None:
    stage, url = proxied
    reply = await fetch(url, CHAT, PLAIN, key=stage.key, headers={"x-request-id": "game-42"})
    assert (reply.status, reply.headers["x-request-id"]) == (200, "game-42")
    assert (await stage.call())["request_id"] == "game-42"
    refused = await fetch(url, CHAT, PLAIN, headers={"accept-language": "ja"})
    assert (refused.status, "APIキー" in refused.json["error"]["message"]) == (401, True)
    assert (await fetch(url, "/llm/v1/models/", key=stage.key)).json["object"] == "list"
    asks = {"origin": "https://game.example", "access-control-request-method": "POST"}
    allowed = await fetch(url, CHAT, method="OPTIONS", headers=asks)
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (204, "https://game.example")


async def test_a_browsers_session_is_for_the_folder(proxied: Proxied) -> None:
    stage, url = proxied
    host = url.removeprefix("http://")
    page = await fetch(url, "/llm/", headers={"host": host})
    assert (page.status, "text/html" in page.headers["content-type"]) == (200, True)
    moved = await fetch(url, "/llm", headers={"host": host})
    assert (moved.status, moved.headers["location"]) == (308, "/llm/")
    signed_in = await fetch(url, "/llm/session", {"key": stage.key}, headers={"host": host, "origin": url})
    cookie, *attributes = signed_in.headers["set-cookie"].split("; ")
    assert not [each for each in attributes if each.lower().startswith("path")]
    headers = {"host": host, "origin": url, "cookie": cookie, "sec-fetch-site": "same-origin"}
    assert (await fetch(url, "/llm/generate_stream?prompt=x", headers=headers)).status == 200


@pytest.mark.parametrize(
    "path",
    ["admin/deployments", "/admin/deployments", "%61dmin/deployments", "admin%2Fdeployments", "v1/../admin/deployments",
     "metrics", "metrics/", "/metrics", "running", "/running", "unload", "unload/", "%75nload", "v1/../unload",
     "api/models/unload", "api/models/unload/qwen"],
)  # fmt: skip
async def test_the_operators_paths_stay_inside(proxied: Proxied, path: str) -> None:
    stage, url = proxied
    for key in (stage.key, stage.operators_key):
        assert (await fetch(url, f"/llm/{path}", key=key)).status == 404


def test_nginx_takes_the_file_with_its_certificate(tmp_path: Path) -> None:
    """The lines that the other tests leave out."""
    nginx, openssl = program("nginx"), program("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=llm.example.com", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    live = "/etc/letsencrypt/live/llm.example.com"
    text = example("nginx.conf", {f"{live}/fullchain.pem": str(certificate), f"{live}/privkey.pem": str(key)})
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid;\nerror_log {tmp_path}/log;\nevents {{}}\nhttp {{\n{text}}}\n", encoding="utf-8"
    )
    done = subprocess.run(
        [nginx, "-t", "-p", tmp_path, "-e", tmp_path / "log", "-c", tmp_path / "nginx.conf"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert "syntax is ok" in done.stderr, done.stderr


def test_caddy_takes_the_file_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "Caddyfile").write_text(example("Caddyfile", {}), encoding="utf-8")
    command = [program("caddy"), "adapt", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={"HOME": str(tmp_path)})
    assert "llm.example.com" in json.dumps(json.loads(done.stdout))
    assert "warn" not in done.stderr.lower(), done.stderr
