"""One turn of a conversation, kept: what a caller says and the answer to it, in one step or not at all.

`keep` runs within a transaction of the thread that writes (`Store.keep`), under a savepoint of its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hayate.errors import ConversationLocked
from hayate.settings import History
from hayate.store import traces
from hayate.store.conversation_items import Prepared, Where, add, last_answer, of_turn, prepared, remove, same
from hayate.store.conversations import Columns, Conversation, Stored, found_in, grow, inserted, new_row
from hayate.store.kept_responses import NewResponse, insert, without
from hayate.store.sizes import grown
from hayate.wire.items import Item

LIMITS: Final = History()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a call adds to a conversation."""

    project: str
    conversation: str | None
    """None: one is made."""
    new_id: str | None = None
    """What the one that is made is called, for who has told its id before; otherwise it gets one."""
    listed: bool = True
    """Of one that is made: whether its callers see it; one that only holds a chain of responses is not listed."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Of one that is made."""
    head: Sequence[Item] | None = None
    """What stands before all turns from now on; None: what stands there stays."""
    items: Sequence[Item] = ()
    answer: Sequence[Item] = ()
    known: Conversation | None = None
    """The conversation as the caller knows it; None: it is looked up."""
    head_stays: bool = False
    """Whether the head says what that one's says already."""
    replaces_answer: bool = False
    """The answer takes the place of the last turn's."""
    goes_on: bool = False
    """The items go on with the last turn: they are what its tools returned."""
    behind: int | None = None
    """How many places the conversation must have still, where the turn makes sense behind that alone; None: wherever it ends."""
    tokens: int | None = None
    """What prompt and answer came to, as the engine counted; None when it did not say."""
    first_turn: int | None = None
    """The first turn that goes along from now on; None: as before."""
    window: int | None = None
    """The context, in tokens, for which turns were left out; None: as before."""
    response: NewResponse | None = None
    limits: History = LIMITS


@dataclass(frozen=True, slots=True)
class Kept:
    """What a turn has come to: its conversation as it is now, and what was added, in its order (a new head before the rest)."""

    conversation: Conversation
    items: tuple[Stored, ...]


def keep(connection: sqlite3.Connection, turn: Turn, now: float) -> Kept:
    """Adds the turn, at `now` in seconds since 1970. Raises UnknownConversation when it has been deleted meanwhile,
    ConversationLocked when something has come between, ConversationFull when there is no room for it.
    """
    before = begun(turn, now) if turn.conversation is None else found_in(connection, turn.project, turn.conversation)
    if turn.behind is not None and before.places != turn.behind:
        raise _something_between()
    new, gone_bytes = _to_add(connection, turn, before)
    row = become(turn, before, new, now, gone_bytes=gone_bytes)
    if before.number:
        after = Conversation(before.number, *row)
        grow(connection, before, after, turn.limits)
    else:  # it stands there as it is now
        after = Conversation(inserted(connection, [row])[0], *row)
        grown(connection, after.project, after.bytes, after.bytes, turn.limits)
    added = tuple(add(connection, after, new))
    if turn.response is not None:
        insert(connection, after, turn.response, *stretch(turn, before, after))
    return Kept(after, added)


def begun(turn: Turn, now: float) -> Conversation:
    """One that the turn begins, before it is in the store, which gives it its number."""
    row = new_row(turn.project, now, an_id=turn.new_id, listed=turn.listed, metadata=turn.metadata)
    return Conversation(0, *row)


def said_in(turn: Turn, before: Conversation, *, head: bool) -> list[tuple[Where, Prepared]]:
    """What the turn adds, and where; with the head or without."""
    new: list[tuple[Where, Prepared]] = []
    place = before.places
    if head:
        new += [(Where(0, place := place + 1, False), prepared(each)) for each in turn.head or ()]
    stays = before.turns > 0 and (turn.goes_on or turn.replaces_answer)
    number = before.turns if stays else before.turns + 1
    new += [(Where(number, place := place + 1, False), prepared(each)) for each in turn.items]
    new += [(Where(number, place := place + 1, True), prepared(each)) for each in turn.answer]
    return new


def become(
    turn: Turn, before: Conversation, new: Sequence[tuple[Where, Prepared]], now: float, *, gone_bytes: int = 0
) -> Columns:
    """The conversation with what the turn adds, and without so many bytes that go for it."""
    return (
        before.id,
        before.project,
        before.listed,
        before.created_ms,
        int(now * 1000),
        before.metadata,
        before.notes,
        max(before.turns, new[-1][0].turn) if new else before.turns,
        before.places + len(new),
        before.bytes - gone_bytes + sum([each.bytes for _, each in new]),
        before.first_turn if turn.first_turn is None else turn.first_turn,
        before.window if turn.window is None else turn.window,
        turn.tokens,
        before.version + 1,
    )


def stretch(turn: Turn, before: Conversation, after: Conversation) -> tuple[int, tuple[int, int]]:
    """When the turn's response was made, and where in the conversation its input and its output begin."""
    return after.used_ms, (before.places + 1, after.places - len(turn.answer) + 1)


def _something_between() -> ConversationLocked:
    return ConversationLocked(
        "Meanwhile another gateway has gone on with this conversation, so that the answer does not belong behind it any more. "
        "It was not kept. Look at the conversation, and try again.",
        "回答の生成中に、別のゲートウェイがこの会話を続けたため、この回答は保存されていません。"
        "会話を確認してから、もう一度お試しください。",
        param="conversation",
        retry_after_s=1.0,
    )


def _to_add(
    connection: sqlite3.Connection, turn: Turn, before: Conversation
) -> tuple[list[tuple[Where, Prepared]], int]:
    """What is added, and where; and how many bytes went for it."""
    gone_bytes, has_head = 0, turn.head is not None
    if turn.head is not None:
        head, old = [*map(prepared, turn.head)], of_turn(connection, before, 0) if before.places else []
        if same(old, head):
            has_head = False
        else:
            gone_bytes += remove(connection, before, old)
    if turn.replaces_answer and (old := last_answer(connection, before)):
        gone_bytes += remove(connection, before, old)
        without(connection, before, old[0].place)
        traces.leave(connection)
    return said_in(turn, before, head=has_head), gone_bytes
