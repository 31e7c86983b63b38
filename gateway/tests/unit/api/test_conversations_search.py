"""GET /v1/conversations?search=…: the conversations in which it was said, best first, each with a piece of what was said."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.support.scene import Stage
from tests.support.talks import UNKNOWN, Talker, said, talker

pytestmark = pytest.mark.anyio


async def ids(me: Talker, query: str, more: str = "") -> list[str]:
    return [each["id"] for each in (await me.got("GET", f"?search={quote(query)}{more}"))["data"]]


async def test_what_was_said_is_found_with_a_piece_of_it(stage: Stage) -> None:
    me = await talker(stage)
    kyoto = await me.talk("来週、京都へ行きたい", "京都は雨です", metadata={"title": "旅行"})
    tokyo = await me.talk("東京タワーの高さは？", "333メートルです")
    told = await me.got("GET", f"?search={quote('京都')}")
    [found] = told["data"]
    assert found["id"] == kyoto
    assert {name: value for name, value in found.items() if not name.startswith(("snippet", "item"))} == await me.got(
        "GET", kyoto
    )
    assert "京都" in found["snippet"]
    assert found["snippet"] == "".join(found["snippet_parts"])
    assert "京都" in found["snippet_parts"][1::2]
    assert "京都" in str(await me.got("GET", f"{kyoto}/items/{found['item']}"))
    assert (told["first_id"], told["last_id"], told["has_more"]) == (kyoto, kyoto, False)
    assert await ids(me, "東京") == await ids(me, "ﾀﾜｰ") == [tokyo]
    assert await ids(me, "大阪") == await ids(me, "。") == []


async def test_pages_go_on_where_the_last_one_ended_and_nothing_comes_twice(stage: Stage) -> None:
    me = await talker(stage)
    made = {await me.talk(*["京都"] * (1 + n % 3), f"その{n}") for n in range(7)}
    whole = await ids(me, "京都", "&limit=100")
    assert {*whole} == made
    assert await ids(me, "京都", "&limit=100&order=asc") == whole
    seen: list[str] = []
    after = ""
    while True:
        told = await me.got("GET", f"?search={quote('京都')}&limit=3{after}")
        seen += [each["id"] for each in told["data"]]
        if not told["has_more"]:
            break
        after = f"&after={told['last_id']}"
    assert seen == whole


async def test_what_is_deleted_changed_or_another_s_is_not_found(stage: Stage) -> None:
    me, other = await talker(stage), await talker(stage)
    theirs = await other.talk("京都のひみつ")
    mine = await me.talk("京都のひみつ")
    item = (await me.got("GET", f"{mine}/items"))["data"][0]["id"]
    hidden = me.keep(("京都のひみつ", "answer"), listed=False).conversation.id
    assert await ids(me, "京都 ひみつ") == [mine]
    assert await ids(other, "京都 ひみつ") == [theirs]
    for after in (theirs, UNKNOWN, hidden):
        reply = await me.ask("GET", f"?search={quote('京都')}&after={after}")
        assert (reply.status, reply.json["error"]["param"]) == (400, "after")
    await me.got("DELETE", f"{mine}/items/{item}")
    assert await ids(me, "京都") == []
    await me.got("POST", f"{mine}/items", {"items": [said("もう一度、京都")]})
    assert await ids(me, "京都") == [mine]
    await me.got("DELETE", mine)
    assert await ids(me, "京都") == []
    assert await ids(other, "京都") == [theirs]


@pytest.mark.parametrize(
    "query", ['"', "*", "a* OR b", "NEAR(", "'; DROP TABLE items; --", "%", "\x00", "(" * 100, "-" * 200]
)
async def test_what_looks_like_a_query_s_syntax_is_words(stage: Stage, query: str) -> None:
    me = await talker(stage)
    await me.talk("京都")
    assert await ids(me, query) == []
    assert len((await me.got("GET", ""))["data"]) == 1
