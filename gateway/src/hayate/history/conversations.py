"""The conversations of a gateway: what of one goes along with a call, and whose turn it is."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from hayate.history.cache import Cache, Cached
from hayate.history.locks import Locks, key_of
from hayate.history.prefix import Prefix, turns_from
from hayate.settings import History
from hayate.store.conversations import Conversation, Loaded, Stored, get, load, new_ids, version
from hayate.store.kept_responses import KeptResponse, response
from hayate.store.store import Store
from hayate.store.turns import Kept
from hayate.wire.history_ids import unknown_conversation

DRAWN: Final = 64
"""Names in one system call, for which the loop may have to wait for other threads."""
WantsAll = Callable[[Conversation], bool]


class Sent(NamedTuple):
    """What is known of a call beyond what is kept: who answered it, how large it was beside its turns."""

    deployment: str | None
    rest_bytes: int | None
    prefix: Prefix | None
    """What it said of the conversation's turns."""


class Conversations:
    """One per gateway."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.locks = Locks()
        self._cache = Cache(History.cache_bytes)
        self._ids: list[str] = []

    def configure(self, limits: History) -> None:
        """The settings that may change while the gateway runs."""
        self._cache.limit(limits.cache_bytes)

    def new_id(self) -> str:
        """A name for a conversation that begins."""
        if not self._ids:
            self._ids = new_ids(DRAWN)
        return self._ids.pop()

    async def recall(self, project: str, conversation_id: str, wants_all: WantsAll) -> Cached:
        """A conversation with what goes along; with all of it where `wants_all` says so of what stands in the store. Raises
        UnknownConversation, HistoryUnavailable.
        """
        cached = self._cache.get(conversation_id)
        if cached is not None and cached.loaded.conversation.project == project:
            now = cached.loaded.conversation
            is_enough = cached.whole or not wants_all(now)
            if is_enough and self.store.glance(lambda connection: version(connection, now)) == now.version:
                return cached

        def how(connection: sqlite3.Connection) -> Cached | None:
            found = get(connection, project, conversation_id)
            if found is None:
                return None
            whole = wants_all(found)
            loaded = load(connection, project, conversation_id, whole=whole)
            return None if loaded is None else Cached(loaded, whole or found.first_turn <= 1)

        recalled = await self.store.recall(how)
        if recalled is None:
            self._cache.drop(conversation_id)
            raise unknown_conversation(conversation_id, param="conversation")
        self._cache.put(recalled)
        return recalled

    @asynccontextmanager
    async def alone(self, project: str, conversation_id: str, wait_s: float) -> AsyncIterator[None]:
        """Within, no call goes on with the conversation: what is changed stands before or behind its turn, never inside. Raises
        ConversationLocked after `wait_s`.
        """
        key = key_of(project, conversation_id)
        await self.locks.take(key, wait_s)
        try:
            yield
        finally:
            self.locks.give_back(key)

    async def response(self, project: str, response_id: str) -> KeptResponse | None:
        """A response that is kept. Raises HistoryUnavailable."""
        return await self.store.recall(lambda connection: response(connection, project, response_id))

    def kept(self, kept: Kept, before: Cached | None, stored: Sequence[Stored], sent: Sent) -> None:
        """A turn has been kept: what there is now goes along with the next. `stored`: what went along with this one."""
        conversation = kept.conversation
        if before is not None and conversation.version != before.loaded.conversation.version + 1:
            self._cache.drop(conversation.id)  # another process has been there meanwhile
            return
        old_head, new_head = turns_from(stored, 1), turns_from(kept.items, 1)
        first = old_head if conversation.first_turn <= 1 else turns_from(stored, conversation.first_turn)
        head = kept.items[:new_head] if new_head else stored[:old_head]
        loaded = Loaded(conversation, (*head, *stored[first:], *kept.items[new_head:]))
        self._cache.put(Cached(loaded, conversation.first_turn <= 1, *sent))
