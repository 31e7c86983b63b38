"""Programs written for the `openai` packages, Python's and Node's, keep their conversations here unchanged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.conversations import ConversationItem

from tests.engines.node_program import installed, what_it_saw
from tests.support.scene import Stage, scene
from tests.support.talks import Talker, said, talker, text_in

pytestmark = pytest.mark.anyio

ERRORS = {
    "gone": {"class": "NotFoundError", "status": 404, "code": "conversation_not_found", "param": None},
    "item": {"class": "NotFoundError", "status": 404, "code": "conversation_not_found", "param": None},
    "many": {"class": "BadRequestError", "status": 400, "code": None, "param": "items"},
    "metadata": {"class": "BadRequestError", "status": 400, "code": None, "param": "metadata.title"},
    "response": {"class": "NotFoundError", "status": 404, "code": "response_not_found", "param": None},
    "cancel": {"class": "InternalServerError", "status": 501, "code": "not_supported", "param": "cancel"},
    "compact": {"class": "InternalServerError", "status": 501, "code": "not_supported", "param": "compact"},
    "count": {"class": "InternalServerError", "status": 501, "code": "not_supported", "param": "input_tokens"},
}


@pytest.fixture(scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with scene() as found:
        yield found


@pytest.fixture
async def me(stage: Stage) -> Talker:
    return await talker(stage)


@pytest.fixture
async def sdk(me: Talker) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{me.stage.url}/v1", api_key=me.key, max_retries=0) as client:
        yield client


def response_of(me: Talker) -> str:
    """The id of one that is kept."""
    kept = me.keep(("京都は？", "雨です"), listed=False)
    found: str = me.read("SELECT id FROM responses WHERE conversation = ?", kept.conversation.number)
    return found


def text_of(item: ConversationItem) -> str:
    return text_in(item.model_dump())


async def test_a_conversation_is_made_shown_changed_and_deleted(sdk: AsyncOpenAI) -> None:
    made = await sdk.conversations.create(metadata={"title": "旅行"}, items=[said("京都へ行きたい")])  # type: ignore[list-item]
    assert (await sdk.conversations.retrieve(made.id)) == made
    assert made.metadata == {"title": "旅行"}
    renamed = await sdk.conversations.update(made.id, metadata={"title": "京都"})
    assert renamed.metadata == {"title": "京都"}
    empty = await sdk.conversations.create()
    assert empty.metadata == {}
    gone = await sdk.conversations.delete(made.id)
    assert (gone.id, gone.deleted, gone.object) == (made.id, True, "conversation.deleted")
    with pytest.raises(openai.NotFoundError) as told:
        await sdk.conversations.retrieve(made.id)
    assert told.value.code == "conversation_not_found"


async def test_items_are_added_paged_through_shown_and_deleted(sdk: AsyncOpenAI) -> None:
    made = await sdk.conversations.create()
    items: list[Any] = [said(f"その{n}", "assistant" if n % 2 else "user") for n in range(20)]
    added = await sdk.conversations.items.create(made.id, items=items, include=["message.output_text.logprobs"])
    assert [text_of(each) for each in added.data] == [f"その{n}" for n in range(20)]
    forward = [text_of(each) async for each in sdk.conversations.items.list(made.id, limit=6, order="asc")]
    assert forward == [f"その{n}" for n in range(20)]
    backward = [text_of(each) async for each in sdk.conversations.items.list(made.id, limit=6)]
    assert backward == forward[::-1]
    one = await sdk.conversations.items.retrieve(added.first_id, conversation_id=made.id)
    assert one == added.data[0]
    left = await sdk.conversations.items.delete(added.first_id, conversation_id=made.id)
    assert left.id == made.id
    assert len([each async for each in sdk.conversations.items.list(made.id)]) == 19
    with pytest.raises(openai.NotFoundError) as told:
        await sdk.conversations.items.retrieve(added.first_id, conversation_id=made.id)
    assert told.value.code == "item_not_found"
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.conversations.items.create(made.id, items=items * 2)
    assert (refused.value.param, refused.value.status_code) == ("items", 400)


async def test_a_response_is_shown_with_what_was_said_to_it_and_deleted(sdk: AsyncOpenAI, me: Talker) -> None:
    wanted = response_of(me)
    found = await sdk.responses.retrieve(wanted)
    assert (found.id, found.output_text, found.status) == (wanted, "雨です", "completed")
    said_to_it = [text_in(each.model_dump()) async for each in sdk.responses.input_items.list(wanted, limit=1)]
    assert said_to_it == ["京都は？"]
    await sdk.responses.delete(wanted)
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.retrieve(wanted)


async def test_what_this_gateway_has_not_is_told_by_its_name(sdk: AsyncOpenAI) -> None:
    for call, name in (
        (sdk.responses.cancel("resp_1"), "cancel"),
        (sdk.responses.compact(model="default", input="x"), "compact"),
        (sdk.responses.input_tokens.count(model="default", input="x"), "input_tokens"),
    ):
        with pytest.raises(openai.InternalServerError) as told:
            await call
        assert (told.value.status_code, told.value.param) == (501, name)


async def test_in_node_too(me: Talker) -> None:
    env = {"BASE_URL": f"{me.stage.url}/v1", "API_KEY": me.key, "RESPONSE": response_of(me)}
    found = await what_it_saw(installed("conversations.mjs"), env)
    texts = ["京都へ行きたい", *(f"その{n}" for n in range(20))]
    assert found["errors"] == ERRORS
    assert found["made"]["object"] == "conversation"
    assert found["same"] is found["left"] is True
    assert found["renamed"] == {"title": "京都"}
    assert found["added"] == {"object": "list", "count": 20, "has_more": False}
    assert (found["forward"], found["backward"], found["after"]) == (texts, texts[::-1], texts[-2::-1])
    assert (found["one"], found["few"]) == ("その0", 20)
    assert found["response"] == {"text": "雨です", "status": "completed"}
    assert found["input"] == ["京都は？"]
    assert found["deleted"] == {"id": found["made"]["id"], "object": "conversation.deleted", "deleted": True}
