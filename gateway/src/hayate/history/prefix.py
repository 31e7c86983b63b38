"""The turns of a conversation as a dialect says them, each put into its words once, while calls follow one another."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from hayate.history.dialects import Dialect
from hayate.store.conversations import Stored
from hayate.wire.items import Item

_body: Final = attrgetter("body")
_turn: Final = attrgetter("turn")


class Prefix(NamedTuple):
    """The first `length` items from `first_turn` on, in the words of the dialect of `path`."""

    path: str
    first_turn: int
    length: int
    said: list[Any]


class New(NamedTuple):
    """What is said now: as items, and as the dialect says those by themselves."""

    items: Sequence[Item]
    said: list[Any]


def put_turns(
    dialect: Dialect, first_turn: int, turns: Sequence[Stored], new: New, known: Prefix | None
) -> tuple[list[Any], Prefix | None] | None:
    """Turns from `first_turn` on and what is said now, in the dialect's words, and what of that is the next call's prefix. `known`:
    what an earlier call has put. None where the turns can't be told apart from what stands before them.

    Between what an assistant said and what a user says nothing is joined, and no exchange with a tool is under way: there what
    stands before can be said without what follows.
    """
    if not turns or not _is_users(turns[0].body):
        return None
    count, said = 0, list[Any]()
    if known is not None and known.path == dialect.path and known.first_turn == first_turn:
        following = turns[known.length].body if known.length < len(turns) else new.items[0] if new.items else None
        if known.length <= len(turns) and (following is None or _is_users(following)):
            count, said = known.length, known.said
    rest = [*map(_body, turns[count:])]
    if not _is_assistants(turns[-1].body) or (new.items and not _is_users(new.items[0])):
        return [*said, *_put(dialect, [*rest, *new.items])], None
    if rest:
        known = Prefix(dialect.path, first_turn, len(turns), said + _put(dialect, rest))
    elif known is None:
        return None
    return [*known.said, *new.said], known


def turns_from(stored: Sequence[Stored], turn: int) -> int:
    """Where the turns from that one on begin, among items in their order."""
    return bisect_left(stored, turn, key=_turn)


def _put(dialect: Dialect, items: Sequence[Item]) -> list[Any]:
    found: list[Any] = dialect.put(items)[dialect.field] if items else []
    return found


def _is_users(item: Item) -> bool:
    return bool(item["type"] == "message" and item["role"] == "user")


def _is_assistants(item: Item) -> bool:
    return bool(item["type"] == "message" and item["role"] == "assistant")
