"""What was said, item by item, over HTTP, in OpenAI's shapes."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from openai.types.conversations import Conversation, ConversationItem, ConversationItemList
from pydantic import TypeAdapter

from tests.support.engine_script import SSE, Chat, Request, Script, body, end, head, silence, until
from tests.support.http import request_bytes
from tests.support.scene import CHAT_PATH, Stage, scene
from tests.support.talks import UNKNOWN, said, talker, text_in

pytestmark = pytest.mark.anyio

ITEM: TypeAdapter[Any] = TypeAdapter(ConversationItem)
PICTURE = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"picture" * 20).decode()
EVERY_KIND: list[dict[str, Any]] = [
    {"type": "message", "role": "developer", "content": "be brief"},
    {"role": "user", "content": "天気は？"},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "と、これは？"}]},
    {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_image", "image_url": PICTURE, "detail": "auto"}],
    },
    {"type": "reasoning", "id": "rs_mine", "summary": [], "content": [{"type": "reasoning_text", "text": "見よう"}]},
    {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"京都"}'},
    {"type": "function_call_output", "call_id": "call_1", "output": '{"sky":"晴れ"}'},
    {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "晴れです", "annotations": []}],
    },
    {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "できません"}]},
]


async def test_every_kind_of_item_comes_back_as_openai_s_types_have_it(stage: Stage) -> None:
    me = await talker(stage)
    made = await me.talk()
    added = await me.got("POST", f"{made}/items", {"items": EVERY_KIND})
    ConversationItemList.model_validate(added, strict=True)
    assert [each["type"] for each in added["data"]] == [each.get("type", "message") for each in EVERY_KIND]
    assert (added["first_id"], added["last_id"]) == (added["data"][0]["id"], added["data"][-1]["id"])
    assert added["has_more"] is False
    listed = await me.got("GET", f"{made}/items?order=asc")
    ConversationItemList.model_validate(listed, strict=True)
    assert listed["data"] == added["data"]
    for each in added["data"]:
        one = await me.got("GET", f"{made}/items/{each['id']}?include[]=message.input_image.image_url&include=x")
        ITEM.validate_python(one, strict=True)
        assert one == each
    assert added["data"][3]["content"][0]["image_url"] == PICTURE
    assert (await me.got("GET", made))["turns"] == 1


async def test_items_that_a_conversation_is_made_with_are_in_it(stage: Stage) -> None:
    me = await talker(stage)
    made = (await me.got("POST", "", {"items": EVERY_KIND}))["id"]
    listed = await me.got("GET", f"{made}/items?limit=100&order=asc")
    assert [each["type"] for each in listed["data"]] == [each.get("type", "message") for each in EVERY_KIND]


async def test_ids_are_the_gateway_s_own_whatever_was_sent(stage: Stage) -> None:
    me, other = await talker(stage), await talker(stage)
    theirs = await other.talk("ひみつ")
    taken = (await other.got("GET", f"{theirs}/items"))["data"][0]["id"]
    mine = await me.talk()
    seen = set()
    for wanted in (taken, "msg_nobodys", "x" * 500, "conv_1"):
        told = await me.got("POST", f"{mine}/items", {"items": [{**said("x"), "id": wanted}]})
        seen.add(told["data"][0]["id"])
        assert wanted not in seen
    assert len(seen) == 4
    assert all(len(each) == len("msg_") + 32 for each in seen)


async def test_a_list_goes_page_by_page_the_last_first(stage: Stage) -> None:
    me = await talker(stage)
    texts = [str(n) for n in range(25)]
    made = await me.talk(*texts)
    assert await me.texts(made, "") == texts[:4:-1]
    assert await me.texts(made, "order=asc") == texts[:20]
    assert await me.texts(made, "limit=100") == texts[::-1]
    for order in ("asc", "desc"):
        seen: list[str] = []
        after = ""
        while True:
            told = await me.got("GET", f"{made}/items?limit=7&order={order}{after}")
            ConversationItemList.model_validate(told, strict=True)
            seen += [text_in(each) for each in told["data"]]
            if not told["has_more"]:
                break
            after = f"&after={told['last_id']}"
        assert seen == (texts if order == "asc" else texts[::-1])
    empty = await me.got("GET", f"{await me.talk()}/items")
    ConversationItemList.model_validate(empty, strict=True)
    assert (empty["data"], empty["has_more"]) == ([], False)


async def test_a_deleted_item_is_gone_and_the_conversation_is_shown(stage: Stage) -> None:
    me = await talker(stage)
    made = await me.talk("a", "b", "c")
    gone = (await me.got("GET", f"{made}/items"))["data"][1]["id"]
    left = await me.got("DELETE", f"{made}/items/{gone}")
    Conversation.model_validate(left, strict=True)
    assert left == await me.got("GET", made)
    assert await me.texts(made) == ["a", "c"]
    for method in ("GET", "DELETE"):
        reply = await me.ask(method, f"{made}/items/{gone}")
        assert (reply.status, reply.json["error"]["code"]) == (404, "item_not_found")
    reply = await me.ask("GET", f"{made}/items?after={gone}")
    assert (reply.status, reply.json["error"]["param"]) == (400, "after")


async def test_an_item_is_found_in_its_own_conversation_alone(stage: Stage) -> None:
    me, other = await talker(stage), await talker(stage)
    mine, also_mine, theirs = await me.talk("a"), await me.talk("b"), await other.talk("ひみつ")
    for elsewhere in (also_mine, theirs):
        asker = other if elsewhere == theirs else me
        item = (await asker.got("GET", f"{elsewhere}/items"))["data"][0]["id"]
        for method in ("GET", "DELETE"):
            found = await me.ask(method, f"{mine}/items/{item}")
            unknown = await me.ask(method, f"{mine}/items/msg_{'0' * 32}")
            assert found.status == unknown.status == 404
            assert found.text.replace(item, f"msg_{'0' * 32}") == unknown.text
        assert (await me.ask("GET", f"{mine}/items?after={item}")).status == 400
        assert len(await asker.texts(elsewhere)) == 1


BAD: list[tuple[Any, str]] = [
    ({}, "items"),
    ({"items": []}, "items"),
    ({"items": None}, "items"),
    ({"items": {}}, "items"),
    ({"items": "x"}, "items"),
    ({"items": [said("x")] * 21}, "items"),
    ({"items": ["x"]}, "items[0]"),
    ({"items": [said("x"), {"type": "telepathy"}]}, "items[1].type"),
    ({"items": [{"type": "item_reference", "id": "msg_1"}]}, "items[0]"),
    ({"items": [{"type": "message", "content": "x"}]}, "items[0].role"),
    ({"items": [{"type": "message", "role": "user"}]}, "items[0].content"),
    ({"items": [said("x")], "after": "msg_1"}, "after"),
    (
        {"items": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://169.254.169.254/"}]}]},
        "items",
    ),
]


@pytest.mark.parametrize(("body", "param"), BAD, ids=lambda each: str(each)[:50])
async def test_items_that_are_none_are_named_with_their_place_and_nothing_is_kept(
    stage: Stage, body: Any, param: str
) -> None:
    me = await talker(stage)
    made = await me.talk("a")
    for path in (f"{made}/items", "") if body.get("items") and "after" not in body else (f"{made}/items",):
        reply = await me.ask("POST", path, body)
        assert reply.status == 400, reply.text
        assert reply.json["error"]["param"].startswith(param), reply.text
        japanese = await me.ask("POST", path, body, "ja")
        assert japanese.json["error"]["message"] != reply.json["error"]["message"]
    assert await me.texts(made) == ["a"]
    assert len((await me.got("GET", ""))["data"]) == 1


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("order=up", "order"),
        ("after=%20", "after"),
        (f"after={UNKNOWN}", "after"),
    ],
)
async def test_a_page_that_can_t_be_is_named(stage: Stage, query: str, param: str) -> None:
    me = await talker(stage)
    reply = await me.ask("GET", f"{await me.talk('a')}/items?{query}")
    assert (reply.status, reply.json["error"]["param"]) == (400, param), reply.text


async def test_a_body_over_the_limit_is_refused_and_one_under_it_may_have_long_texts(stage: Stage) -> None:
    me = await talker(stage)
    made = await me.talk()
    assert (await me.ask("POST", f"{made}/items", {"items": [said("x" * (1 << 20))]})).status == 413
    long = [said("長" * 20_000) for _ in range(5)]
    assert len((await me.got("POST", f"{made}/items", {"items": long}))["data"]) == 5
    assert [len(each) for each in await me.texts(made)] == [20_000] * 5


async def test_what_is_added_or_deleted_while_a_call_goes_on_waits_for_its_turn(stage: Stage) -> None:
    me = await talker(stage)
    made = await me.talk("a", "b")
    first = (await me.got("GET", f"{made}/items?order=asc"))["data"][0]["id"]
    go_on = asyncio.Event()

    def answers(request: Request) -> Script:
        frames = Chat(["d"]).frames(request)
        return [
            head(headers=SSE),
            *(body(each) for each in frames[:2]),
            until(go_on),
            *(body(each) for each in frames[2:]),
            end,
        ]

    stage.engine.script = answers
    async with stage.connect() as client:
        asked = {"messages": [{"role": "user", "content": "c"}], "conversation": made, "stream": True}
        await client.send(request_bytes("POST", CHAT_PATH, asked, me.key))
        await client.read_head()
        adding = asyncio.create_task(me.got("POST", f"{made}/items", {"items": [said("e")]}))
        assert await me.texts(made) == ["a", "b"]
        await asyncio.sleep(0.1)
        assert not adding.done()
        go_on.set()
        await client.read_body()
    await adding
    await me.got("DELETE", f"{made}/items/{first}")
    assert await me.texts(made) == ["b", "c", "d", "e"]


async def test_whoever_waits_too_long_is_told_that_it_is_in_use() -> None:
    async with scene(history={"wait_s": 0.1}) as stage:
        me = await talker(stage)
        made = await me.talk("a")
        first = (await me.got("GET", f"{made}/items"))["data"][0]["id"]
        stage.engine.script = Chat(["b"], finish_reason=None, done=False, last=(silence,))
        async with stage.connect() as client:
            asked = {"messages": [{"role": "user", "content": "c"}], "conversation": made, "stream": True}
            await client.send(request_bytes("POST", CHAT_PATH, asked, me.key))
            await client.read_head()
            for method, path, more in (("POST", "", {"items": [said("e")]}), ("DELETE", f"/{first}", None)):
                reply = await me.ask(method, f"{made}/items{path}", more)
                assert (reply.status, reply.json["error"]["code"]) == (409, "conversation_locked")
                assert "history.wait_s" in reply.json["error"]["message"]
        assert (await me.texts(made))[0] == "a"
