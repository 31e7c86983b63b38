"""What was exported is imported, whoever has laid it out anew meanwhile, and branches go on from the middle."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.scene import Stage, scene
from tests.support.talks import Talker, said, talker, text_in
from tests.support.waiting import eventually
from tests.unit.api.test_conversation_items import EVERY_KIND

pytestmark = pytest.mark.anyio


def without_ids(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in each.items() if name != "id"} for each in items]


async def exported(me: Talker, talk: str) -> dict[str, Any]:
    found: dict[str, Any] = await me.got("GET", f"{talk}/export")
    return found


async def test_what_was_exported_is_a_conversation_of_its_own_again_elsewhere_too(stage: Stage) -> None:
    me, other = await talker(stage), await talker(stage)
    made = await me.talk(metadata={"title": "旅行"}, notes="覚書", items=EVERY_KIND)
    document = await exported(me, made)
    for whose in (me, other):
        told = await whose.got("POST", "import", document)
        assert told["id"] != made
        assert (told["metadata"], told["notes"], told["turns"]) == ({"title": "旅行"}, "覚書", 1)
        again = await exported(whose, told["id"])
        assert without_ids(again["items"]) == without_ids(document["items"])
        assert {each["id"] for each in again["items"]}.isdisjoint(each["id"] for each in document["items"])
    assert await exported(me, made) == document


@pytest.mark.parametrize("indent", [None, 4])
async def test_it_may_be_laid_out_anew_and_one_line_of_everything_is_one(stage: Stage, indent: int | None) -> None:
    me = await talker(stage)
    made = await me.talk("やあ", '"こんにちは" [{')
    await me.got("POST", "import", json.dumps(await exported(me, made), indent=indent).encode())
    lines = (await me.ask("GET", "export")).text.splitlines()
    assert len(lines) == 2
    for line in lines:
        told = await me.got("POST", "import", line.encode())
        assert await me.texts(told["id"]) == ["やあ", '"こんにちは" [{']


async def test_more_than_one_step_keeps_is_kept_whole(stage: Stage) -> None:
    me = await talker(stage)
    document = await exported(me, await me.talk("a"))
    texts = [f"その{n}" for n in range(1200)]
    document["items"] = [said(text, "assistant" if n % 2 else "user") for n, text in enumerate(texts)]
    told = await me.got("POST", "import", document)
    assert told["turns"] == 600
    assert [text_in(each) for each in (await exported(me, told["id"]))["items"]] == texts
    branch = await me.got(
        "POST", f"{told['id']}/branch", {"after": (await exported(me, told["id"]))["items"][799]["id"]}
    )
    assert branch["turns"] == 400
    assert [text_in(each) for each in (await exported(me, branch["id"]))["items"]] == texts[:800]


BAD: list[tuple[Any, str | None]] = [
    ({}, "object"),
    ({"object": "conversation"}, "object"),
    ({"object": "conversation.export", "version": 1}, "object"),
    ({"object": "conversation.export", "version": 2, "conversation": {}, "items": []}, "version"),
    ({"object": "conversation.export", "version": 1, "conversation": {}}, "items"),
    (
        {"object": "conversation.export", "version": 1, "conversation": {"metadata": []}, "items": []},
        "conversation.metadata",
    ),
    ({"object": "conversation.export", "version": 1, "conversation": {"notes": 1}, "items": []}, "notes"),
    ({"object": "conversation.export", "version": 1, "conversation": {}, "items": [said("x"), 1]}, "items[1]"),
    (
        {"object": "conversation.export", "version": 1, "conversation": {}, "items": [said("x"), {"type": "x"}]},
        "items[1].type",
    ),
    (
        {"object": "conversation.export", "version": 1, "conversation": {}, "items": [{**said("x"), "role": "x"}]},
        "items[0].role",
    ),
    (b"", None),
    (b"[]", None),
    (b'{"object":"conversation.export","items":[{}', "items[0].type"),
    (b'{"object":"conversation.export","items":[', "items"),
]


@pytest.mark.parametrize(("body", "param"), BAD, ids=lambda each: str(each)[:60])
async def test_what_is_no_export_is_named_and_nothing_is_made(stage: Stage, body: Any, param: str | None) -> None:
    me = await talker(stage)
    reply = await me.ask("POST", "import", body)
    assert (reply.status, reply.json["error"]["param"]) == (400, param), reply.text
    japanese = await me.ask("POST", "import", body, "ja")
    assert japanese.json["error"]["message"] != reply.json["error"]["message"]
    assert (await me.got("GET", ""))["data"] == []


async def test_what_there_is_no_room_for_is_not_there_in_part() -> None:
    async with scene(history={"max_conversation_bytes": 100_000}) as small:
        me = await talker(small)
        document = await exported(me, await me.talk())
        await me.got("DELETE", "?all=true")
        document["items"] = [said("x" * 100) for _ in range(900)]
        reply = await me.ask("POST", "import", document)
        assert (reply.status, reply.json["error"]["code"]) == (400, "conversation_full")
        assert (await me.got("GET", ""))["data"] == []
        assert (await me.ask("GET", "export")).text == ""
        document["items"] = document["items"][:300]
        made = await me.got("POST", "import", document)
        assert len((await exported(me, made["id"]))["items"]) == 300


async def test_one_is_imported_at_a_time_for_each_project(stage: Stage) -> None:
    me, other = await talker(stage), await talker(stage)
    document = await exported(me, await me.talk("a"))
    raw = json.dumps(document).encode()
    async with stage.connect() as client:
        head = f"POST /v1/conversations/import HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {me.key}\r\n"
        await client.send(f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw[:10])

        async def refused() -> bool:
            return (await me.ask("POST", "import", b"{}")).status == 429

        await eventually(refused)
        assert (await other.ask("POST", "import", document)).status == 200
        await client.send(raw[10:])
        assert (await client.read_reply()).status == 200
    assert (await me.ask("POST", "import", document)).status == 200


async def test_there_are_only_so_many_items_in_one_import() -> None:
    async with scene(server={"max_body_bytes": 4 << 20}) as large:
        me = await talker(large)
        document = await exported(me, await me.talk())
        raw = (
            json.dumps(document)
            .encode()
            .replace(b'"items": []', b'"items": [' + b'{"type":"reasoning"},' * 50_000 + b"{}]")
        )
        reply = await me.ask("POST", "import", raw)
        assert (reply.status, reply.json["error"]["param"]) == (400, "items")
        assert "50,000" in reply.json["error"]["message"]


async def test_a_branch_has_what_was_said_up_to_there_and_goes_its_own_way(stage: Stage) -> None:
    me = await talker(stage)
    made = await me.talk("a", "b", "c", "d", metadata={"title": "t"}, notes="n")
    items = (await exported(me, made))["items"]
    told = await me.got("POST", f"{made}/branch", {"after": items[1]["id"]})
    assert (told["metadata"], told["notes"], told["turns"]) == ({"title": "t"}, "n", 1)
    assert await me.texts(told["id"]) == ["a", "b"]
    await me.got("POST", f"{told['id']}/items", {"items": [said("e")]})
    assert await me.texts(told["id"]) == ["a", "b", "e"]
    assert await me.texts(made) == ["a", "b", "c", "d"]
    await me.got("DELETE", made)
    assert await me.texts(told["id"]) == ["a", "b", "e"]


async def test_a_branch_begins_after_an_item_of_that_conversation(stage: Stage) -> None:
    me, other = await talker(stage), await talker(stage)
    made, elsewhere = await me.talk("a"), await me.talk("b")
    theirs = await other.talk("ひみつ")
    before = await me.got("GET", "")
    wanted = [
        (await asker.got("GET", f"{talk}/items"))["data"][0]["id"] for asker, talk in ((me, elsewhere), (other, theirs))
    ]
    for after in (*wanted, "msg_" + "0" * 32, "", "あ", "x" * 500):
        reply = await me.ask("POST", f"{made}/branch", {"after": after})
        assert (reply.status, reply.json["error"]["code"], reply.json["error"]["param"]) == (
            404,
            "item_not_found",
            "after",
        )
    for body, param in (
        ({}, "after"),
        ({"after": 1}, "after"),
        ({"after": wanted[0], "title": "x"}, "title"),
        (None, "after"),
    ):
        reply = await me.ask("POST", f"{made}/branch", body)
        assert (reply.status, reply.json["error"]["param"]) == (400, param)
    assert await me.got("GET", "") == before
