"""Prompts and answers are kept nowhere unless the configuration says so, of keys that it names; the operator alone reads them."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest

from tests.support.engine_script import Chat, answer
from tests.support.http import Reply, fetch
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, Stage, scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

ASKED = "s3cret question"
SAID = "s3cret answer"
MESSAGES = [{"role": "user", "content": ASKED}]


@pytest.fixture(scope="module")
async def keeping() -> AsyncIterator[Stage]:
    async with scene(record={"content": {"main": {"days": 7}}, "max_content_bytes": 4096}) as stage:
        yield stage


@pytest.fixture
async def stage(keeping: Stage) -> AsyncIterator[Stage]:
    async with keeping.between_tests() as fresh:
        yield fresh


async def admin(stage: Stage, path: str, body: object = None) -> Reply:
    return await fetch(stage.url, path, body, key=stage.operators_key)


async def recorded(stage: Stage, request_id: str) -> dict[str, Any]:
    """The call of that name as /admin/calls has it, once it is there."""
    found: list[dict[str, Any]] = []

    async def is_there() -> bool:
        data = (await admin(stage, "/admin/calls?limit=10")).json["data"]
        found[:] = [each for each in data if each["request_id"] == request_id]
        return bool(found)

    await eventually(is_there)
    return found[0]


@pytest.mark.parametrize("asked", [PLAIN, STREAM], ids=["whole", "streamed"])
async def test_the_operator_reads_what_was_asked_and_said(stage: Stage, asked: dict[str, Any]) -> None:
    stage.engine.script = Chat([SAID, "!"])
    reply = await stage.post({**asked, "messages": MESSAGES})
    call = await recorded(stage, reply.headers["x-request-id"])
    assert call["content"]
    found = (await admin(stage, f"/admin/calls/{call['id']}/content")).json
    assert ASKED in found["prompt"]
    assert found["answer"] == reply.body.decode()
    assert SAID in found["answer"]
    assert not found["prompt_cut"]
    assert not found["answer_cut"]


async def test_of_other_paths_too(stage: Stage) -> None:
    stage.engine.script = Chat([SAID])
    await stage.frames(path="/generate_stream?prompt=hello", headers={"x-request-id": "by-query"})
    call = await recorded(stage, "by-query")
    found = (await admin(stage, f"/admin/calls/{call['id']}/content")).json
    assert found["prompt"] == "prompt=hello"
    assert SAID in found["answer"]
    stage.engine.script = lambda _: answer({"object": "list", "data": [{"embedding": [0.5]}], "said": SAID})
    reply = await stage.post({"model": "scripted", "input": ASKED}, "/v1/embeddings")
    call = await recorded(stage, reply.headers["x-request-id"])
    found = (await admin(stage, f"/admin/calls/{call['id']}/content")).json
    assert ASKED in found["prompt"]
    assert SAID in found["answer"]


async def test_what_is_too_long_is_cut(stage: Stage) -> None:
    stage.engine.script = Chat(["x" * 500] * 20)
    reply = await stage.post({**STREAM, "messages": [{"role": "user", "content": "y" * 9000}]})
    call = await recorded(stage, reply.headers["x-request-id"])
    found = (await admin(stage, f"/admin/calls/{call['id']}/content")).json
    assert (len(found["prompt"]), len(found["answer"])) == (4096, 4096)
    assert found["prompt_cut"]
    assert found["answer_cut"]


async def test_nobody_else_reads_it_and_no_log_has_it(stage: Stage) -> None:
    stage.engine.script = Chat([SAID])
    reply = await stage.post({**PLAIN, "messages": MESSAGES})
    call = await recorded(stage, reply.headers["x-request-id"])
    path = f"/admin/calls/{call['id']}/content"
    assert (await fetch(stage.url, path)).status == 401
    assert (await fetch(stage.url, path, key=stage.key)).status == 401
    await stage.written()
    for said in (stage.gateway.stdout(), stage.gateway.stderr(), (await stage.get("/metrics")).body.decode()):
        assert "s3cret" not in said


@pytest.mark.parametrize("call", ["7", "x", "-1", "9" * 19, "9" * 400, "１"])
async def test_of_a_call_without_it_there_is_nothing(stage: Stage, call: str) -> None:
    from urllib.parse import quote

    reply = await admin(stage, f"/admin/calls/{quote(call)}/content")
    assert reply.status == 404
    assert "record.content" in reply.json["error"]["message"]


async def test_of_a_key_that_is_not_named_nothing_is_kept(stage: Stage) -> None:
    made = (await admin(stage, "/admin/keys", {"name": "game"})).json
    reply = await fetch(stage.url, CHAT_PATH, {**PLAIN, "messages": MESSAGES}, key=made["key"])
    assert reply.status == 200
    call = await recorded(stage, reply.headers["x-request-id"])
    assert (call["key"], call["content"]) == (made["id"], False)
    assert (await admin(stage, f"/admin/calls/{call['id']}/content")).status == 404


async def test_unless_the_configuration_says_so_the_file_has_nothing() -> None:
    async with scene() as stage:
        stage.engine.script = Chat([SAID])
        for asked in (PLAIN, STREAM):
            reply = await stage.post({**asked, "messages": MESSAGES})
            await recorded(stage, reply.headers["x-request-id"])
        files = list(stage.gateway.data.glob("hayate.db*"))
        assert files
        for each in files:
            assert b"s3cret" not in each.read_bytes()
        with closing(sqlite3.connect(stage.gateway.data / "hayate.db")) as connection:
            assert connection.execute("SELECT count(*) FROM contents").fetchone() == (0,)
