"""Addresses as people write them: the same endpoint, the same guard, no redirect."""

from __future__ import annotations

import json

import pytest

from tests.support.http import fetch, request_bytes
from tests.support.scene import CHAT_PATH, PLAIN, Stage

pytestmark = pytest.mark.anyio

CHATS = ("/v1/chat/completions/", "//v1/chat/completions", "/v1//chat/completions", "/v1/v1/chat/completions",
         "/chat/completions", "/chat/completions/?a=b", "http://gateway//chat/completions")  # fmt: skip


@pytest.mark.parametrize("path", CHATS)
async def test_a_call_is_found_by_each_of_its_spellings(stage: Stage, path: str) -> None:
    reply = await stage.post(PLAIN, path)
    assert reply.status == 200
    assert (await stage.call())["endpoint"] == "chat"
    assert (await fetch(stage.url, path, PLAIN)).status == 401
    assert (await fetch(stage.url, path, PLAIN, key=stage.operators_key)).status == 401


@pytest.mark.parametrize("path", ["/v1/models/", "//v1/models", "/models", "/models/", "/v1/v1/models"])
async def test_the_list_is_found_by_each_of_its_spellings(stage: Stage, path: str) -> None:
    assert (await stage.get(path)).json["object"] == "list"
    assert (await fetch(stage.url, path)).status == 401


async def test_one_model_is_found_by_each_of_its_spellings(stage: Stage) -> None:
    for path in ("/v1/models/scripted", "/v1/models/scripted/", "/models/scripted", "/v1/models/script%65d"):
        assert (await stage.get(path)).json["id"] == "scripted", path


async def test_an_escaped_slash_belongs_to_the_name(stage: Stage) -> None:
    for path in ("/v1/models/scripted%2F", "/%2Fv1/models"):
        assert (await stage.get(path)).status == 404, path


@pytest.mark.parametrize(
    "path", ["/admin/deployments/", "//admin/deployments", "/admin%2Fdeployments", "/%61dmin/deployments"]
)
async def test_what_is_the_operators_has_one_spelling(stage: Stage, path: str) -> None:
    """A proxy that hides /admin has hidden all of it."""
    assert (await fetch(stage.url, "/admin/deployments", key=stage.operators_key)).status == 200
    assert (await fetch(stage.url, path, key=stage.operators_key)).status == 404


@pytest.mark.parametrize("path", [CHAT_PATH, "/v1/embeddings", "/generate_stream"])
async def test_a_byte_order_mark_before_the_body_is_skipped(stage: Stage, path: str) -> None:
    body = {"prompt": "x"} if path == "/generate_stream" else {**PLAIN, "input": "x"}
    async with stage.connect() as client:
        await client.send(request_bytes("POST", path, b"\xef\xbb\xbf" + json.dumps(body).encode(), stage.key))
        assert (await client.read_reply()).status == 200
    assert stage.engine.requests[0].body.startswith(b"{")
