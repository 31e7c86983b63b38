"""One call's turn: from the moment it may begin to the one in which it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from hayate.errors import (
    ContextTooLong,
    ConversationFull,
    ConversationLocked,
    HistoryUnavailable,
    InvalidRequest,
    UnknownConversation,
    UnknownResponse,
)
from hayate.history.conversations import Conversations
from hayate.history.dialects import OF_PATH
from hayate.history.remembered import Remembered
from hayate.settings import History, Keeping
from hayate.store.conversations import found_in
from hayate.store.hidden import hide
from hayate.store.store import Store
from hayate.wire.paths import RESPONSES
from tests.support.waiting import LAST_RESORT_S, eventually
from tests.unit.history.conversing import USER, call, chat, engines, said, talk, wanted

pytestmark = pytest.mark.anyio


@pytest.fixture
def conversations(store: Store) -> Conversations:
    return Conversations(store)


@pytest.fixture
def busy(store: Store) -> Iterator[Event]:
    """The thread that writes does nothing until this is set."""
    go = Event()
    store.keep_later(lambda _: go.wait(LAST_RESORT_S))
    yield go
    go.set()


def deltas(turn: Remembered, *texts: str) -> Any:
    gathered = turn.gatherer()
    for text in texts:
        gathered.add(
            b'data: {"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % text.encode()
        )
    return gathered


async def test_the_request_gets_what_goes_along(conversations: Conversations) -> None:
    conversation = (await talk(conversations, None)).id
    fields: dict[str, Any] = {"messages": [USER], "temperature": 0}
    turn = call(conversations, wanted(conversation))
    await turn.recall(fields, engines(), 9)
    assert fields == {
        "messages": [USER, {"role": "assistant", "content": "answer"}, USER],
        "temperature": 0,
    }
    assert (turn.omitted, turn.keeps, turn.is_named) == (0, True, True)
    turn.close()
    assert len(await said(conversations, conversation)) == 2, "a call that was not answered leaves nothing"


async def test_what_is_kept_later_is_kept_before_the_next_call_begins(
    conversations: Conversations, busy: Event
) -> None:
    conversation = call(conversations, wanted(None))
    await conversation.recall({"messages": [USER]}, engines(), 9)
    gathered = deltas(conversation, "half", " an", " answer")
    conversation.close(gathered)
    following = call(conversations, wanted(conversation.id))
    fields: dict[str, Any] = {"messages": [USER]}
    waits = asyncio.create_task(following.recall(fields, engines(), 9))
    await asyncio.sleep(0.05)
    assert not waits.done(), "its turn comes when the cut answer is kept"
    busy.set()
    await asyncio.wait_for(waits, LAST_RESORT_S)
    assert [each["content"] for each in fields["messages"]] == ["question", "half an answer", "question"]
    following.close()


async def test_a_call_that_is_cancelled_while_it_is_kept_is_kept_and_only_then_over(
    conversations: Conversations, busy: Event
) -> None:
    turn = call(conversations, wanted(None))
    await turn.recall({"messages": [USER]}, engines(), 9)
    keeping = asyncio.create_task(turn.keep(chat(), 9))
    await asyncio.sleep(0.02)
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    turn.close(deltas(turn, "half"))
    with pytest.raises(ConversationLocked):
        await call(conversations, wanted(turn.id, waits=False)).recall({"messages": [USER]}, engines(), 9)
    busy.set()
    await eventually(lambda: conversations.locks._waiting == {})
    assert await said(conversations, turn.id) == ["1 question", "1 answer"], "once, and whole"


async def test_an_answer_that_never_began_is_none(conversations: Conversations) -> None:
    turn = call(conversations, wanted(None))
    await turn.recall({"messages": [USER]}, engines(), 9)
    assert not await turn.keep(chat("", None), 9)
    turn.close(deltas(turn))
    unknown = call(conversations, wanted(turn.id))
    with pytest.raises(UnknownConversation):
        await unknown.recall({"messages": [USER]}, engines(), 9)
    unknown.close()
    assert conversations.locks._waiting == {}


@pytest.mark.parametrize("text", ["", None])
async def test_an_answer_whose_limit_came_before_its_first_word_is_one(
    conversations: Conversations, text: str | None
) -> None:
    conversation = (await talk(conversations, None, answer=chat(text, "length"))).id
    assert await said(conversations, conversation) == ["1 question", "1 "]
    following = call(conversations, wanted(conversation))
    fields: dict[str, Any] = {"messages": [USER]}
    await following.recall(fields, engines(), 9)
    assert fields["messages"] == [USER, {"role": "assistant", "content": ""}, USER], "roles alternate"
    following.close()


async def test_what_can_not_be_kept_is_an_error_and_the_conversation_is_free(conversations: Conversations) -> None:
    conversation = (await talk(conversations, None)).id
    small = History(max_conversation_bytes=1024)
    turn = call(conversations, wanted(conversation, limits=small))
    await turn.recall({"messages": [USER]}, engines(), 9)
    with pytest.raises(ConversationFull):
        await turn.keep(chat("x" * 2000), 9)
    turn.close(deltas(turn, "half"))
    assert len(await said(conversations, conversation)) == 2
    turn = call(conversations, wanted(conversation))
    await turn.recall({"messages": [USER]}, engines(), 9)
    await conversations.store.keep(lambda c: hide(c, found_in(c, "p", conversation)))
    with pytest.raises(UnknownConversation):
        await turn.keep(chat(), 9)
    turn.close()
    conversations.store.writer.close(LAST_RESORT_S)
    turn = call(conversations, wanted(None))
    await turn.recall({"messages": [USER]}, engines(), 9)
    with pytest.raises(HistoryUnavailable):
        await turn.keep(chat(), 9)
    turn.close()
    assert conversations.locks._waiting == {}


async def test_an_answer_without_end_is_kept_as_far_as_an_item_goes(conversations: Conversations) -> None:
    turn = call(conversations, wanted(None, limits=History(max_item_bytes=1024)))
    await turn.recall({"messages": [USER]}, engines(), 9)
    assert await turn.keep(chat("x" * 5000), 6000)
    turn.close()
    assert (await said(conversations, turn.id))[1] == "1 " + "x" * 1024


async def test_with_fewer_turns_once_the_engine_finds_them_too_many(conversations: Conversations) -> None:
    conversation = (await talk(conversations, None)).id
    for _ in range(9):
        await talk(conversations, conversation)
    fields: dict[str, Any] = {"messages": [USER]}
    turn = call(conversations, wanted(conversation))
    await turn.recall(fields, engines(100_000), 9)
    sizes: list[int] = []

    async def opening(asked: dict[str, Any]) -> str:
        sizes.append(len(asked["messages"]))
        if len(sizes) < 3:
            raise ContextTooLong("too long")
        return "opened"

    assert await turn.open(opening, fields) == "opened"
    assert sizes[0] == 21 > sizes[1] > sizes[2]
    assert turn.omitted == 10 - (sizes[2] - 1) // 2
    await turn.keep(chat(), 9)
    turn.close()
    found = await conversations.recall("p", conversation, lambda _: False)
    assert found.loaded.conversation.first_turn == turn.omitted + 1
    again = call(conversations, wanted(conversation))
    await again.recall(fields := {"messages": [USER]}, engines(100_000), 9)
    assert len(fields["messages"]) == sizes[2] + 2, "the beginning stays where it is"
    again.close()


async def test_who_has_nothing_to_leave_out_is_told(conversations: Conversations) -> None:
    turn = call(conversations, wanted(None))
    await turn.recall({"messages": [USER]}, engines(100), 9)

    async def opening(_: object) -> None:
        raise ContextTooLong("too long")

    with pytest.raises(ContextTooLong):
        await turn.open(opening, {})
    turn.close()


def response_to(
    conversations: Conversations, previous: str | None = None, response_id: str = "resp_1", **more: Any
) -> Remembered:
    state = previous is not None
    more = {"state": state, "must": state, **more}
    want = wanted(dialect=OF_PATH[RESPONSES], named=None, previous=previous, response_id=response_id, **more)
    return call(conversations, want)


def told(text: str) -> dict[str, Any]:
    output = [
        {
            "type": "message",
            "id": f"msg_{text}",
            "role": "assistant",
            "content": [{"type": "output_text", "text": text}],
        }
    ]
    return {"id": "x", "status": "completed", "output": output, "model": "m"}


async def respond(conversations: Conversations, previous: str | None, response_id: str, text: str) -> list[Any]:
    turn = response_to(conversations, previous, response_id)
    fields: dict[str, Any] = {"input": f"q{text}"}
    await turn.recall(fields, engines(), 9)
    await turn.keep(told(text), 9)
    turn.close()
    return (
        [fields["input"]]
        if isinstance(fields["input"], str)
        else [each["content"][0]["text"] for each in fields["input"]]
    )


async def test_a_chain_of_responses_is_one_conversation_and_branches(conversations: Conversations) -> None:
    assert await respond(conversations, None, "resp_a", "1") == ["q1"]
    assert await respond(conversations, "resp_a", "resp_b", "2") == ["q1", "1", "q2"]
    assert await respond(conversations, "resp_b", "resp_c", "3") == ["q1", "1", "q2", "2", "q3"]
    assert await respond(conversations, "resp_a", "resp_d", "4") == ["q1", "1", "q4"], "a branch"
    assert await respond(conversations, "resp_d", "resp_e", "5") == ["q1", "1", "q4", "4", "q5"]
    chains = {an_id: await conversations.response("p", f"resp_{an_id}") for an_id in "abcde"}
    numbers = {an_id: chain.conversation.id for an_id, chain in chains.items() if chain is not None}
    assert numbers["a"] == numbers["b"] == numbers["c"] != numbers["d"] == numbers["e"]
    found = chains["b"]
    assert found is not None
    assert (found.previous, found.body["model"], "output" in found.body) == ("resp_a", "m", False)
    assert not found.conversation.listed
    with pytest.raises(UnknownResponse):
        await response_to(conversations, "resp_z").recall({"input": "x"}, engines(), 9)


async def test_two_calls_go_on_from_one_response_at_once_and_neither_waits(conversations: Conversations) -> None:
    await respond(conversations, None, "resp_a", "1")
    first, second = response_to(conversations, "resp_a", "resp_b"), response_to(conversations, "resp_a", "resp_c")
    for turn in (first, second):
        await turn.recall({"input": "x"}, engines(), 9)
    await second.keep(told("second"), 9)
    await first.keep(told("first"), 9)
    for turn in (first, second):
        turn.close()
    assert first.id != second.id
    assert await respond(conversations, "resp_b", "resp_d", "4") == ["q1", "1", "x", "first", "q4"]
    assert await respond(conversations, "resp_c", "resp_e", "5") == ["q1", "1", "x", "second", "q5"]


async def test_so_they_do_in_two_processes_and_neither_answer_is_lost(
    conversations: Conversations, tmp_path: Path
) -> None:
    with closing(Store.open(tmp_path, Keeping())) as store:
        elsewhere = Conversations(store)
        await respond(conversations, None, "resp_a", "1")
        first = response_to(conversations, "resp_a", "resp_b")
        await first.recall({"input": "x"}, engines(), 9)
        await respond(elsewhere, "resp_a", "resp_c", "2")
        await first.keep(told("first"), 9)
        first.close()
        for each in (conversations, elsewhere):
            assert await respond(each, "resp_b", f"resp_{id(each)}", "3") == ["q1", "1", "x", "first", "q3"]
            assert await respond(each, "resp_c", f"resp_{id(each)}x", "3") == ["q1", "1", "q2", "2", "q3"]


async def test_an_answer_is_made_anew_for_the_turn_that_was_the_last(
    conversations: Conversations, tmp_path: Path
) -> None:
    with closing(Store.open(tmp_path, Keeping())) as store:
        conversation = (await talk(conversations, None)).id
        anew = call(conversations, wanted(conversation, regenerates=True))
        await anew.recall({"messages": []}, engines(), 9)
        await talk(Conversations(store), conversation, answer=chat("elsewhere"))
        with pytest.raises(ConversationLocked):
            await anew.keep(chat("anew"), 9)
        anew.close()
        assert await said(conversations, conversation) == ["1 question", "1 answer", "2 question", "2 elsewhere"]
        await talk(conversations, conversation)


async def test_a_response_of_a_callers_conversation_is_gone_on_from_beside_it(conversations: Conversations) -> None:
    conversation = (await talk(conversations, None)).id
    want = wanted(conversation, dialect=OF_PATH[RESPONSES], response_id="resp_a")
    turn = call(conversations, want)
    await turn.recall({"input": "x"}, engines(), 9)
    await turn.keep(told("1"), 9)
    turn.close()
    assert await respond(conversations, "resp_a", "resp_b", "2") == ["question", "answer", "x", "1", "q2"]
    assert len(await said(conversations, conversation)) == 4, "nothing was said there"


async def test_what_nobody_asked_to_be_kept_need_not_be(conversations: Conversations) -> None:
    odd: dict[str, Any] = {"input": [{"type": "of tomorrow"}]}
    turn = response_to(conversations, must=False)
    await turn.recall(fields := dict(odd), engines(), 9)
    assert (fields, turn.keeps) == (odd, False)
    turn.close()
    with pytest.raises(InvalidRequest):
        await response_to(conversations, must=True).recall(dict(odd), engines(), 9)
    stands_alone: dict[str, Any] = {"input": [{"role": "user", "content": "x", "a field of tomorrow": 1}]}
    turn = response_to(conversations, must=False)
    await turn.recall(fields := dict(stands_alone), engines(), 9)
    assert fields == stands_alone, "what stands alone is sent as it came"
    turn.close()
