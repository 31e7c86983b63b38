"""What was read or kept a moment ago."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hayate.history.cache import EMPTY_BYTES, MAX_SHARE, Cache, Cached, up_to
from hayate.store.conversations import Conversation, Loaded, Stored
from hayate.wire.items import message


def conversation(an_id: str, size: int = 0, **more: Any) -> Conversation:
    made = Conversation(1, an_id, "p", True, 0, 0, {}, "notes", 3, 6, size, 1, None, 50, 1)
    return replace(made, **more)


def cached(an_id: str, size: int = 0) -> Cached:
    return Cached(Loaded(conversation(an_id, size), ()))


def test_the_latest_are_kept_within_a_bound() -> None:
    cache = Cache(10 * (EMPTY_BYTES + 100))
    for n in range(20):
        cache.put(cached(str(n), 100))
        cache.get("0")
    assert cache.get("0") is not None, "what is used stays"
    assert [n for n in range(20) if cache.get(str(n))] == [0, *range(11, 20)]
    cache.put(cached("5", 100))
    cache.put(cached("5", 100))
    assert cache._bytes == 10 * (EMPTY_BYTES + 100)
    cache.drop("5")
    cache.drop("5")
    assert cache._bytes == 9 * (EMPTY_BYTES + 100)


def test_a_smaller_bound_lets_go_of_what_was_used_longest_ago_and_none_of_all() -> None:
    cache = Cache(10 * (EMPTY_BYTES + 100))
    for n in range(10):
        cache.put(cached(str(n), 100))
    cache.get("0")
    cache.limit(8 * (EMPTY_BYTES + 100))
    assert [n for n in range(10) if cache.get(str(n))] == [0, *range(3, 10)]
    cache.limit(0)
    cache.put(cached("a"))
    assert (cache.get("0"), cache.get("a"), cache._bytes) == (None, None, 0)


def test_one_that_is_too_large_is_not_kept_nor_what_there_was_of_it() -> None:
    cache = Cache(100_000)
    cache.put(cached("a"))
    cache.put(cached("a", 100_000 // MAX_SHARE))
    assert cache.get("a") is None
    assert cache._bytes == 0


def test_a_branch_begins_with_what_was_said_up_to_there() -> None:
    items = tuple(
        Stored(n, f"i{n}", turn, place, False, message("user", str(n)))
        for n, (turn, place) in enumerate([(0, 7), (1, 1), (1, 2), (2, 3), (2, 4), (3, 5), (3, 6)])
    )
    whole = Cached(Loaded(conversation("a", first_turn=3, places=7), items))
    branch = up_to(whole, 4)
    assert [each.place for each in branch.loaded.items] == [7, 1, 2, 3, 4]
    found = branch.loaded.conversation
    assert (found.turns, found.first_turn, found.tokens, found.notes) == (2, 1, None, None)
    assert up_to(whole, 7).loaded.conversation.tokens == 50
