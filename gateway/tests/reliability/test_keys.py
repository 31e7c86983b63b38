"""RELIABILITY: keys. Wrong and missing are the same 401 on every path, one rule for every header, and no key shows anywhere."""

from __future__ import annotations

import stat

import pytest

from hayate.wire.paths import PASSTHROUGH
from tests.support.http import Reply, fetch
from tests.support.scene import CHAT_PATH, PLAIN, Stage

pytestmark = pytest.mark.anyio

POSTS = [CHAT_PATH, "/v1/completions", "/generate_stream", *sorted(PASSTHROUGH)]
GETS = ["/v1/models", "/v1/models/default", "/metrics", "/generate_stream?prompt=hi"]
WRONG = "sk-wrong-0123456789abcdef"
WAYS = {
    "nothing": {},
    "a wrong key": {"authorization": f"Bearer {WRONG}"},
    "a wrong x-api-key": {"x-api-key": WRONG},
    "a wrong api-key": {"api-key": WRONG},
    "an empty key": {"authorization": "Bearer "},
    "another scheme": {"authorization": "Basic aGVsbG86aGVsbG8="},
    "SQL": {"authorization": "Bearer ' OR '1'='1"},
    "a made-up session": {"host": "gateway:8080", "cookie": "hayate_session_8080=9999999999.00ff"},
    "a broken cookie": {"host": "gateway:8080", "cookie": 'hayate_session_8080="; x'},
    "bytes": {"authorization": "Bearer \xff\xfe"},
}


def code(reply: Reply) -> str:
    error = reply.json["error"]
    return str(error.get("code", error["type"]))


@pytest.mark.parametrize("way", WAYS)
async def test_every_path_refuses_alike(stage: Stage, way: str) -> None:
    for path in POSTS:
        reply = await fetch(stage.url, path, PLAIN, headers=WAYS[way])
        assert (reply.status, code(reply)) in ((401, "invalid_api_key"), (401, "authentication_error")), path
    for path in GETS:
        reply = await fetch(stage.url, path, headers=WAYS[way])
        assert (reply.status, code(reply)) == (401, "invalid_api_key"), path
        assert reply.headers["www-authenticate"] == "Bearer"
    assert stage.engine.requests == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_key_is_accepted_as_a_bearer(stage: Stage, scheme: str) -> None:
    reply = await fetch(stage.url, CHAT_PATH, PLAIN, headers={"authorization": f"{scheme} {stage.key}"})

    assert reply.status == 200


@pytest.mark.parametrize("header", ["x-api-key", "api-key"])
async def test_the_key_is_accepted_in_other_headers_by_the_same_rule(stage: Stage, header: str) -> None:
    assert (await fetch(stage.url, CHAT_PATH, PLAIN, headers={header: stage.key})).status == 200
    assert (await fetch(stage.url, CHAT_PATH, PLAIN, headers={header: stage.key[:-1]})).status == 401
    assert (await fetch(stage.url, CHAT_PATH, PLAIN, headers={header: stage.key + "x"})).status == 401


async def test_a_wrong_key_in_one_header_does_not_spoil_the_right_one_in_another(stage: Stage) -> None:
    headers = {"authorization": f"Bearer {WRONG}", "x-api-key": stage.key}

    assert (await fetch(stage.url, CHAT_PATH, PLAIN, headers=headers)).status == 200


@pytest.mark.parametrize("path", [CHAT_PATH, "/v1/messages", "/v1/models", "/generate_stream"])
async def test_two_keys_that_disagree_are_refused_wherever_the_right_one_stands(stage: Stage, path: str) -> None:
    method = "GET" if path == "/v1/models" else "POST"
    for first, second, status in ((stage.key, WRONG, 401), (WRONG, stage.key, 401), (stage.key, stage.key, 200)):
        request = stage.request(None if method == "GET" else PLAIN, path, method=method)
        keys = f"authorization: Bearer {first}\r\nauthorization: Bearer {second}\r\n".encode()
        async with stage.connect() as client:
            await client.send(request.replace(b"authorization: Bearer " + stage.key.encode() + b"\r\n", keys))
            reply = await client.read_reply()
        if status == 401:
            assert reply.status == 401
            assert "Incorrect API key provided" in reply.text
        else:
            assert reply.status != 401


@pytest.mark.parametrize("way", WAYS)
async def test_a_wrong_key_is_told_in_the_words_that_clients_sort_errors_by(stage: Stage, way: str) -> None:
    for path in (CHAT_PATH, "/v1/messages", "/v1/responses", "/generate_stream"):
        reply = await fetch(stage.url, path, PLAIN, headers=WAYS[way])
        assert "Incorrect API key provided. " in reply.json["error"]["message"]
        japanese = await fetch(stage.url, path, PLAIN, headers={**WAYS[way], "accept-language": "ja"})
        assert "APIキーが正しくありません" in japanese.json["error"]["message"]


async def test_the_callers_key_is_not_the_operators(stage: Stage) -> None:
    assert (await stage.get("/admin/deployments")).status == 401


async def test_the_operators_key_is_made_and_kept_for_its_owner_alone(stage: Stage) -> None:
    kept = stage.gateway.data / "admin_key"

    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    reply = await fetch(stage.url, "/admin/deployments", key=kept.read_text(encoding="ascii").strip())
    assert reply.status == 200
    assert (await fetch(stage.url, CHAT_PATH, PLAIN, key=kept.read_text(encoding="ascii").strip())).status == 401


async def test_a_key_in_a_url_is_refused_with_the_reason_and_not_repeated(stage: Stage) -> None:
    for name in ("key", "api_key", "token"):
        reply = await stage.get(f"/generate_stream?prompt=hi&{name}={WRONG}")
        assert reply.status == 400
        assert reply.json["error"]["param"] == name
        assert WRONG not in reply.text


async def _cookie(stage: Stage) -> str:
    signed_in = await fetch(stage.url, "/session", {"key": stage.key})
    assert signed_in.status == 204
    told = signed_in.headers["set-cookie"]
    assert all(word in told.lower() for word in ("httponly", "samesite=strict"))
    assert "path=" not in told.lower()  # the browser's own: the folder it asked in
    assert stage.key not in told
    return told.partition(";")[0]


async def test_a_session_serves_our_own_page_only(stage: Stage) -> None:
    cookie = await _cookie(stage)
    ours = {"cookie": cookie, "sec-fetch-site": "same-origin"}

    assert (await fetch(stage.url, "/generate_stream?prompt=hi", headers=ours)).status == 200
    assert (await fetch(stage.url, CHAT_PATH, PLAIN, headers={**ours, "origin": "http://gateway"})).status == 200
    for elsewhere in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ):
        reply = await fetch(stage.url, CHAT_PATH, PLAIN, headers={"cookie": cookie, **elsewhere})
        assert (reply.status, code(reply)) == (403, "permission_denied"), elsewhere


async def test_a_tampered_session_is_no_session(stage: Stage) -> None:
    name, _, value = (await _cookie(stage)).partition("=")
    key, version, expires, signature = value.split(".")
    other = await stage.new_key()

    for forged in (
        f"{key}.{version}.{int(expires) + 1}.{signature}",
        f"{key}.{int(version) + 1}.{expires}.{signature}",
        f"{other['id']}.1.{expires}.{signature}",
        f"{key}.{version}.{expires}.{signature[:-1]}0f",
        f"{key}.{version}.{expires}.",
        f"{key}.{version}.{expires}",
        f".{signature}",
        f"{expires}.{signature}",
        "x",
    ):
        reply = await fetch(stage.url, "/v1/models", headers={"cookie": f"{name}={forged}"})
        assert reply.status == 401, forged


async def test_signing_in_needs_the_key(stage: Stage) -> None:
    for body in ({"key": WRONG}, {"key": ""}, {"key": None}, {}, {"key": ["a"]}):
        reply = await fetch(stage.url, "/session", body)
        assert reply.status == 401
        assert "set-cookie" not in reply.headers


async def test_no_key_is_ever_written_down(stage: Stage) -> None:
    await stage.post(PLAIN)
    await fetch(stage.url, CHAT_PATH, PLAIN, key=WRONG)
    await stage.post({"messages": 7})
    await stage.get("/v1/models/nope")

    written = stage.gateway.stdout() + stage.gateway.stderr() + (await stage.get("/metrics")).text
    assert stage.key not in written
    assert WRONG not in written
    assert "authorization" not in dict(stage.engine.requests[0].headers)
