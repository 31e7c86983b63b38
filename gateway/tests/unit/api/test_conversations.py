"""Conversations in OpenAI's shape, over HTTP: made, shown, renamed, listed, deleted; what is wrong is named and changes nothing."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from openai.types.conversations import Conversation, ConversationDeletedResource

from hayate.settings import History, Keeping
from hayate.store.conversation_changes import NewConversation, create
from hayate.store.conversations import get
from hayate.store.sqlite import connect
from hayate.store.store import Store
from hayate.wire.items import message
from tests.support.http import fetch
from tests.support.scene import CHAT_PATH, PLAIN, Stage, scene
from tests.support.talks import TALKS, UNKNOWN, said, talker
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

FOREIGN = "foreign"
"""In place of an id: another project's."""


async def test_a_conversation_is_made_shown_renamed_and_deleted(stage: Stage) -> None:
    me = await talker(stage)
    made = await me.got("POST", "", {"metadata": {"title": "旅行"}, "items": [said("京都へ行きたい")], "notes": "会員"})
    Conversation.model_validate(made, strict=True)
    assert made["metadata"] == {"title": "旅行"}
    assert (made["notes"], made["turns"]) == ("会員", 1)
    assert await me.got("GET", made["id"]) == made
    assert await me.got("GET", f"/conversations/{made['id']}/") == made

    changed = await me.got("POST", made["id"], {"metadata": {"title": "京都", "who": "花子"}})
    Conversation.model_validate(changed, strict=True)
    assert changed["metadata"] == {"title": "京都", "who": "花子"}
    assert changed["notes"] == "会員"
    assert (await me.got("POST", made["id"], {"metadata": {}}))["metadata"] == {}
    assert (await me.got("POST", made["id"], {"metadata": {"a": "b"}, "notes": None}))["notes"] is None
    assert (await me.got("POST", made["id"], {"notes": "x"}))["metadata"] == {"a": "b"}
    assert (await me.got("POST", made["id"], {"metadata": None}))["metadata"] == {}

    gone = await me.got("DELETE", made["id"])
    ConversationDeletedResource.model_validate(gone, strict=True)
    assert gone == {"id": made["id"], "object": "conversation.deleted", "deleted": True}
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/items"), ("GET", "/export")):
        body: Any = {"metadata": {}} if method == "POST" else None
        assert (await me.ask(method, f"{made['id']}{path}", body)).status == 404


@pytest.mark.parametrize(
    "body", [None, {}, {"items": None, "metadata": None, "notes": None}, {"items": []}, {"notes": ""}]
)
async def test_an_empty_one_needs_nothing(stage: Stage, body: Any) -> None:
    made = await (await talker(stage)).got("POST", "", body)
    assert (made["metadata"], made["notes"], made["turns"], made["bytes"]) == ({}, None, 0, 0)


MALFORMED: list[tuple[Any, str | None]] = [
    ({"title": "旅行"}, "title"),
    ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
    ({"metadata": {"k" * 65: ""}}, "metadata"),
    ({"metadata": {"title": "x" * 513}}, "metadata.title"),
    ({"metadata": {"title": 1}}, "metadata.title"),
    ({"metadata": ["title"]}, "metadata"),
    ({"metadata": {}, "notes": ["x"]}, "notes"),
    ({"metadata": {}, "notes": "あ" * 30_000}, "notes"),
    ({"id": "conv_mine"}, "id"),
    (b"[]", None),
    (b"{", None),
    (b"\xff", None),
]


@pytest.mark.parametrize(("body", "param"), MALFORMED, ids=lambda each: str(each)[:40])
async def test_what_is_malformed_is_a_400_that_names_it_and_nothing_changes(
    stage: Stage, body: Any, param: str | None
) -> None:
    me = await talker(stage)
    there = await me.talk("やあ", metadata={"title": "t"})
    before = await me.got("GET", "")
    for path in ("", there):
        reply = await me.ask("POST", path, body)
        assert (reply.status, reply.json["error"]["param"]) == (400, param), reply.text
        assert reply.json["error"]["type"] == "invalid_request_error"
        japanese = await me.ask("POST", path, body, "ja")
        assert japanese.json["error"]["message"] != reply.json["error"]["message"]
    assert await me.got("GET", "") == before


async def test_an_update_that_changes_nothing_says_what_can_be_changed(stage: Stage) -> None:
    me = await talker(stage)
    reply = await me.ask("POST", await me.talk("やあ"), {})
    assert (reply.status, reply.json["error"]["param"]) == (400, "metadata")


async def test_one_that_is_another_s_is_told_as_one_that_never_was(stage: Stage) -> None:
    me, other = await talker(stage), await talker(stage)
    theirs = await other.talk("ひみつ", metadata={"title": "ひみつ"})
    for method, path, body in (
        ("GET", "", None),
        ("POST", "", {"metadata": {}}),
        ("DELETE", "", None),
        ("GET", "/export", None),
        ("GET", "/items", None),
        ("POST", "/items", {"items": [said("x")]}),
        ("GET", "/items/msg_1", None),
        ("DELETE", "/items/msg_1", None),
        ("POST", "/branch", {"after": "msg_1"}),
    ):
        foreign = await me.ask(method, f"{theirs}{path}", body)
        unknown = await me.ask(method, f"{UNKNOWN}{path}", body)
        assert foreign.status == unknown.status == 404, (method, path, foreign.text)
        assert foreign.json["error"]["code"] == "conversation_not_found"
        assert foreign.text.replace(theirs, UNKNOWN) == unknown.text
        assert sorted(foreign.headers) == sorted(unknown.headers)
    assert (await other.got("GET", theirs))["metadata"] == {"title": "ひみつ"}
    assert await other.texts(theirs) == ["ひみつ"]


def test_to_look_for_another_s_takes_as_many_steps_as_for_none_however_large_it_is(tmp_path: Path) -> None:
    Store.open(tmp_path, Keeping()).close()
    with closing(connect(tmp_path / "hayate.db")) as connection:
        large = NewConversation(
            metadata={"title": "x" * 500}, notes="x" * 50_000, items=[message("user", "x")] * 100, limits=History()
        )
        theirs = create(connection, "theirs", large, 1.0).id
        counted: list[int] = []
        connection.set_progress_handler(lambda: counted.append(1), 1)

        def steps(wanted: str) -> int:
            counted.clear()
            assert get(connection, "mine", wanted) is None
            return len(counted)

        foreign, unknown = steps(theirs), steps(UNKNOWN)
        assert 0 < unknown <= foreign < unknown + 10


@pytest.mark.parametrize("wanted", ["x", "conv_", "conv_a%00", "conv_%E4%BC%9A", "conv_" + "a" * 60, "resp_1", "'--"])
async def test_what_is_no_id_by_its_form_is_found_nowhere(stage: Stage, wanted: str) -> None:
    me = await talker(stage)
    reply = await me.ask("GET", wanted)
    assert (reply.status, reply.json["error"]["code"]) == (404, "conversation_not_found")


async def test_the_list_goes_page_by_page_the_last_used_first(stage: Stage) -> None:
    me, other = await talker(stage), await talker(stage)
    await other.talk("ひみつ")
    made = [await me.talk(f"その{n}", metadata={"title": str(n)}) for n in range(5)]
    await me.got("POST", f"{made[0]}/items", {"items": [said("もう一度")]})
    order = [made[0], *reversed(made[1:])]

    for query, wanted in (("", order), ("?order=asc", order[::-1]), ("?order=desc&limit=100", order)):
        told = await me.got("GET", query)
        assert [each["id"] for each in told["data"]] == wanted
        assert (told["first_id"], told["last_id"], told["has_more"]) == (wanted[0], wanted[-1], False)
    seen, after = [], ""
    while True:
        told = await me.got("GET", f"?limit=2{after}")
        seen += [each["id"] for each in told["data"]]
        if not told["has_more"]:
            break
        after = f"&after={told['last_id']}"
    assert seen == order
    assert await me.got("GET", f"?after={order[-1]}") == {
        "object": "list",
        "data": [],
        "first_id": "",
        "last_id": "",
        "has_more": False,
    }


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=" + "9" * 30, "limit"),
        ("order=best", "order"),
        ("order=", "order"),
        ("after=msg_1", "after"),
        ("after=", "after"),
        (f"after={UNKNOWN}", "after"),
        (f"after={FOREIGN}", "after"),
        ("search=", "search"),
        ("search=%20%20", "search"),
        ("search=" + "x" * 201, "search"),
    ],
)
async def test_a_list_that_can_t_be_is_a_400_that_names_why(stage: Stage, query: str, param: str) -> None:
    me, other = await talker(stage), await talker(stage)
    query = query.replace(FOREIGN, await other.talk("ひみつ"))
    reply = await me.ask("GET", f"?{query}")
    assert (reply.status, reply.json["error"]["param"]) == (400, param), reply.text
    assert (await me.ask("GET", f"?{query}", language="ja")).json["error"]["message"] != reply.json["error"]["message"]


async def test_responses_that_belong_to_no_conversation_of_a_caller_s_are_in_no_list(stage: Stage) -> None:
    me = await talker(stage)
    hidden = me.keep(listed=False).conversation
    seen = me.keep(listed=True).conversation
    assert [each["id"] for each in (await me.got("GET", ""))["data"]] == [seen.id]
    assert (await me.got("GET", hidden.id))["id"] == hidden.id


async def test_everything_is_deleted_when_it_is_asked_for_by_name_alone(stage: Stage) -> None:
    me, other = await talker(stage), await talker(stage)
    made = [await me.talk(f"その{n}") for n in range(3)]
    hidden = me.keep(listed=False).conversation
    theirs = await other.talk("ひみつ")
    for query in ("", "?all=false", "?all=1", "?all=True", "?all"):
        reply = await me.ask("DELETE", query)
        assert (reply.status, reply.json["error"]["param"]) == (400, "all"), reply.text
        assert "all=true" in reply.json["error"]["message"]
    assert len((await me.got("GET", ""))["data"]) == 3
    assert await me.got("DELETE", "?all=true") == {"object": "conversations.deleted", "deleted": 4}
    assert (await me.got("GET", ""))["data"] == []
    for each in (*made, hidden.id):
        assert (await me.ask("GET", each)).status == 404
    assert await me.got("DELETE", "?all=true") == {"object": "conversations.deleted", "deleted": 0}
    assert await other.texts(theirs) == ["ひみつ"]


async def test_more_than_one_step_deletes_is_deleted_too(stage: Stage) -> None:
    me = await talker(stage)
    for _ in range(8):
        await asyncio.gather(*(me.got("POST", "", {}) for _ in range(30)))
    assert (await me.got("DELETE", "?all=true"))["deleted"] == 240
    assert (await me.got("GET", ""))["data"] == []


async def test_a_key_that_is_not_for_history_is_told_so(stage: Stage) -> None:
    made = await stage.new_key(areas=["calls"])
    for method, path in (
        ("GET", TALKS),
        ("POST", TALKS),
        ("GET", f"{TALKS}/{UNKNOWN}"),
        ("GET", "/v1/responses/resp_1"),
    ):
        reply = await fetch(stage.url, path, method=method, key=made["key"])
        assert (reply.status, reply.json["error"]["code"]) == (403, "permission_denied")
        assert (await fetch(stage.url, path, method=method)).status == 401
        assert (await fetch(stage.url, path, method=method, key=stage.operators_key)).status == 401


async def test_two_keys_of_one_project_share_what_is_kept(stage: Stage) -> None:
    one = await talker(stage)
    two = await talker(stage, one.project)
    made = await one.talk("やあ")
    assert await two.texts(made) == ["やあ"]
    await two.got("DELETE", made)
    assert (await one.ask("GET", made)).status == 404


async def test_where_nothing_is_kept_every_path_says_so_by_name() -> None:
    async with scene(history={"enabled": False}) as stage:
        me = await talker(stage)
        for method, path in (
            ("POST", ""),
            ("GET", ""),
            ("DELETE", "?all=true"),
            ("GET", "export"),
            ("POST", "import"),
            ("GET", UNKNOWN),
            ("POST", UNKNOWN),
            ("DELETE", UNKNOWN),
            ("GET", f"{UNKNOWN}/items"),
            ("POST", f"{UNKNOWN}/items"),
            ("GET", f"{UNKNOWN}/items/msg_1"),
            ("DELETE", f"{UNKNOWN}/items/msg_1"),
            ("GET", f"{UNKNOWN}/export"),
            ("POST", f"{UNKNOWN}/branch"),
            ("GET", "/v1/responses/resp_1"),
            ("DELETE", "/v1/responses/resp_1"),
            ("GET", "/v1/responses/resp_1/input_items"),
        ):
            reply = await me.ask(method, path, {} if method == "POST" else None)
            assert (reply.status, reply.json["error"]["code"]) == (501, "not_supported"), (method, path)
            assert "history.enabled" in reply.json["error"]["message"]
            japanese = await me.ask(method, path, {} if method == "POST" else None, "ja")
            assert "history.enabled" in japanese.json["error"]["message"]


async def test_what_is_too_much_for_a_conversation_or_a_project_is_told_with_its_setting() -> None:
    async with scene(history={"max_conversation_bytes": 2048, "max_project_bytes": 4096}) as stage:
        me = await talker(stage)
        text = "x" * 1500
        first = await me.talk(text)
        reply = await me.ask("POST", f"{first}/items", {"items": [said(text)]})
        assert (reply.status, reply.json["error"]["code"]) == (400, "conversation_full")
        assert "history.max_conversation_bytes" in reply.json["error"]["message"]
        reply = await me.ask("POST", first, {"notes": text})
        assert (reply.status, reply.json["error"]["code"]) == (400, "conversation_full")
        await me.talk(text)
        reply = await me.ask("POST", "", {"items": [said(text)]})
        assert (reply.status, reply.json["error"]["code"]) == (400, "conversation_full")
        assert "history.max_project_bytes" in reply.json["error"]["message"]
        await me.got("DELETE", first)
        await me.talk(text)
        assert (await talker(stage)).project != me.project
        assert await (await talker(stage)).talk(text)


async def test_with_the_store_gone_every_path_says_so_and_calls_go_on() -> None:
    async with scene() as stage:
        me = await talker(stage)
        made = await me.talk("やあ")
        assert (await fetch(stage.url, CHAT_PATH, PLAIN, key=me.key)).status == 200  # the key is known
        away = stage.gateway.data.with_name("away")
        stage.gateway.data.rename(away)
        try:
            for method, path, body in (
                ("POST", "", {}),
                ("GET", "", None),
                ("GET", "?search=x", None),
                ("DELETE", "?all=true", None),
                ("GET", "export", None),
                ("GET", made, None),
                ("POST", made, {"metadata": {}}),
                ("DELETE", made, None),
                ("GET", f"{made}/items", None),
                ("POST", f"{made}/items", {"items": [said("x")]}),
                ("GET", f"{made}/items/msg_1", None),
                ("DELETE", f"{made}/items/msg_1", None),
                ("GET", f"{made}/export", None),
                ("POST", f"{made}/branch", {"after": "msg_1"}),
                ("GET", "/v1/responses/resp_1", None),
                ("DELETE", "/v1/responses/resp_1", None),
                ("GET", "/v1/responses/resp_1/input_items", None),
            ):
                reply = await me.ask(method, path, body)
                assert (reply.status, reply.json["error"]["code"]) == (503, "history_unavailable"), (method, path)
                assert int(reply.headers["retry-after"]) >= 1
            assert (await fetch(stage.url, CHAT_PATH, PLAIN, key=me.key)).status == 200
        finally:
            away.rename(stage.gateway.data)

        async def is_back() -> bool:
            return (await me.ask("POST", f"{made}/items", {"items": [said("また")]})).status == 200

        await eventually(is_back)
        assert (await me.texts(made))[0] == "やあ"
