"""Conversations that were read or kept a moment ago, so that the next call need not read them again.

Nothing here is believed: whoever finds a conversation here has looked up in the store which version it is at, and takes it
only if this is that one. So what another process has changed is seen, and what was deleted is not found.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Final, NamedTuple

from hayate.history.prefix import Prefix
from hayate.store.conversations import Loaded

MAX_SHARE: Final = 8
"""One conversation may take one of so many parts of that."""
EMPTY_BYTES: Final = 2048
"""What one takes without its items."""


class Cached(NamedTuple):
    """A conversation as it was at some version, and what is known of its last call."""

    loaded: Loaded
    whole: bool = True
    """Whether its items are all there; else they are those that go along."""
    deployment: str | None = None
    """Whose tokens `Conversation.tokens` are."""
    rest_bytes: int | None = None
    """What went along beside its turns."""
    prefix: Prefix | None = None
    """Of its turns, as the last call said them."""

    @property
    def version(self) -> int:
        """The conversation's, as it is here."""
        return self.loaded.conversation.version


class Cache:
    """The latest, up to `max_bytes` of items (`history.cache_bytes`). One per gateway."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, Cached] = OrderedDict()

    def get(self, conversation_id: str) -> Cached | None:
        """What there is of it, at whatever version."""
        found = self._kept.get(conversation_id)
        if found is not None:
            self._kept.move_to_end(conversation_id)
        return found

    def put(self, cached: Cached) -> None:
        """In place of what there was of it; what was used longest ago goes, where there is too much."""
        conversation = cached.loaded.conversation
        self.drop(conversation.id)
        size = _size(cached)
        if size > self._max_bytes // MAX_SHARE:
            return
        self._kept[conversation.id] = cached
        self._bytes += size
        self._make_room()

    def drop(self, conversation_id: str) -> None:
        """It is not known any more."""
        found = self._kept.pop(conversation_id, None)
        if found is not None:
            self._bytes -= _size(found)

    def limit(self, max_bytes: int) -> None:
        """From now on so many may be here."""
        self._max_bytes = max_bytes
        self._make_room()

    def _make_room(self) -> None:
        while self._bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(cached: Cached) -> int:
    return EMPTY_BYTES + cached.loaded.conversation.bytes


def up_to(cached: Cached, end_place: int) -> Cached:
    """A conversation as it was when it came to `end_place`, as a branch begins: without notes."""
    items = tuple(each for each in cached.loaded.items if not each.turn or each.place <= end_place)
    conversation, turns = cached.loaded.conversation, max((each.turn for each in items), default=0)
    first_turn = conversation.first_turn if conversation.first_turn <= turns else 1
    tokens = conversation.tokens if conversation.places == end_place else None
    begun = replace(conversation, turns=turns, first_turn=first_turn, tokens=tokens, notes=None)
    return cached._replace(loaded=Loaded(begun, items), prefix=None)
