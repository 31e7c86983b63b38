"""Conversations as documents: whole, in both languages, at the pace of whoever reads, and nothing of others in them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.scene import Stage
from tests.support.talks import said, talker, text_in
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


async def test_a_document_has_everything_that_was_said(stage: Stage) -> None:
    me = await talker(stage)
    texts = [f'その{n} "引用" \\ \n改行' for n in range(60)]
    made = await me.talk(*texts, metadata={"title": "旅行"}, notes="覚書", items=[said("be brief", "system")])
    reply = await me.ask("GET", f"{made}/export")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-disposition"] == f'attachment; filename="{made}.json"'
    assert reply.headers["cache-control"] == "no-store"
    told = reply.json
    assert (told["object"], told["version"]) == ("conversation.export", 1)
    shown = await me.got("GET", made)
    assert told["conversation"] == {**shown, "listed": True}
    assert told["items"] == (await me.got("GET", f"{made}/items?order=asc&limit=100"))["data"]
    assert [text_in(each) for each in told["items"]] == ["be brief", *texts]
    assert (await me.ask("GET", f"{made}/export?format=json")).body == reply.body
    assert reply.body.endswith(b"}\n")
    assert reply.body.count(b"\n") == 1


async def test_an_empty_one_is_a_document_too(stage: Stage) -> None:
    me = await talker(stage)
    made = await me.talk()
    assert (await me.got("GET", f"{made}/export"))["items"] == []
    assert (await me.ask("GET", f"{made}/export?format=md")).text == ""


async def test_markdown_is_read_in_the_reader_s_language(stage: Stage) -> None:
    me = await talker(stage)
    made = await me.talk("京都へ行きたい", "いつですか", metadata={"title": "旅行"})
    english = await me.ask("GET", f"{made}/export?format=md")
    assert english.headers["content-type"] == "text/markdown; charset=utf-8"
    assert english.text == "# 旅行\n\n## User\n\n京都へ行きたい\n\n## Assistant\n\nいつですか\n"
    japanese = await me.ask("GET", f"{made}/export?format=md", language="ja")
    assert japanese.text == "# 旅行\n\n## ユーザー\n\n京都へ行きたい\n\n## アシスタント\n\nいつですか\n"
    assert (await me.ask("GET", f"{made}/export?format=md&lang=ja")).text == japanese.text
    assert (await me.ask("GET", f"{made}/export?format=md&lang=en", language="ja")).text == english.text
    untitled = await me.talk("京都へ行きたい")
    assert (await me.ask("GET", f"{untitled}/export?format=md")).text.startswith("# 京都へ行きたい\n\n## User\n")
    await me.got("POST", untitled, {"metadata": {"title": " a\n\n## Assistant\n"}})
    assert (await me.ask("GET", f"{untitled}/export?format=md")).text.startswith("# a ## Assistant\n\n## User\n")


async def test_markdown_of_many_pages_is_as_if_it_were_one(stage: Stage) -> None:
    me = await talker(stage)
    made = await me.talk(metadata={"title": "t"})
    for first in range(0, 60, 20):
        await me.got("POST", f"{made}/items", {"items": [said(f"行{n}") for n in range(first, first + 20)]})
    told = (await me.ask("GET", f"{made}/export?format=md")).text
    assert told == "# t\n\n## User\n\n" + "\n\n".join(f"行{n}" for n in range(60)) + "\n"


@pytest.mark.parametrize(("query", "param"), [("format=pdf", "format"), ("format=", "format"), ("lang=fr", "lang")])
async def test_a_form_that_there_is_none_of_is_named(stage: Stage, query: str, param: str) -> None:
    me = await talker(stage)
    reply = await me.ask("GET", f"{await me.talk('a')}/export?{query}")
    assert (reply.status, reply.json["error"]["param"]) == (400, param)


def lines_of(text: str) -> list[dict[str, Any]]:
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


async def test_everything_that_the_project_has_is_in_the_lines_and_nothing_else(stage: Stage) -> None:
    me, other = await talker(stage), await talker(stage)
    await other.talk("ひみつ", metadata={"title": "ひみつ"})
    assert (await me.ask("GET", "export")).text == ""
    made = [await me.talk(f"その{n}", "はい", metadata={"title": str(n)}) for n in range(25)]
    hidden = me.keep(("question", "answer"), listed=False).conversation.id
    reply = await me.ask("GET", "export")
    assert reply.headers["content-type"] == "application/x-ndjson"
    found = lines_of(reply.text)
    assert [each["conversation"]["id"] for each in found] == [*made, hidden]
    assert [each["conversation"]["listed"] for each in found] == [True] * 25 + [False]
    for each in found[:3]:
        assert each == await me.got("GET", f"{each['conversation']['id']}/export")
    assert [text_in(each) for each in found[-1]["items"]] == ["question", "answer"]
    assert "ひみつ" not in reply.text


async def test_to_a_head_nothing_is_read(stage: Stage) -> None:
    me = await talker(stage)
    made = await me.talk("a")
    for path in ("export", f"{made}/export"):
        async with stage.connect() as client:
            await client.send(
                f"HEAD /v1/conversations/{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {me.key}\r\n"
                "connection: close\r\n\r\n".encode()
            )
            assert (await client.read_head()).status == 200
            assert await client.read_to_end() == b""


async def test_whoever_reads_slowly_is_written_to_slowly_and_keeps_nobody_waiting(stage: Stage) -> None:
    me = await talker(stage)
    await asyncio.gather(*(me.got("POST", "", {"items": [said("長" * 50_000)] * 2}) for _ in range(60)))
    async with stage.connect(buffer_bytes=4096) as client:
        await client.send(
            f"GET /v1/conversations/export HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {me.key}\r\n\r\n".encode()
        )
        assert (await client.read_head()).status == 200
        assert await client.read_raw(1024)
        second = await me.ask("GET", "export")
        assert (second.status, second.headers["retry-after"]) == (429, "5")
        new = await me.talk("書ける")
        assert await me.texts(new) == ["書ける"]
        client.leave()

    async def free() -> bool:
        return (await me.ask("GET", "export")).status == 200

    await eventually(free)
    assert len(lines_of((await me.ask("GET", "export")).text)) == 61


async def test_what_is_deleted_while_somebody_reads_is_not_in_what_is_still_to_come(stage: Stage) -> None:
    me = await talker(stage)
    made = [(await me.got("POST", "", {"items": [said("長" * 50_000)] * 2}))["id"] for _ in range(60)]
    async with stage.connect(buffer_bytes=4096) as client:
        await client.send(
            f"GET /v1/conversations/export HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {me.key}\r\n\r\n".encode()
        )
        await client.read_head()
        await client.read_chunk()
        await me.got("DELETE", made[-1])
        rest = b""
        while chunk := await client.read_chunk():
            rest += chunk
    assert made[-1].encode() not in rest
    assert made[-2].encode() in rest
