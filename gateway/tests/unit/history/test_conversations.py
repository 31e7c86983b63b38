"""A conversation is read once, and what others change of it is seen."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from hayate.errors import UnknownConversation
from hayate.history.conversations import DRAWN, Conversations, Sent
from hayate.settings import History
from hayate.store.conversation_items import prepared
from hayate.store.conversations import Conversation
from hayate.store.kept_items import add_items
from hayate.store.store import Store
from hayate.store.turns import Kept
from hayate.wire.items import message
from tests.unit.history.conversing import USER, said, talk

pytestmark = pytest.mark.anyio


def never(_: Conversation) -> bool:
    return False


async def test_what_was_kept_a_moment_ago_is_not_read_again(store: Store) -> None:
    conversations = Conversations(store)
    conversation = (await talk(conversations, None)).id
    first = await conversations.recall("p", conversation, never)
    assert await conversations.recall("p", conversation, never) is first
    assert [each.body["role"] for each in first.loaded.items] == ["user", "assistant"]
    fresh = await Conversations(store).recall("p", conversation, never)
    assert fresh.loaded == first.loaded, "in memory is what the store has"


async def test_nothing_stays_in_memory_where_nothing_may(store: Store) -> None:
    conversations = Conversations(store)
    conversation = (await talk(conversations, None)).id
    first = await conversations.recall("p", conversation, never)
    conversations.configure(History(cache_bytes=0))
    again = await conversations.recall("p", conversation, never)
    assert again is not first
    assert again.loaded == first.loaded
    assert await conversations.recall("p", conversation, never) is not again


async def test_no_two_begin_with_the_same_name(store: Store) -> None:
    conversations = Conversations(store)
    ids = {conversations.new_id() for _ in range(3 * DRAWN)}
    assert len(ids) == 3 * DRAWN
    assert all(re.fullmatch(r"conv_[0-9a-f]{43}", each) for each in ids)


async def test_what_another_process_says_is_seen(store: Store) -> None:
    conversations = Conversations(store)
    conversation = (await talk(conversations, None)).id
    await conversations.recall("p", conversation, never)
    await store.keep(lambda c: add_items(c, "p", conversation, [message("user", "more")], limits=History(), now=1.0))
    found = await conversations.recall("p", conversation, never)
    assert len(found.loaded.items) == 3


async def test_nobody_elses_is_found_and_nothing_that_is_gone(store: Store) -> None:
    conversations = Conversations(store)
    conversation = (await talk(conversations, None)).id
    for project, an_id in (("q", conversation), ("p", "conv_" + "0" * 32)):
        with pytest.raises(UnknownConversation):
            await conversations.recall(project, an_id, never)
    assert await said(conversations, conversation)


async def test_a_turn_kept_between_is_no_reason_to_believe_what_is_in_memory(store: Store) -> None:
    conversations = Conversations(store)
    conversation = (await talk(conversations, None)).id
    before = await conversations.recall("p", conversation, never)
    after = replace(before.loaded.conversation, version=before.loaded.conversation.version + 2)
    conversations.kept(Kept(after, ()), before, before.loaded.items, Sent(None, None, None))
    again = await conversations.recall("p", conversation, never)
    assert again is not before
    assert again.loaded == before.loaded


async def test_what_does_not_go_along_any_more_is_not_held(store: Store) -> None:
    conversations = Conversations(store)
    system = {"role": "system", "content": "head"}
    conversation = (await talk(conversations, None, system, USER)).id
    for _ in range(3):
        await talk(conversations, conversation)
    before = await conversations.recall("p", conversation, never)
    narrow = replace(before.loaded.conversation, first_turn=3, version=before.loaded.conversation.version + 1)
    conversations.kept(Kept(narrow, ()), before, before.loaded.items, Sent("d", 7, None))
    held = conversations._cache.get(conversation)
    assert held is not None
    assert ([each.turn for each in held.loaded.items], held.whole) == ([0, 3, 3, 4, 4], False)
    assert prepared(held.loaded.items[0].body).item["role"] == "system"
