"""Responses that are kept, over HTTP: shown, deleted, paged through; what this gateway has not is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import Response, ResponseItemList

from hayate.store.kept_responses import NewResponse
from hayate.store.turns import Kept
from hayate.wire.engine_json import read
from hayate.wire.response_object import settings_of
from tests.support.scene import Stage
from tests.support.talks import Talker, talker, text_in

pytestmark = pytest.mark.anyio

R = "/v1/responses"


def id_in(me: Talker, kept: Kept) -> str:
    """The id of the last response of a conversation."""
    found: str = me.read(
        "SELECT id FROM responses WHERE conversation = ? ORDER BY end_place DESC", kept.conversation.number
    )
    return found


async def test_a_response_is_shown_as_it_was_answered(stage: Stage) -> None:
    me = await talker(stage)
    wanted = id_in(me, me.keep(("やあ", "こんにちは"), listed=False))
    told = await me.got("GET", f"{R}/{wanted}")
    assert (told["id"], told["object"], told["status"], told["store"]) == (wanted, "response", "completed", True)
    assert [text_in(each) for each in told["output"]] == ["こんにちは"]
    assert told["model"] == "scripted"
    assert told["conversation"] is None
    assert isinstance(told["created_at"], int)
    of_mine = me.keep()
    told = await me.got("GET", f"{R}/{id_in(me, of_mine)}")
    assert told["conversation"] == {"id": of_mine.conversation.id}


async def test_one_with_all_its_fields_is_openai_s_response(stage: Stage) -> None:
    me = await talker(stage)
    body: dict[str, Any] = {"error": None, "incomplete_details": None, **read(settings_of({"input": "x"}, "scripted"))}
    kept = me.keep(listed=False, response=NewResponse("resp_" + me.project[-12:], body))
    told = await me.got("GET", f"{R}/{id_in(me, kept)}")
    Response.model_validate(told)
    assert Response.model_validate(told).output_text == "answer"


async def test_what_was_said_to_it_goes_page_by_page_the_last_first(stage: Stage) -> None:
    me = await talker(stage)
    first = me.keep(("one", "two"), listed=False)
    second = me.keep(("three", "four"), conversation=first.conversation.id)
    wanted = id_in(me, second)
    told = await me.got("GET", f"{R}/{wanted}/input_items")
    ResponseItemList.model_validate(told, strict=True)
    texts = [text_in(each) for each in told["data"]]
    assert texts[0] == "three"
    forward = await me.got("GET", f"{R}/{wanted}/input_items?order=asc&include[]=x")
    assert [text_in(each) for each in forward["data"]] == texts[::-1]
    page = await me.got("GET", f"{R}/{wanted}/input_items?limit=1")
    assert (page["data"], page["has_more"]) == (told["data"][:1], len(texts) > 1)
    rest = await me.got("GET", f"{R}/{wanted}/input_items?after={page['last_id']}")
    assert rest["data"] == told["data"][1:]


@pytest.mark.parametrize(
    ("query", "param"), [("limit=0", "limit"), ("order=x", "order"), ("after=msg_1", "after"), ("after=%2F", "after")]
)
async def test_a_page_that_can_t_be_is_named(stage: Stage, query: str, param: str) -> None:
    me = await talker(stage)
    wanted = id_in(me, me.keep())
    reply = await me.ask("GET", f"{R}/{wanted}/input_items?{query}")
    assert (reply.status, reply.json["error"]["param"]) == (400, param)


async def test_a_deleted_one_is_gone_and_a_caller_s_conversation_stays(stage: Stage) -> None:
    me = await talker(stage)
    kept = me.keep(("やあ", "こんにちは"))
    wanted = id_in(me, kept)
    assert await me.got("DELETE", f"{R}/{wanted}") == {"id": wanted, "object": "response", "deleted": True}
    for method, path in (("GET", wanted), ("DELETE", wanted), ("GET", f"{wanted}/input_items")):
        reply = await me.ask(method, f"{R}/{path}")
        assert (reply.status, reply.json["error"]["code"]) == (404, "response_not_found")
    assert await me.texts(kept.conversation.id) == ["やあ", "こんにちは"]


async def test_one_that_is_another_s_is_told_as_one_that_never_was(stage: Stage) -> None:
    me, other = await talker(stage), await talker(stage)
    theirs = id_in(other, other.keep(("ひみつ", "ひみつ")))
    never = "resp_" + "0" * 32
    for method, path in (("GET", "{}"), ("DELETE", "{}"), ("GET", "{}/input_items")):
        foreign = await me.ask(method, f"{R}/{path.format(theirs)}")
        unknown = await me.ask(method, f"{R}/{path.format(never)}")
        assert foreign.status == unknown.status == 404
        assert foreign.text.replace(theirs, never) == unknown.text
    assert (await other.got("GET", f"{R}/{theirs}"))["id"] == theirs


@pytest.mark.parametrize("wanted", ["x", "resp_", "conv_1", "resp_%00", "resp_" + "a" * 76, "compact"])
async def test_what_is_no_id_by_its_form_is_found_nowhere(stage: Stage, wanted: str) -> None:
    reply = await (await talker(stage)).ask("GET", f"{R}/{wanted}")
    assert (reply.status, reply.json["error"]["code"]) == (404, "response_not_found")


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "resp_1/cancel", "cancel"),
        ("POST", "compact", "compact"),
        ("POST", "input_tokens", "input_tokens"),
        ("GET", "resp_1?stream=true", "stream"),
    ],
)
async def test_what_this_gateway_has_not_is_a_501_by_its_name(stage: Stage, method: str, path: str, name: str) -> None:
    me = await talker(stage)
    for spelled in (f"{R}/{path}", f"/responses/{path}"):
        reply = await me.ask(method, spelled, {"model": "default"} if method == "POST" else None)
        assert (reply.status, reply.json["error"]["code"], reply.json["error"]["param"]) == (501, "not_supported", name)
        assert f"'{name}'" in reply.json["error"]["message"]
        japanese = await me.ask(method, spelled, {} if method == "POST" else None, "ja")
        assert f"'{name}'" in japanese.json["error"]["message"]
        assert not japanese.json["error"]["message"].isascii()
