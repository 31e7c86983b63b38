"""RELIABILITY: every answer carries `x-request-id`; a caller's own, if it is harmless, is in the answer, in the log and at the
engine, where no two calls under way ever share one.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.support.engine_faults import silent_mid_stream
from tests.support.engine_script import Chat
from tests.support.http import fetch, request_bytes
from tests.support.scene import CHAT_PATH, HELLO, PLAIN, STREAM, Stage, scene

pytestmark = pytest.mark.anyio

CALLS = {CHAT_PATH: PLAIN, "/v1/completions": {"prompt": "hi"}, "/v1/embeddings": {"input": "hi"}}
HARMLESS = ("order-7:a.b_c", "a b", "x" * 128, '"<script>"', "Root=1-67891233-abcdef012345678912345678;x@y/z", "~")
ODD = ("x" * 129, "é", "a\tb", "\x7f", "日本語")
OTHERS: dict[str, tuple[str, object, str]] = {
    "alive": ("/health", None, "GET"),
    "readiness": ("/health/readiness", None, "GET"),
    "models": ("/v1/models", None, "GET"),
    "a model": ("/v1/models/scripted", None, "GET"),
    "no such model": ("/v1/models/none", None, "GET"),
    "metrics": ("/metrics", None, "GET"),
    "the page": ("/", None, "GET"),
    "a static file": ("/static/app.js", None, "GET"),
    "no such static file": ("/static/none.js", None, "GET"),
    "nowhere": ("/nowhere", None, "GET"),
    "the wrong method": ("/v1/models", None, "DELETE"),
    "a HEAD": ("/health", None, "HEAD"),
    "options": ("/v1/chat/completions", None, "OPTIONS"),
    "a session": ("/session", {"key": "wrong"}, "POST"),
    "a signing out": ("/session", None, "DELETE"),
    "an operator's path": ("/admin/deployments", None, "GET"),
    "a bad call": (CHAT_PATH, {"messages": 7}, "POST"),
    "an unknown model": (CHAT_PATH, {"messages": HELLO, "model": "none"}, "POST"),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("key", [True, False], ids=["with the key", "without"])
async def test_every_answer_has_one(stage: Stage, name: str, key: bool) -> None:
    path, body, method = OTHERS[name]
    seen = []
    for given in ({"x-request-id": "mine"}, {}, {}):
        async with stage.connect() as client:
            await client.send(request_bytes(method, path, body, stage.key if key else None, given))
            seen.append((await client.read_head()).headers["x-request-id"])
            assert client.reply.head.lower().count(b"x-request-id") == 1
    assert seen[0] == "mine"
    assert len(set(seen)) == 3
    assert min(map(len, seen[1:])) >= 16


BROKEN = {
    "no HTTP": (b"nonsense\r\n\r\n", 400),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
    "a long URL": (b"GET /" + b"x" * 300_000, 414),
    "long headers": (b"GET / HTTP/1.1\r\nx: " + b"x" * 70_000, 431),
    "a slow head": (b"GET / HT", 408),
    "a slow body": (b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n", 408),
    "a tunnel": (b"CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n", 405),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_the_connection_itself_answers_has_one(strict_stage: Stage, name: str) -> None:
    payload, status = BROKEN[name]
    if name == "a slow body":
        payload += b"authorization: Bearer " + strict_stage.key.encode() + b"\r\nx-request-id: mine\r\n\r\n{"
    async with strict_stage.connect() as client:
        await client.send(payload)
        reply = await client.read_reply()
    assert reply.status == status
    assert len(reply.headers["x-request-id"]) >= 16 or name == "a slow body"
    assert reply.headers["x-request-id"] == "mine" or name != "a slow body"


async def test_one_connection_too_many_is_told_with_one() -> None:
    async with scene(server={"max_connections": 2}) as stage, AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(stage.connect())
        async with stage.connect() as late:
            reply = await late.read_reply()
        assert reply.status == 503
        assert len(reply.headers["x-request-id"]) >= 16


@pytest.mark.parametrize("path", CALLS)
async def test_a_harmless_one_is_in_the_answer_in_the_log_and_at_the_engine(stage: Stage, path: str) -> None:
    for given in HARMLESS:
        assert (await stage.post(CALLS[path], path, {"x-request-id": given})).headers["x-request-id"] == given
        assert stage.engine.requests[-1].headers["x-request-id"] == given
        assert (await stage.call())["request_id"] == given


async def test_any_other_is_replaced(stage: Stage) -> None:
    for odd in ODD:
        request = stage.request(PLAIN, headers={"x-request-id": odd})
        async with stage.connect() as client:
            await client.send(request)
            reply = await client.read_reply()
        ours = reply.headers.get("x-request-id", "")
        if reply.status == 400:  # not even a header
            continue
        assert ours not in ("", odd)
        assert stage.engine.requests[-1].headers["x-request-id"] == ours
        assert (await stage.call())["request_id"] == ours


async def test_two_calls_under_way_never_share_one_at_the_engine(stage: Stage) -> None:
    """Engines take it for the call's own, and stop the one when the other's client leaves."""
    stage.engine.script = silent_mid_stream()
    async with AsyncExitStack() as held:
        for number in range(3):
            client = await held.enter_async_context(stage.connect())
            await client.send(stage.request(STREAM, headers={"x-request-id": "same"}))
            assert (await client.read_head()).headers["x-request-id"] == "same"
            assert len(stage.engine.requests) == number + 1
    sent = [request.headers["x-request-id"] for request in stage.engine.requests]
    assert sent[0] == "same"
    assert len(set(sent)) == 3
    assert all(each.startswith("same-") for each in sent[1:])
    assert {call["request_id"] for call in await stage.calls(3)} == {"same"}
    stage.engine.script = Chat()
    assert (await stage.post(PLAIN, headers={"x-request-id": "same"})).status == 200
    assert stage.engine.requests[-1].headers["x-request-id"] == "same"


async def test_engines_get_one_of_our_own_for_every_call_that_brings_none(stage: Stage) -> None:
    replies = await asyncio.gather(*(fetch(stage.url, CHAT_PATH, PLAIN, key=stage.key) for _ in range(5)))
    sent = {request.headers["x-request-id"] for request in stage.engine.requests}
    assert len(sent) == 5
    assert sent == {reply.headers["x-request-id"] for reply in replies}
